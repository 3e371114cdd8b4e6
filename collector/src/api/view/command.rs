//! Commands, as they are shown and handed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A command.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Command {
    /// Its name.
    pub command_id: String,
    /// The incident that it is for.
    pub incident_id: Option<String>,
    /// The detection that called for it.
    pub detection_id: Option<String>,
    /// To whom.
    pub agent_id: String,
    /// On which machine.
    pub host_id: String,
    /// The verb.
    pub action: String,
    /// In one line.
    pub summary: String,
    /// The command whose hold it ends, for a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases_id: Option<String>,
    /// `issued`, `sent`, `seen`, `closed` or `expired`.
    pub state: String,
    /// `complete`, `partial`, `failed`, `refused`, `expired`, …; absent until it is known.
    pub verdict: Option<String>,
    /// What the receipt says.
    pub detail: Option<String>,
    /// By whom.
    pub issued_by: String,
    /// When it was signed.
    pub issued: String,
    /// When it ends.
    pub expires: String,
    /// When it was first handed to the agent's stream.
    pub sent: Option<String>,
    /// When the agent had it in its journal.
    pub seen: Option<String>,
    /// When it was closed.
    pub closed: Option<String>,
    /// From signing to the receipt.
    pub duration_ms: Option<u64>,
    /// The event that carried the receipt.
    pub receipt_event_id: Option<String>,
    /// Why nothing was done, when it was refused: a word that scripts can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What was done, in order; of one command, not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What was left open; of one command, not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// What a sweep found; of one command, not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Entries of the ledger that undo it; of one command, not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledger: Vec<String>,
}

/// One step of a command.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CommandStep)]
pub struct Step {
    /// What was to be done.
    pub step: String,
    /// `done`, `already`, `failed`, `undone` or `skipped`.
    pub outcome: String,
    /// More.
    pub detail: String,
}

/// Something that a sweep found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The file.
    pub path: Option<String>,
    /// Its device.
    pub device: Option<u64>,
    /// Its inode.
    pub inode: Option<u64>,
    /// The digest of its contents.
    pub sha256: Option<String>,
    /// Its size.
    pub size_bytes: u64,
    /// When its contents last changed, by the host's account.
    pub modified: String,
    /// A process that runs it.
    pub pid: Option<u32>,
    /// When that began, in ticks of its boot.
    pub start_ticks: Option<u64>,
    /// Which question it answers, counted from 0.
    pub question: u32,
    /// More.
    pub note: String,
}

/// What holds a host isolated.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// The command that began it.
    pub command_id: String,
    /// Whose host.
    pub agent_id: String,
    /// The incident that it is for.
    pub incident_id: Option<String>,
    /// Who has signed for it.
    pub signed_by: Vec<String>,
    /// Since when its lease runs.
    pub since: String,
    /// When its lease ends; absent when it has none, or it is not known.
    pub until: Option<String>,
    /// Whether it stays when its lease ends.
    pub is_sticky: bool,
}

/// An entry of a host's ledger, for an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entered {
    /// Its id.
    pub entry_id: String,
    /// The command that it undoes.
    pub command_id: String,
    /// On whose host.
    pub agent_id: String,
    /// What was done.
    pub summary: String,
    /// When.
    pub at: String,
    /// The command that has undone it.
    pub undone_by: Option<String>,
}

/// A command that a person has signed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCommand {
    /// For whom.
    pub agent_id: String,
    /// The encoded `cordon.v1.CommandDelivery`, base64.
    pub delivery: String,
}
