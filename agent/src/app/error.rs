//! Why the agent did not start, by what a person can do about it.

use cordon_shared::error::{Classify, Kind};

use crate::{
    containment::{hold::file::FileError, journal::JournalError, keyring::StoreError, ledger},
    enroll::{EnrollError, identity::IdentityError},
    sensor::SensorError,
    snapshot::shelf::ShelfError,
    spool::SpoolError,
};

/// The agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No identity, or a damaged one.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The token did not become an identity.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The journal of commands.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Who holds this host isolated.
    #[error(transparent)]
    Holds(#[from] FileError),
    /// What was done to files.
    #[error(transparent)]
    Ledger(#[from] ledger::file::FileError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] StoreError),
    /// Where snapshots wait.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The configured scope is not there.
    #[error("failed to find the scope")]
    Scope(#[source] SensorError),
    /// The configuration names no collector.
    #[error("`collector` is not set: name at least one `host:port` in the configuration")]
    NoCollector,
    /// The system.
    #[error("failed to {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Classify for StartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Identity(error) => error.kind(),
            Self::Enroll(error) => error.kind(),
            Self::Spool(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Holds(error) => error.kind(),
            Self::Ledger(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
            Self::Shelf(error) => error.kind(),
            Self::Scope(error) => error.kind(),
            Self::NoCollector => Kind::BadInput,
            Self::System { .. } => Kind::Unavailable,
        }
    }
}
