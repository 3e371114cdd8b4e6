//! Appends, and makes durable what was appended.
//!
//! On the road: the log's way in. Payloads come in, are framed into one buffer (the only copy that
//! is made of them), and go to the end of the newest segment with one write. It never reads a
//! payload and never overwrites what was flushed.
//!
//! A write that fails is cut back and its bytes stay in the buffer, so that a full disk (F-6, F-7)
//! leaves the log as it was; a sync that fails is dealt with in `successor.rs` (F-8).

use std::{io, path::Path, sync::Arc};

use super::{
    BUFFER_BYTES_MAX, Disk, Index, Log, Options, PREFACE_BYTES_MAX, RECORD_BYTES_MAX, Recovery,
    SEGMENT_BYTES_MIN, SeglogError,
    disk::DiskFile,
    format::{RECORD_FRAME_BYTES, SEGMENT_HEAD_BYTES, push_record, segment_path},
    open::recover,
};

/// What the buffer keeps allocated after it was written (chosen: one batch of the usual size).
const BUFFER_BYTES_KEPT: usize = 256 << 10;

/// The only one who appends to a log. Dropping it writes nothing: what was not flushed is gone.
#[derive(Debug)]
pub struct Writer {
    pub(super) log: Log,
    pub(super) segment_bytes_max: u64,
    /// The segment that is appended to; none after open and after a loss.
    pub(super) tail: Option<Tail>,
    /// Framed records that are not in the file yet.
    buffer: Vec<u8>,
    next: Index,
    /// All below is in the file.
    pub(super) flushed: Index,
    /// All below survives a loss of power.
    pub(super) durable: Index,
}

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) first: Index,
    pub(super) records_at: u64,
    pub(super) preface_crc: u32,
    /// End of what was flushed.
    pub(super) bytes: u64,
    /// End of what is durable.
    pub(super) bytes_durable: u64,
    /// Whether its name is durable.
    pub(super) is_named: bool,
    /// Whether a sync failed: nothing after `bytes_durable` may be trusted to this file.
    pub(super) is_suspect: bool,
}

