//! Which files count: the truth about the lake, in a segment log of its own.
//!
//! Each record is JSON. A *change* names the files that came, those that went, and the journal
//! position below which every batch is filed from then on: one durable record, so that rows and
//! position become true together and every event is filed exactly once, whatever is cut off when.
//! A *snapshot* is the whole state in parts; when the changes since the last one outweigh it, a new
//! one is written and what lies before it is deleted, so that the log stays bounded.
//!
//! At open the state is that of the newest whole snapshot with all changes since. A gap after it
//! means that nobody knows which files count: the catalog says so and touches nothing.

mod state;

use std::{path::Path, sync::Arc};

use cordon_shared::{
    entropy::Entropy,
    seglog::{Disk, Entry, LogId, Options, SeglogError, Writer},
};
use tracing::{info, warn};

pub(super) use self::state::{File, State};
use self::state::{Folding, Record};
use super::LakeError;

/// A segment of the catalog (chosen: some ten thousand changes).
const SEGMENT_BYTES: u64 = 4 << 20;

/// Files of one part of a snapshot: at 300 bytes each, a part stays far below the largest record.
const PART_FILES: usize = 1_024;

/// Bytes of changes that are always kept before a snapshot is worth its while (chosen: read in
/// milliseconds).
const CHANGES_BYTES_MIN: u64 = 1 << 20;

/// Changes may take so many times the bytes of the last snapshot.
const CHANGES_PER_SNAPSHOT: u64 = 4;

/// Entries that are read at once at open.
const READ_ENTRIES: usize = 256;

/// Their bytes.
const READ_BYTES: usize = 4 << 20;

/// The open catalog. One thread at a time changes it.
#[derive(Debug)]
pub(super) struct Catalog {
    writer: Writer,
    state: Arc<State>,
    /// A change that was appended and is not known to be durable.
    pending: Option<Pending>,
    /// Bytes of changes since the last snapshot, and of that snapshot.
    bytes: (u64, u64),
}

/// A change on its way.
#[derive(Debug)]
struct Pending {
    record: Record,
    /// Whether the log has it; a failed sync can have lost it again.
    is_appended: bool,
}

/// Files that come, files that go, and how far the journal is filed with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) added: Vec<File>,
    /// Paths below the lake's folder.
    pub(super) removed: Vec<String>,
    pub(super) position: u64,
}

impl Catalog {
    /// Opens the catalog in `dir`, or begins one.
    ///
    /// # Errors
    /// [`LakeError::Log`]; [`LakeError::Catalog`] when it has lost records, or is empty although
    /// `is_used`.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        entropy: &dyn Entropy,
        is_used: bool,
    ) -> Result<Self, LakeError> {
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let options =
            Options { segment_bytes_max: SEGMENT_BYTES, ..Options::journal(LogId::from_bytes(id)) };
        let (writer, recovery) = Writer::open(Arc::clone(disk), dir, &options)?;
        if let Some(torn) = recovery.torn {
            info!(at = %torn.at, bytes = torn.bytes, "the catalog's torn end was cut");
        }
        let lost = || LakeError::Catalog { path: dir.to_owned() };
        let mut folding = Folding::new(recovery.oldest.as_u64() == 0);
        let mut reader = writer.log().reader(recovery.oldest);
        let mut records = 0;
        loop {
            let entries = reader.next_batch(READ_ENTRIES, READ_BYTES)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                records += 1;
                match entry {
                    Entry::Record(record) => folding.record(&record.payload),
                    Entry::Gap(gap) => {
                        warn!(from = %gap.from, until = %gap.until, "the catalog has a gap");
                        folding.gap();
                    }
                }
            }
        }
        let state = Arc::new(folding.finish().ok_or_else(lost)?);
        let mut catalog = Self { writer, state, pending: None, bytes: (CHANGES_BYTES_MIN, 0) };
        if records == 0 {
            // A first start has no files yet, and has filed nothing: whoever has lost the catalog.
            if is_used {
                return Err(lost());
            }
            catalog.snapshot()?;
        }
        Ok(catalog)
    }

    /// What counts now.
    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// The number of the record that comes next.
    pub(super) fn next(&self) -> u64 {
        self.writer.next().as_u64()
    }

    /// Makes a change true, durably.
    ///
    /// # Errors
    /// [`LakeError::Log`]: when [`Catalog::is_pending`], it may be true or not after a restart and
    /// the files that it names must stay; [`Catalog::settle`] goes on with it. Else it was not
    /// taken.
    pub(super) fn commit(&mut self, change: Change) -> Result<(), LakeError> {
        self.settle()?;
        let record = Record::change(change);
        self.append(&record)?;
        self.pending = Some(Pending { record, is_appended: true });
        self.settle()
    }

    /// Whether a change waits to become durable.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Goes on with a change that could not be made durable.
    ///
    /// # Errors
    /// As [`Catalog::commit`].
    pub(super) fn settle(&mut self) -> Result<(), LakeError> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        if let Err(error) = self.write(&mut pending) {
            self.pending = Some(pending);
            return Err(error);
        }
        let mut state = State::clone(&self.state);
        state.apply(&pending.record);
        self.state = Arc::new(state);
        let (changes, snapshot) = self.bytes;
        if changes > CHANGES_BYTES_MIN.max(snapshot.saturating_mul(CHANGES_PER_SNAPSHOT))
            && let Err(error) = self.snapshot()
        {
            warn!("the catalog could not be shortened, which is tried again: {}", error.chain());
        }
        Ok(())
    }

    fn write(&mut self, pending: &mut Pending) -> Result<(), LakeError> {
        if !pending.is_appended {
            self.append(&pending.record)?;
            pending.is_appended = true;
        }
        match self.writer.sync() {
            Ok(_) => Ok(()),
            Err(error) => {
                // What is lost never was durable: once more, under a number of its own.
                pending.is_appended = !matches!(error, SeglogError::Lost { .. });
                Err(error.into())
            }
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), LakeError> {
        let bytes = record.to_bytes();
        self.writer.append(&bytes)?;
        self.bytes.0 += bytes.len() as u64;
        Ok(())
    }

    /// Writes the whole state and deletes what it makes superfluous.
    fn snapshot(&mut self) -> Result<(), LakeError> {
        self.writer.rotate(&[])?;
        let first = self.writer.next();
        let mut bytes = 0;
        for part in self.state.parts(PART_FILES) {
            let part = part.to_bytes();
            self.writer.append(&part)?;
            bytes += part.len() as u64;
        }
        self.writer.sync()?;
        self.bytes = (0, bytes);
        self.writer.log().trim(first)?;
        Ok(())
    }
}
