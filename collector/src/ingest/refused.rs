//! What was refused, kept: a batch that breaks a rule is no reason to lose what it says.
//!
//! Beside the road: the journal's thread writes a refused batch here, durably, before its agent is
//! told that it may let go of it. A person can look at it; nothing of ours reads it again. It never
//! overwrites and never deletes: when [`BATCHES_MAX`] or [`BYTES_MAX`] is reached the oldest stay,
//! since what went wrong first explains the most, and what comes after is counted and not kept.
//!
//! ```text
//! DIR/{agent}.{epoch}.{lane}.{first number}.{first 8 bytes of SHA-256}.batch
//! DIR/journal.{position}.{first 8 bytes of SHA-256}.unfiled.batch
//! content: the head of a journal record (record.rs), then the batch as it came
//! ```
//!
//! The second is a batch that was acknowledged and cannot be filed (F-49): when there is no room for
//! it, it stays in the journal.
//!
//! The name tells the bytes, so that a batch that comes again is kept once.

use std::{
    collections::HashSet,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cordon_shared::{
    digest::Sha256,
    error::{Classify, Kind},
    seglog::{Disk, Mode},
};
use tracing::error;

use super::{Submission, record::HEAD_BYTES};
use crate::metric::Count;

/// Batches that are kept (chosen: a directory that a person can still look through).
pub const BATCHES_MAX: usize = 1_024;

/// Their bytes (chosen: four segments of the journal).
pub const BYTES_MAX: u64 = 256 << 20;

/// What the name of a batch ends with that was acknowledged.
const UNFILED_END: &str = ".unfiled.batch";

/// A refused batch could not be written: it is not answered, and tried again.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} `{path}`")]
pub struct RefusedError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Classify for RefusedError {
    fn kind(&self) -> Kind {
        Kind::Unavailable
    }
}

/// The directory of refused batches.
#[derive(Debug)]
pub(super) struct Refusals {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    kept: HashSet<OsString>,
    bytes: u64,
    is_full: bool,
}

impl Refusals {
    /// Opens the directory, made if need be, and removes what was being written.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, RefusedError> {
        let failed = |doing| move |source| RefusedError { doing, path: dir.to_owned(), source };
        disk.create_dir(dir).map_err(failed("make"))?;
        let mut kept = HashSet::new();
        let mut bytes = 0;
        for name in disk.list(dir).map_err(failed("list"))? {
            let path = dir.join(&name);
            if path.extension().is_some_and(|it| it == "new") {
                disk.remove(&path).map_err(failed("clean"))?;
                continue;
            }
            let file = disk.open(&path, Mode::Existing).map_err(failed("read"))?;
            bytes += file.bytes().map_err(failed("read"))?;
            kept.insert(name);
        }
        Ok(Self { disk, dir: dir.to_owned(), kept, bytes, is_full: false })
    }

    /// How many batches that were acknowledged lie here.
    pub(super) fn unfiled(&self) -> u64 {
        let is_unfiled = |it: &&OsString| it.to_string_lossy().ends_with(UNFILED_END);
        u64::try_from(self.kept.iter().filter(is_unfiled).count()).unwrap_or(u64::MAX)
    }

    /// Keeps a record of the journal durably; without room that is an error.
    pub(super) fn set_aside(&mut self, position: u64, record: &[u8]) -> Result<(), RefusedError> {
        let mut digest = Sha256::of(record).to_string();
        digest.truncate(16);
        let name = OsString::from(format!("journal.{position}.{digest}{UNFILED_END}"));
        if self.kept.contains(&name) {
            return Ok(());
        }
        let path = self.dir.join(&name);
        let failed = |source| RefusedError { doing: "set aside", path: path.clone(), source };
        let size = u64::try_from(record.len()).unwrap_or(u64::MAX);
        if !self.has_room(size) {
            return Err(failed(io::ErrorKind::QuotaExceeded.into()));
        }
        self.write(&path, &[record]).map_err(failed)?;
        error!(path = %path.display(), position, "a batch that cannot be filed is set aside");
        self.bytes += size;
        self.kept.insert(name);
        Ok(())
    }

    fn has_room(&self, size: u64) -> bool {
        self.kept.len() < BATCHES_MAX && self.bytes.saturating_add(size) <= BYTES_MAX
    }

    /// Keeps a batch durably, or counts it when there is no room.
    pub(super) fn keep(&mut self, submission: &Submission) -> Result<(), RefusedError> {
        let (header, bytes) = (submission.header(), submission.bytes());
        let mut digest = Sha256::of(bytes).to_string();
        digest.truncate(16);
        let (agent, epoch, lane) = (submission.agent, header.epoch(), header.lane());
        let name = format!("{agent}.{epoch}.{lane}.{}.{digest}.batch", header.first_seq());
        if self.kept.contains(Path::new(&name).as_os_str()) {
            return Ok(());
        }
        let size = u64::try_from(HEAD_BYTES + bytes.len()).unwrap_or(u64::MAX);
        if !self.has_room(size) {
            Count::RefusedUnkept.add(1);
            if !self.is_full {
                self.is_full = true;
                error!(dir = %self.dir.display(), batches = self.kept.len(), bytes = self.bytes,
                    "there is no room for more refused batches: from now on they are only counted");
            }
            return Ok(());
        }
        let path = self.dir.join(&name);
        self.write(&path, &[&submission.head().to_bytes(), bytes]).map_err(|source| {
            RefusedError { doing: "keep a refused batch as", path: path.clone(), source }
        })?;
        Count::RefusedKept.add(1);
        error!(path = %path.display(), "a refused batch is kept");
        self.bytes += size;
        self.kept.insert(name.into());
        Ok(())
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let aside = path.with_extension("new");
        let file = self.disk.open(&aside, Mode::Emptied)?;
        let mut at = 0;
        for part in parts {
            file.write_at(part, at)?;
            at += u64::try_from(part.len()).unwrap_or(u64::MAX);
        }
        file.sync()?;
        self.disk.rename(&aside, path)?;
        self.disk.sync_dir(&self.dir)
    }
}

#[cfg(test)]
mod tests;
