//! Detections, what people report, and suppressions, as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A detection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Detection {
    /// Its name.
    pub detection_id: String,
    /// The rule's id; `staff-report` for what a person reported.
    pub rule_id: String,
    /// Digest of the rule's text.
    pub rule_sha256: String,
    /// The rule's title.
    pub title: String,
    /// `informational` to `critical`.
    pub severity: String,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Where.
    pub agent_id: String,
    /// Where.
    pub host_id: String,
    /// The incident that it belongs to; none while it is suppressed.
    pub incident_id: Option<String>,
    /// The first event; none when a person reported it.
    pub event_id: Option<String>,
    /// Who reported it; none when a rule found it.
    #[serde(default)]
    pub reported_by: Option<String>,
    /// The suppression that keeps it from becoming an incident.
    #[serde(default)]
    pub suppression_id: Option<String>,
    /// Whom it is about.
    pub process_uid: Option<String>,
    /// The first event in one line.
    pub summary: String,
    /// How many events.
    pub count: u64,
    /// When the first happened.
    pub first: String,
    /// When the last happened.
    pub last: String,
    /// When it was found.
    pub created: String,
}

/// Something odd that a person reports.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewSuspicion {
    /// Where: a host's name, its id, or its agent's id.
    pub host: String,
    /// What was seen, in words.
    pub text: String,
    /// The file that it is about: an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The uid of the process that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_uid: Option<String>,
    /// When it was; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What keeps detections of a rule from becoming incidents, to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewSuppression {
    /// The rule's id or title.
    pub rule: String,
    /// Where: a host's name, its id, or its agent's id; everywhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// When it ends, a year from now at most.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// What keeps detections of a rule from becoming incidents, until it ends by itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Suppression {
    /// Its name.
    pub suppression_id: String,
    /// The rule's id.
    pub rule_id: String,
    /// Where; everywhere when absent.
    pub host_id: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it was made.
    pub created: String,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub until: String,
    /// When a person ended it before that.
    pub ended: Option<String>,
    /// Who did.
    pub ended_by: Option<String>,
    /// Whether it holds now.
    pub is_active: bool,
    /// Events that it kept from becoming incidents.
    pub count: u64,
    /// When the last of them happened.
    pub last: Option<String>,
}