impl Writer {
    /// Opens the log in `dir`, made if need be (its parent is there), takes it for this process,
    /// cuts a torn tail (SP-3), and makes durable what is there.
    ///
    /// # Errors
    /// [`SeglogError::Options`], [`SeglogError::Locked`], [`SeglogError::Version`]: nothing was
    /// changed. [`SeglogError::Disk`] and [`SeglogError::Full`]: try again. Damage is no error: it
    /// is in the [`Recovery`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: &Options,
    ) -> Result<(Self, Recovery), SeglogError> {
        if options.segment_bytes_max < SEGMENT_BYTES_MIN {
            let want = "at least `SEGMENT_BYTES_MIN`";
            return Err(SeglogError::Options { option: "segment_bytes_max", want });
        }
        let (log, recovery) = recover(disk, dir, options)?;
        let writer = Self {
            log,
            segment_bytes_max: options.segment_bytes_max,
            tail: None,
            buffer: Vec::new(),
            next: recovery.next,
            flushed: recovery.next,
            durable: recovery.next,
        };
        Ok((writer, recovery))
    }

    /// The handle for readers and for trimming.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// The index that the next record gets.
    #[must_use]
    pub fn next(&self) -> Index {
        self.next
    }

    /// Takes a record and gives it its index. It waits in memory, up to [`BUFFER_BYTES_MAX`],
    /// until [`Writer::flush`].
    ///
    /// When the segment is full, this begins the next one, without a preface, which syncs the old
    /// one. An owner with prefaces asks [`Writer::is_rotation_due`] first.
    ///
    /// # Errors
    /// [`SeglogError::Size`]; [`SeglogError::Full`] and [`SeglogError::Disk`] when the buffer had
    /// to be written and could not be; [`SeglogError::Lost`] as in [`Writer::sync`]. The record was
    /// not taken.
    pub fn append(&mut self, payload: &[u8]) -> Result<Index, SeglogError> {
        self.append_parts(&[payload])
    }

    /// As [`Writer::append`], of a payload that lies in several pieces.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn append_parts(&mut self, parts: &[&[u8]]) -> Result<Index, SeglogError> {
        let bytes = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        if !(1..=RECORD_BYTES_MAX).contains(&bytes) {
            return Err(SeglogError::Size { what: "record", bytes, bytes_max: RECORD_BYTES_MAX });
        }
        if self.is_rotation_due(bytes) {
            self.rotate(&[])?;
        } else if self.buffer.len() + bytes + RECORD_FRAME_BYTES > BUFFER_BYTES_MAX {
            self.flush()?;
        }
        let index = self.next;
        push_record(&mut self.buffer, self.log.shared().seal, index, self.durable, parts);
        self.next = index.plus(1);
        Ok(index)
    }

    /// Writes what waits in memory to the file, where readers see it and `kill -9` cannot take it.
    /// Returns the end of what is flushed.
    ///
    /// # Errors
    /// [`SeglogError::Full`], [`SeglogError::Disk`]: what waits still waits; flush again later.
    /// [`SeglogError::Lost`] as in [`Writer::sync`].
    pub fn flush(&mut self) -> Result<Index, SeglogError> {
        if self.buffer.is_empty() {
            return Ok(self.flushed);
        }
        if self.tail.as_ref().is_some_and(|tail| tail.is_suspect) {
            self.succeed()?;
        }
        if self.tail.is_none() {
            self.begin(self.flushed, &[])?;
        }
        let Some(tail) = &mut self.tail else { return Ok(self.flushed) };
        if let Err(error) = tail.file.write_at(&self.buffer, tail.bytes) {
            // What was written of it is no record yet; should the cut fail too, the next write
            // goes to the same place, and opening cuts a torn tail.
            drop(tail.file.set_bytes(tail.bytes));
            let path = segment_path(&self.log.shared().dir, tail.first);
            return Err(SeglogError::disk("append to", &path, error));
        }
        tail.bytes += self.buffer.len() as u64;
        self.flushed = self.next;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        self.publish();
        Ok(self.flushed)
    }

    /// Takes back what waits in memory, after a flush that failed: its indexes name nothing yet and
    /// are given out again. For an owner who tells a record that cannot be written lost, and must
    /// not see it appear later.
    pub fn take_back(&mut self) {
        self.buffer.clear();
        self.next = self.flushed;
    }

    /// Flushes, and makes all of it durable: one `fdatasync`, and one of the directory when the
    /// segment is new. Returns the end of what is durable: now records below it may be
    /// acknowledged.
    ///
    /// A failed sync is first dealt with inside (F-8): the flushed records that are not durable
    /// are read back, checked, and written and synced to a new segment. Only when that fails too,
    /// an error comes.
    ///
    /// # Errors
    /// [`SeglogError::Full`], [`SeglogError::Disk`]: durable is what [`Log::durable`] says; the
    /// rest is kept; sync again later, which writes a new segment.
    /// [`SeglogError::Lost`]: the named records could not be read back. They never were durable;
    /// who still has them appends them again, under new indexes; the log goes on.
    pub fn sync(&mut self) -> Result<Index, SeglogError> {
        self.flush()?;
        if self.durable == self.flushed {
            return Ok(self.durable);
        }
        let shared = self.log.shared();
        let Some(tail) = &mut self.tail else { return Ok(self.durable) };
        if !tail.is_suspect {
            match tail.make_durable(&*shared.disk, &shared.dir) {
                Ok(()) => {
                    self.durable = self.flushed;
                    self.publish();
                    return Ok(self.durable);
                }
                Err(error) => {
                    let path = segment_path(&shared.dir, tail.first);
                    tracing::warn!(path = %path.display(), %error, "a sync failed: its segment is given up");
                    tail.is_suspect = true;
                }
            }
        }
        self.succeed()?;
        Ok(self.durable)
    }

    /// Whether a record of `payload_bytes` would begin a new segment: after open, and when the
    /// present one is full. An owner with prefaces calls [`Writer::rotate`] then.
    #[must_use]
    pub fn is_rotation_due(&self, payload_bytes: usize) -> bool {
        let Some(tail) = &self.tail else { return true };
        let waiting = self.buffer.len().saturating_add(payload_bytes) + RECORD_FRAME_BYTES;
        self.next > tail.first && tail.bytes.saturating_add(waiting as u64) > self.segment_bytes_max
    }

    /// Syncs, ends the segment, and begins the next with `preface`: the owner's state before the
    /// record that comes next, at most [`PREFACE_BYTES_MAX`]; empty for none. It becomes durable
    /// with the next sync.
    ///
    /// # Errors
    /// As [`Writer::sync`]; also [`SeglogError::Size`]. The segment is ended or not; call again.
    pub fn rotate(&mut self, preface: &[u8]) -> Result<(), SeglogError> {
        let bytes = preface.len();
        if bytes > PREFACE_BYTES_MAX {
            return Err(SeglogError::Size { what: "preface", bytes, bytes_max: PREFACE_BYTES_MAX });
        }
        self.sync()?;
        self.begin(self.next, preface)
    }

    /// Tells readers and owner how far the log goes.
    pub(super) fn publish(&self) {
        let mut table = self.log.table();
        table.flushed = self.flushed;
        table.durable = self.durable;
        if let (Some(tail), Some(last)) = (&self.tail, table.segments.last_mut()) {
            last.bytes = tail.bytes;
        }
    }

    /// Begins the segment of record `first`, with everything before it durable or lost.
    fn begin(&mut self, first: Index, preface: &[u8]) -> Result<(), SeglogError> {
        let made = self.make_segment(first, preface)?;
        let path = segment_path(&self.log.shared().dir, first);
        made.publish(&*self.log.shared().disk, &path)
            .map_err(|error| SeglogError::disk("begin", &path, error))?;
        let bytes = SEGMENT_HEAD_BYTES as u64 + preface.len() as u64;
        self.adopt(made.file, first, preface, bytes);
        Ok(())
    }

    /// Goes on in a file that has just got its segment's name.
    pub(super) fn adopt(
        &mut self,
        file: Arc<dyn DiskFile>,
        first: Index,
        preface: &[u8],
        bytes: u64,
    ) {
        let records_at = SEGMENT_HEAD_BYTES as u64 + preface.len() as u64;
        self.log.table().push(first, records_at, bytes);
        self.tail = Some(Tail {
            file,
            first,
            records_at,
            preface_crc: crc32c::crc32c(preface),
            bytes,
            bytes_durable: records_at,
            is_named: false,
            is_suspect: false,
        });
    }
}

impl Tail {
    /// Syncs the file, and the directory when the name is new.
    pub(super) fn make_durable(&mut self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        self.file.sync()?;
        if !self.is_named {
            disk.sync_dir(dir)?;
            self.is_named = true;
        }
        self.bytes_durable = self.bytes;
        Ok(())
    }
}
