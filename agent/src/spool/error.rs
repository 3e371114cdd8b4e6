//! Why a spool cannot be had: the folder, another process, or a lane's log.

use std::{io, path::PathBuf};

use cordon_shared::{
    error::{Classify, Kind},
    id::Lane,
    seglog::SeglogError,
};

/// Why the spool cannot be had. Once open, it refuses nothing.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A folder cannot be made: look at the disk and the configuration.
    #[error("failed to make the folder `{path}`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has the spool.
    #[error("`{path}` is in use by another agent: stop it, or give this one its own `data_dir`")]
    InUse {
        /// The spool's folder.
        path: PathBuf,
    },
    /// A lane's log cannot be opened or read.
    #[error("failed to open the {lane} lane of the spool")]
    Log {
        /// Which lane.
        lane: Lane,
        /// Why.
        #[source]
        source: SeglogError,
    },
}

impl Classify for SpoolError {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder { .. } => Kind::Unavailable,
            Self::InUse { .. } => Kind::Conflict,
            Self::Log { source, .. } => source.kind(),
        }
    }
}
