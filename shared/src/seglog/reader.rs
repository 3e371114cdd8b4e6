//! A cursor over the log.
//!
//! On the road: the log's way out, to the agent's uplink, to lake and detection. It reads what the
//! writer has flushed, one chunk per `pread`, and hands out slices of that chunk. It never writes,
//! never deletes, never waits.
//!
//! - **SP-2**: entries come in index order and none twice; each index between two records that is
//!   not there is part of exactly one [`Gap`].

use std::{io::ErrorKind, sync::Arc};

use super::{
    Entry, Gap, GapCause, Index, Log, Record, SeglogError,
    disk::{DiskFile, Mode},
    format::segment_path,
    log::{Segment, View},
    segment::{Found, Scan, insist, is_refused},
};

/// Reads the log in index order. Many may read one log, each in its own thread; a reader and the
/// writer do not wait for each other.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    position: Index,
    open: Option<OpenSegment>,
}

/// The segment that the position lies in.
#[derive(Debug)]
struct OpenSegment {
    serial: u64,
    scan: Scan,
    /// Why the records between the position and what the scan expects are not there.
    cause: GapCause,
}

/// What a segment gives for the position.
enum Step {
    Record(Record),
    Gap {
        until: Index,
        cause: GapCause,
    },
    /// The segment has nothing more.
    Over(GapCause),
}

impl Reader {
    pub(super) fn new(log: Log, position: Index) -> Self {
        Self { log, position, open: None }
    }

    /// The index that comes next.
    #[must_use]
    pub fn position(&self) -> Index {
        self.position
    }

    /// Up to `entries_max` entries in index order (SP-2), until their payloads reach `bytes_max`;
    /// at least one, however large, when one is there; none when all that was flushed is read.
    /// The position moves behind them.
    ///
    /// # Errors
    /// [`SeglogError::Disk`] when the system refuses for another reason than a bad block: the
    /// position stands before what could not be read; call again later.
    pub fn next_batch(
        &mut self,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, SeglogError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        while entries.len() < entries_max && bytes < bytes_max {
            match self.next_entry() {
                Ok(Some(entry)) => {
                    if let Entry::Record(record) = &entry {
                        bytes += record.payload.len();
                    }
                    entries.push(entry);
                }
                Ok(None) => break,
                // What was read is handed out first; the next call meets the error again.
                Err(_) if !entries.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    /// The next entry, or none when all that was flushed is read.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, SeglogError> {
        loop {
            let view = self.log.view(self.position);
            let (segment, until) = match view {
                View::End => return Ok(None),
                View::Hole { until, cause } => return Ok(Some(self.pass(until, cause))),
                View::Inside { segment, until } => (segment, until),
            };
            let (gap_until, cause) = match self.step(segment, until)? {
                Step::Record(record) => {
                    self.position = record.index.plus(1);
                    return Ok(Some(Entry::Record(record)));
                }
                Step::Gap { until: found, cause } => (found.min(until), cause),
                Step::Over(cause) => (until, cause),
            };
            // A loss is believed only if the segment did not change meanwhile: the writer may have
            // moved its tail to a new file, or the owner may have trimmed it.
            if self.log.view(self.position).still_holds(view) {
                return Ok(Some(self.pass(gap_until, cause)));
            }
            self.open = None;
        }
    }

    /// Puts the position to `at`, before or behind where it is. What was read from there on comes
    /// again.
    pub fn rewind(&mut self, at: Index) {
        if at != self.position {
            self.open = None;
            self.position = at;
        }
    }

    fn pass(&mut self, until: Index, cause: GapCause) -> Entry {
        let gap = Gap { from: self.position, until, cause };
        self.position = until;
        Entry::Gap(gap)
    }

    fn step(&mut self, segment: Segment, until: Index) -> Result<Step, SeglogError> {
        let path = segment_path(&self.log.shared().dir, segment.first);
        let disk_error = |error| SeglogError::disk("read", &path, error);
        if self.open.as_ref().is_none_or(|open| open.serial != segment.serial) {
            let disk = &self.log.shared().disk;
            let file = match insist(|| disk.open(&path, Mode::Existing)) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Step::Over(GapCause::Missing));
                }
                Err(error) if is_refused(&error) => return Ok(Step::Over(GapCause::Unreadable)),
                Err(error) => return Err(disk_error(error)),
            };
            self.open = Some(OpenSegment::new(&self.log, segment, file));
        }
        let position = self.position;
        let Some(open) = &mut self.open else { return Ok(Step::Over(GapCause::Missing)) };
        open.scan.set_limit(segment.bytes);
        open.step(position, until).map_err(disk_error)
    }
}

impl OpenSegment {
    fn new(log: &Log, segment: Segment, file: Arc<dyn DiskFile>) -> Self {
        let seal = log.shared().seal;
        let scan = Scan::new(file, seal, segment.records_at, segment.bytes, segment.first);
        Self { serial: segment.serial, scan, cause: GapCause::Corrupt }
    }

    /// What the segment has at `position`; records before it are passed over.
    fn step(&mut self, position: Index, until: Index) -> std::io::Result<Step> {
        loop {
            if self.scan.expected() > position {
                return Ok(Step::Gap { until: self.scan.expected(), cause: self.cause });
            }
            match self.scan.next()? {
                Found::Record { index, .. } if index < position => (),
                Found::Record { index, .. } if index >= until => {
                    return Ok(Step::Over(GapCause::Corrupt));
                }
                Found::Record { index, payload, .. } => {
                    return Ok(Step::Record(Record { index, payload }));
                }
                Found::Gap { cause, .. } => self.cause = cause,
                Found::End => return Ok(Step::Over(GapCause::Missing)),
                Found::Torn { cause, .. } => return Ok(Step::Over(cause)),
            }
        }
    }
}
