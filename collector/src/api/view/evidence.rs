//! Evidence, as it is shown: the list, one with its manifest, and its custody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A piece of evidence: a snapshot of a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its name.
    pub evidence_id: String,
    /// The command that asked for it.
    pub command_id: String,
    /// The incident that it belongs to.
    pub incident_id: Option<String>,
    /// Whose it is.
    pub agent_id: String,
    /// Of which machine.
    pub host_id: String,
    /// `offered` while its container is on its way, then `held`.
    pub state: String,
    /// When it was begun, by the agent's clock.
    pub taken: String,
    /// When it was sealed, by the agent's clock.
    pub sealed: String,
    /// When its container was here whole.
    pub received: Option<String>,
    /// Of the container.
    pub size_bytes: u64,
    /// Of the container.
    pub sha256: String,
}

/// A piece of evidence, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceManifest {
    /// What it is.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The host, as it calls itself.
    pub host_name: String,
    /// How much was asked for.
    pub profile: String,
    /// What is in it, in the order in which it was taken.
    pub entries: Vec<EvidenceEntry>,
    /// Who had it in their hands, oldest first.
    pub custody: Vec<Custody>,
    /// The receipt key that the agent registered: 64 hexadecimal digits.
    pub receipt_key: String,
    /// The signed manifest: the encoded `cordon.v1.Signed`, base64.
    pub manifest: String,
}

/// One thing in a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceEntry {
    /// Its name in the container.
    pub name: String,
    /// `taken`, `cut` or `missed`.
    pub outcome: String,
    /// Why it was cut, missed or is empty.
    pub reason: String,
    /// Of its contents.
    pub size_bytes: u64,
    /// Of its contents; absent when it was missed.
    pub sha256: Option<String>,
}

/// One act of those who had it in their hands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Custody {
    /// When.
    pub at: String,
    /// `taken`, `sealed`, `received`, `exported`.
    pub act: String,
    /// Who.
    pub actor: String,
    /// In words.
    pub detail: String,
}
