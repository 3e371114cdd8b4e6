//! Why the lake refused, by what its caller does next.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use cordon_shared::{
    error::{Classify, Kind},
    seglog::SeglogError,
};
use parquet::errors::ParquetError;

use crate::ingest::journal::JournalError;

/// Why the lake refused. After each of them the lake is as it was before the call.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The disk has no room: try again later; the journal keeps what was to be filed.
    #[error("no room on the disk to {doing} `{path}`")]
    Full {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk failed: try again later.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what the catalog says: its rows cannot be read.
    #[error("`{path}` is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ParquetError,
    },
    /// The encoder broke on what it was given.
    #[error("the encoder broke on a row")]
    Broken,
    /// A batch that cannot be filed could not be kept aside: try again later.
    #[error("failed to set a batch aside")]
    Unkept(#[source] Box<JournalError>),
    /// The catalog's log.
    #[error("the lake's catalog cannot be used")]
    Log(#[from] SeglogError),
    /// The catalog has lost records or is gone, so that it no longer says which files count. Nothing
    /// was changed: put `lake/catalog` back from a backup that is as old as the files.
    #[error(
        "the lake's catalog in `{path}` has lost records, or is gone: mount its disk, or put it back \
         from a backup"
    )]
    Catalog {
        /// Its folder.
        path: PathBuf,
    },
    /// A file that was to be read is not there: the search begins anew.
    #[error("`{path}` is gone")]
    Absent {
        /// Its path below the lake's folder.
        path: String,
    },
    /// Files were replaced faster than a search could read them: search again.
    #[error("the lake's files changed under the search")]
    Unsettled,
}

impl LakeError {
    /// Sorts a failure of the system.
    pub(super) fn disk(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let is_full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if is_full {
            Self::Full { doing, path, source }
        } else {
            Self::Disk { doing, path, source }
        }
    }

    /// Sorts a failure of the Parquet crate, which wraps those of the system.
    pub(super) fn parquet(doing: &'static str, path: &Path, source: ParquetError) -> Self {
        let ParquetError::External(inner) = source else { return Self::damaged(path, source) };
        match inner.downcast::<io::Error>() {
            Ok(error) => Self::disk(doing, path, *error),
            Err(inner) => Self::damaged(path, ParquetError::External(inner)),
        }
    }

    fn damaged(path: &Path, source: ParquetError) -> Self {
        Self::Damaged { path: path.to_owned(), source }
    }

    /// Whether what was to be filed is to blame, so that waiting mends nothing.
    pub(super) fn is_of_data(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Broken)
    }

    /// Whether the file was not there: a compaction may have replaced it.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The error with its causes, for a log.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(it) = cause {
            text.push_str(": ");
            text.push_str(&it.to_string());
            cause = it.source();
        }
        text
    }
}

impl Classify for LakeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Full { .. } => Kind::Busy,
            Self::Disk { .. } => Kind::Unavailable,
            Self::Broken => Kind::Internal,
            Self::Unkept(_) => Kind::Unavailable,
            Self::Damaged { .. } | Self::Catalog { .. } => Kind::Corrupt,
            Self::Log(error) => error.kind(),
            Self::Absent { .. } => Kind::Unavailable,
            Self::Unsettled => Kind::Busy,
        }
    }
}
