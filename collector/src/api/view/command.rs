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
