//! Why a collector did not start, or does not go on.

use std::io;

use cordon_shared::{
    crypto::tls::TlsError,
    error::{Classify, Kind},
};

use crate::{
    guard::GuardError,
    ingest::journal::JournalError,
    lake::LakeError,
    pki::{authority::AuthorityError, issue::IssueError},
    store::StoreError,
};

/// The collector did not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key lies where it must not.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The issuer.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The state database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A stage is gone: the collector has stopped, and is to be started again.
    #[error("the thread `{thread}` has ended before its time: see the log")]
    Gone {
        /// Which.
        thread: &'static str,
    },
    /// A listener has no port.
    #[error("failed to listen at {address}, `listen.{key}` of the configuration")]
    Bind {
        /// Which.
        key: &'static str,
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The system.
    #[error("failed to {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for StartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Guard(error) => error.kind(),
            Self::Authority(error) => error.kind(),
            Self::Issue(error) => error.kind(),
            Self::Tls(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Lake(error) => error.kind(),
            Self::Gone { .. } => Kind::Internal,
            Self::Bind { .. } | Self::System { .. } => Kind::Unavailable,
        }
    }
}

/// Names what was being done when the system refused.
pub(super) fn system(doing: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::System { doing, source }
}
