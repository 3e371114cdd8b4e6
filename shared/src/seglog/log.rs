//! What writer, readers and owner share of an open log: the table of its segments.
//!
//! On the road: between [`super::Writer`], which publishes what it flushed, and the readers, which
//! ask where their next record lies. It holds its lock for a look-up or a deletion, never while
//! bytes are read or written, so that reading and writing do not wait for each other.
//!
//! - **SP-1**: [`Log::trim`] is the only place that deletes records.

use std::{
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Disk, GapCause, Index, LogId, PREFACES_KEPT, Reader, SeglogError,
    format::{Seal, segment_path},
};

/// Handle to an open log: cheap to clone, for any thread.
///
/// The directory stays taken for this process until the writer, all handles and all readers are
/// dropped.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

/// One segment, as accounting sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpan {
    /// Its first record.
    pub first: Index,
    /// The first record after it.
    pub until: Index,
    /// Its size on disk.
    pub bytes: u64,
}

/// What a trim deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A log's fixed parts and its table.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) log_id: LogId,
    pub(super) seal: Seal,
    /// Holds the directory for this process.
    pub(super) _lock: Box<dyn Debug + Send + Sync>,
    pub(super) table: Mutex<Table>,
}

/// The segments and how far they go.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// By rising `first`.
    pub(super) segments: Vec<Segment>,
    pub(super) flushed: Index,
    pub(super) durable: Index,
    /// Records below this were trimmed since open.
    pub(super) trimmed: Index,
    /// Segments left behind after a failed sync since open.
    pub(super) abandoned: u64,
    pub(super) serial_last: u64,
}

/// One segment in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: Index,
    /// Changes when another file takes the same name.
    pub(super) serial: u64,
    /// Where its records begin in the file.
    pub(super) records_at: u64,
    /// How far the file may be read.
    pub(super) bytes: u64,
    pub(super) has_preface: bool,
}

/// What lies at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Nothing yet.
    End,
    /// No segment has it.
    Hole { until: Index, cause: GapCause },
    /// This segment does, or did; it gives way to the next one at `until`.
    Inside { segment: Segment, until: Index },
}

impl View {
    /// Whether what was concluded from an earlier view holds: the same file, not cut since.
    pub(super) fn still_holds(self, earlier: Self) -> bool {
        match (self, earlier) {
            (Self::Inside { segment, until }, Self::Inside { segment: was, until: end }) => {
                segment.serial == was.serial && segment.bytes >= was.bytes && until >= end
            }
            (Self::Inside { .. } | Self::Hole { .. } | Self::End, _other) => false,
        }
    }
}

impl Log {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // The table is changed in single steps that cannot panic half-way.
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cursor that begins at `at`, which may lie before the oldest record (then a gap comes
    /// first) or after the newest (then nothing comes until it is there).
    #[must_use]
    pub fn reader(&self, at: Index) -> Reader {
        Reader::new(self.clone(), at)
    }

    /// The first record that is there; the end when none is.
    #[must_use]
    pub fn oldest(&self) -> Index {
        let table = self.table();
        table.segments.first().map_or(table.flushed, |segment| segment.first)
    }

    /// The end of what readers can see: all below it was flushed.
    #[must_use]
    pub fn flushed(&self) -> Index {
        self.table().flushed
    }

    /// The end of what survives a loss of power: all below it was synced.
    #[must_use]
    pub fn durable(&self) -> Index {
        self.table().durable
    }

    /// Bytes of all segments on disk.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.table().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Segments that were left behind after a failed sync since open (F-8), to be reported.
    #[must_use]
    pub fn segments_abandoned(&self) -> u64 {
        self.table().abandoned
    }

    /// The segments, oldest first. The last is never trimmed.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentSpan> {
        let table = self.table();
        let ends = table.segments.iter().skip(1).map(|next| next.first).chain([table.flushed]);
        table
            .segments
            .iter()
            .zip(ends)
            .map(|(segment, until)| SegmentSpan {
                first: segment.first,
                until,
                bytes: segment.bytes,
            })
            .collect()
    }

    /// Deletes the segments whose records all lie below `before` (SP-1: the owner names an index
    /// only when all below it is acknowledged). The newest segment always stays, since it knows
    /// the next index, and so do the [`PREFACES_KEPT`] newest that have a preface, with what
    /// follows them.
    ///
    /// The deletion itself is not made durable: after a loss of power a segment may be there
    /// again, and is trimmed again.
    ///
    /// # Errors
    /// [`SeglogError::Disk`]: some may have been deleted; call again.
    pub fn trim(&self, before: Index) -> Result<Trimmed, SeglogError> {
        let mut table = self.table();
        let mut trimmed = Trimmed::default();
        while let Some(segment) = table.first_below(before) {
            let path = segment_path(&self.shared.dir, segment.first);
            match self.shared.disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(SeglogError::disk("delete", &path, error));
                }
                Ok(()) | Err(_) => (),
            }
            table.segments.remove(0);
            table.trimmed = table.segments.first().map_or(before, |next| next.first);
            trimmed.segments += 1;
            trimmed.bytes += segment.bytes;
        }
        Ok(trimmed)
    }

    pub(super) fn view(&self, position: Index) -> View {
        self.table().view(position)
    }
}

impl Table {
    /// Adds a segment at the end; one that begins at the same record gives way to it.
    pub(super) fn push(&mut self, first: Index, records_at: u64, bytes: u64) {
        self.segments.retain(|segment| segment.first < first);
        self.serial_last += 1;
        let has_preface = records_at > super::format::SEGMENT_HEAD_BYTES as u64;
        let serial = self.serial_last;
        self.segments.push(Segment { first, serial, records_at, bytes, has_preface });
    }

    /// The first record of the last segment that begins before `first`.
    pub(super) fn before(&self, first: Index) -> Option<Index> {
        self.segments.iter().rev().map(|it| it.first).find(|earlier| *earlier < first)
    }

    /// Ends the segment before the one at `first` at `bytes` of its file.
    pub(super) fn cut_before(&mut self, first: Index, bytes: u64) {
        if let Some(segment) = self.segments.iter_mut().rev().find(|it| it.first < first) {
            segment.bytes = bytes;
        }
    }

    /// The oldest segment, if all its records lie below `before` and it may go.
    fn first_below(&self, before: Index) -> Option<Segment> {
        let [oldest, rest @ ..] = self.segments.as_slice() else { return None };
        let is_below = rest.first().is_some_and(|next| next.first <= before);
        let prefaces = rest.iter().filter(|segment| segment.has_preface).count();
        let is_kept = oldest.has_preface && prefaces < PREFACES_KEPT;
        (is_below && !is_kept).then_some(*oldest)
    }

    fn view(&self, position: Index) -> View {
        if position >= self.flushed {
            return View::End;
        }
        let after = self.segments.partition_point(|segment| segment.first <= position);
        let until = self.segments.get(after).map_or(self.flushed, |next| next.first);
        match after.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) => View::Inside { segment: *segment, until },
            None if position < self.trimmed => {
                View::Hole { until: until.min(self.trimmed), cause: GapCause::Trimmed }
            }
            None => View::Hole { until, cause: GapCause::Missing },
        }
    }
}
