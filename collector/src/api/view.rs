//! What leaves, as types: the JSON of the API and of `cordon --output json`.
//!
//! Names are `snake_case` and stable; times RFC 3339 in UTC; durations end in `_ms`; ids are texts.
//! Nothing here is a domain type, so that what is inside can change.

mod command;
mod detection;
mod evidence;
mod incident;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::command::{Command, Entered, Finding, Lease, SignedCommand, Step};
pub use self::detection::{Detection, NewSuppression, NewSuspicion, Suppression};
pub use self::evidence::{Custody, Evidence, EvidenceEntry, EvidenceManifest};
pub use self::incident::{
    Assignment, End, Entry, Gate, Incident, Indicator, Judgement, NewIncident, NewNote,
    NewSeverity, NewTask, Passage, Phase, PhaseMove, ScopeChange, ScopeHost, Sweep, Task,
    TaskChange, WholeIncident,
};

/// A page of a list, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
}

/// A page of events.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// OCSF events, in the order that was asked for.
    pub items: Vec<serde_json::Value>,
    /// Give this as `cursor` for the next page; absent on the last, and on one that is partial.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
    /// Whether the search was cut short: narrow the time or name a class.
    pub is_partial: bool,
}

/// How many events there are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventCounts {
    /// One row for each class that has any.
    pub items: Vec<EventCount>,
    /// Whether the search was cut short, so that there may be more.
    pub is_partial: bool,
}

/// How many events there are of a class.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// The OCSF class.
    pub class_uid: u32,
    /// Its caption.
    pub class_name: String,
    /// Its events.
    pub count: u64,
}

/// Why a request was not done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// One of a closed set: `bad_input`, `not_found`, …
    pub kind: String,
    /// What was refused, in a sentence.
    pub message: String,
    /// Find this in the collector's log.
    pub request_id: String,
}

/// What a sensor got.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sensor {
    /// Which.
    pub sensor: String,
    /// `ebpf`, `kernel`, `portable` or `none`.
    pub tier: String,
    /// Why not better.
    pub reason: String,
}

/// A machine with its newest agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// The agent: one enrolment of the machine.
    pub agent_id: String,
    /// The record of the machine.
    pub host_id: String,
    /// Host name.
    pub name: String,
    /// Operating system.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// `x86_64`, …
    pub architecture: String,
    /// Set here: `standard`, `critical`, …
    pub tier: String,
    /// Set here.
    pub labels: Vec<String>,
    /// `held`, `approved` or `revoked`.
    pub standing: String,
    /// Whether a session is open now.
    pub is_connected: bool,
    /// When it was let in.
    pub enrolled: String,
    /// When it last spoke.
    pub last_seen: Option<String>,
    /// Version of its agent.
    pub agent_version: String,
    /// Name of the key that signs its receipts: compare it at first sight.
    pub receipt_key_id: String,
    /// What its sensors got.
    pub sensors: Vec<Sensor>,
}

/// Why an agent is put out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// For the audit log.
    #[serde(default)]
    pub reason: String,
}

/// An enrolment token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Hosts that it may let in.
    pub hosts_max: u64,
    /// How long it is good, in milliseconds.
    pub lifetime_ms: u64,
    /// Networks that it may be used from, `ADDRESS/BITS`; empty for any.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Labels of its hosts, `KEY=VALUE`.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Tier of its hosts.
    pub tier: String,
    /// Whether its hosts wait for approval.
    #[serde(default)]
    pub is_held: bool,
}

/// An enrolment token that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// Its name; not secret.
    pub token_id: String,
    /// The token itself, shown once.
    pub token: String,
    /// When it ends.
    pub expires: String,
}

/// An enrolment token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its name.
    pub token_id: String,
    /// Hosts that it may let in.
    pub hosts_max: u64,
    /// Hosts that it let in.
    pub hosts: u64,
    /// Tier of its hosts.
    pub tier: String,
    /// Labels of its hosts.
    pub labels: Vec<String>,
    /// When it was made.
    pub created: String,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub expires: String,
}

/// A rule that is loaded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its level.
    pub severity: String,
    /// Digest of its text.
    pub sha256: String,
    /// Where it comes from.
    pub source: String,
    /// Whether the keyring lets it move automation.
    #[serde(default)]
    pub is_armed: bool,
}

/// What loading the rules again gave.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RuleReload {
    /// Rules that are loaded.
    pub rules: u64,
    /// Rules that could not be loaded: file, line and reason.
    pub problems: Vec<String>,
}

/// A signed keyring.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Keyring {
    /// Rises with each installed keyring.
    #[serde(default)]
    pub number: u64,
    /// The keyring in base64.
    pub signed: String,
    /// When it was installed.
    #[serde(default)]
    pub installed: String,
    /// By whom.
    #[serde(default)]
    pub installed_by: String,
}

/// An act in the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// Rises by one.
    pub number: u64,
    /// When.
    pub at: String,
    /// Who.
    pub principal: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// In words.
    pub detail: String,
    /// Digest of the row.
    pub sha256: String,
}

/// Whether the audit log is whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// Whether each row follows from the one before.
    pub is_whole: bool,
    /// Rows that follow from each other.
    pub rows: u64,
    /// Digest of the last of them; empty when the log is broken.
    pub head: String,
}

/// The collector as a whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of the collector.
    pub version: String,
    /// Its clock.
    pub now: String,
    /// Whether it takes facts in and keeps what is found in them.
    #[serde(default)]
    pub is_ready: bool,
    /// What is wrong with it now, in sentences, the worst first.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Agents with an open session.
    pub hosts_connected: u64,
    /// Rules that are loaded.
    pub rules: u64,
    /// Rules that could not be loaded: file, line and reason.
    pub rule_problems: Vec<String>,
    /// Number of the keyring in force; 0 for none.
    pub keyring_number: u64,
}
