//! Forensic triage: what a host says of itself, taken before anybody changes it.
//!
//! ```text
//! command ─plan─▶ items in order of volatility ─artefact─▶ entries ─seal─▶ container, signed manifest
//!                                                                             └─shelf─▶ upload ─▶ collector
//! ```
//!
//! In: the plan of a command, from containment. Out: a container and its manifest on disk (the receipt
//! says so), and, in its own time, at the collector. Everything is bounded by bytes and by
//! [`TIME_MAX`]; what was cut or missed is in the manifest with its reason.
//!
//! It changes nothing on the host, follows no link that a file system offers it, and never takes the
//! value of an environment variable, a password's hash, a private key or the memory of a process.

pub mod plan;

pub mod draft;

pub mod artefact;

pub mod seal;

pub mod shelf;

pub mod upload;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use cordon_shared::{
    crypto::signing::SigningKey,
    entropy::Entropy,
    error::{Classify, Kind},
    id::{AgentId, BootId},
    time::{Boottime, Clock},
};
use tokio_util::sync::CancellationToken;

use self::shelf::{Shelf, ShelfError};
use crate::sensor::scope::Scope;

/// How long a triage may take (FACTS of a response: state within 10 s; chosen: three times that for a
/// host that is busy because it is attacked).
pub const TIME_MAX: Duration = Duration::from_secs(30);

/// A snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The place where it would lie.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl Classify for SnapshotError {
    fn kind(&self) -> Kind {
        match self {
            Self::Shelf(error) => error.kind(),
        }
    }
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Where `/proc` is.
    pub proc: PathBuf,
    /// What stands for `/`.
    pub root: PathBuf,
    /// Which processes belong to this host.
    pub scope: Scope,
}

/// What is the same in every snapshot of this agent.
#[derive(Clone)]
pub struct Kit {
    /// Where to look.
    pub ground: Ground,
    /// Where sealed snapshots wait for the collector.
    pub shelf: Shelf,
    /// Who takes it.
    pub agent: AgentId,
    /// The host, as it calls itself.
    pub host_name: String,
    /// The kernel and the system, for people.
    pub system: String,
    /// During which boot.
    pub boot: BootId,
    /// Signs manifests.
    pub key: Arc<SigningKey>,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// Names snapshots.
    pub entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kit({})", self.shelf.folder().display())
    }
}

/// How long one may go on.
#[derive(Clone, Debug)]
pub struct Patience {
    clock: Arc<dyn Clock>,
    deadline: Boottime,
    stop: CancellationToken,
}

impl Patience {
    /// Until [`TIME_MAX`] from now, or until the agent stops.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        let deadline = clock.boottime().saturating_add(TIME_MAX);
        Self { clock, deadline, stop }
    }

    /// Why to end now, if so.
    #[must_use]
    pub fn over(&self) -> Option<&'static str> {
        if self.stop.is_cancelled() {
            return Some("the agent stops");
        }
        (self.clock.boottime() >= self.deadline).then_some("the time for a snapshot was over")
    }
}

#[cfg(test)]
pub(crate) mod tests;
