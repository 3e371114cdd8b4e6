//! New segments: made aside and named when whole; and what follows a failed sync (F-8).
//!
//! On the road: beside [`super::Writer`], which calls it at rotation and after a sync failed. It
//! never syncs a file again that has failed once, and never believes what it reads back without
//! its checksums.
//!
//! Stated limit: the process may be killed after a failed sync and before its successor is there.
//! Then the next open distrusts the tail by itself (`open.rs`).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    CHUNK_BYTES, Disk, Index, SeglogError, Writer,
    disk::{DiskFile, Mode},
    format::{SEGMENT_HEAD_BYTES, SegmentHeader, segment_path},
    segment::{Found, Scan},
};

/// A segment that has its header and preface but not yet its name.
pub(super) struct Made {
    pub(super) file: Arc<dyn DiskFile>,
    aside: PathBuf,
}

impl Made {
    /// Gives it its name; removes it when that fails.
    pub(super) fn publish(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        disk.rename(&self.aside, path).inspect_err(|_| self.discard(disk))
    }

    /// Removes it. Should this fail, the next open does it.
    fn discard(&self, disk: &dyn Disk) {
        drop(disk.remove(&self.aside));
    }
}

impl Writer {
    /// Makes the segment of record `first` aside.
    pub(super) fn make_segment(&self, first: Index, preface: &[u8]) -> Result<Made, SeglogError> {
        let shared = self.log.shared();
        let path = segment_path(&shared.dir, first);
        let previous = self.log.table().before(first);
        let header = SegmentHeader::new(shared.log_id, first, previous, preface).ok_or(
            SeglogError::Size {
                what: "preface",
                bytes: preface.len(),
                bytes_max: super::PREFACE_BYTES_MAX,
            },
        )?;
        let mut aside = path.clone().into_os_string();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let open = || {
            let file = shared.disk.open(&aside, Mode::Emptied)?;
            let made = Made { file, aside: aside.clone() };
            let written = made.file.write_at(&header.encode(), 0).and_then(|()| {
                if preface.is_empty() {
                    return Ok(());
                }
                made.file.write_at(preface, SEGMENT_HEAD_BYTES as u64)
            });
            written.inspect_err(|_| made.discard(&*shared.disk)).map(|()| made)
        };
        open().map_err(|error| SeglogError::disk("begin", &path, error))
    }

    /// Moves what was flushed and is not durable from a suspect segment to a new one, and makes it
    /// durable there. The new one begins at the first record that is not durable; if that is the
    /// suspect's own first, it takes the suspect's name and preface, and nothing is left of it.
    ///
    /// # Errors
    /// [`SeglogError::Lost`], after which there is no tail: its records are a gap.
    /// [`SeglogError::Disk`], [`SeglogError::Full`]: the tail is still suspect.
    pub(super) fn succeed(&mut self) -> Result<(), SeglogError> {
        let (from, until) = (self.durable, self.flushed);
        let Some(tail) = &self.tail else { return Ok(()) };
        let path = segment_path(&self.log.shared().dir, tail.first);
        let read_error = |error| SeglogError::disk("read back", &path, error);
        if !self.is_tail_readable().map_err(read_error)? {
            self.give_up_tail();
            return Err(SeglogError::Lost { from, until });
        }
        let preface = match from == tail.first {
            true => tail.preface().map_err(read_error)?,
            false => Vec::new(),
        };
        let (source, source_at, source_end) = (tail.file.clone(), tail.bytes_durable, tail.bytes);
        let (is_replaced, shared) = (from == tail.first, self.log.shared());

        let made = self.make_segment(from, &preface)?;
        let records_at = SEGMENT_HEAD_BYTES as u64 + preface.len() as u64;
        let path = segment_path(&shared.dir, from);
        let written = copy(&*source, source_at..source_end, &*made.file, records_at)
            .and_then(|()| made.file.sync())
            .inspect_err(|_| made.discard(&*shared.disk))
            .and_then(|()| made.publish(&*shared.disk, &path));
        written.map_err(|error| SeglogError::disk("move records to", &path, error))?;

        let bytes = records_at + (source_end - source_at);
        self.adopt(made.file, from, &preface, bytes);
        {
            let mut table = self.log.table();
            table.abandoned += 1;
            if !is_replaced {
                table.cut_before(from, source_at);
            }
        }
        if !is_replaced {
            // Readers go on in the new file; what is cut off here is in it.
            drop(source.set_bytes(source_at));
        }
        self.name_successor(&path)
    }

    /// Makes the new segment's name durable, and with it all that was flushed.
    fn name_successor(&mut self, path: &Path) -> Result<(), SeglogError> {
        let shared = self.log.shared();
        let Some(tail) = &mut self.tail else { return Ok(()) };
        if let Err(error) = shared.disk.sync_dir(&shared.dir) {
            tail.is_suspect = true;
            return Err(SeglogError::disk("name", path, error));
        }
        tail.is_named = true;
        tail.bytes_durable = tail.bytes;
        self.durable = self.flushed;
        self.publish();
        Ok(())
    }

    /// Whether all records from the first that is not durable to the last flushed can be read.
    fn is_tail_readable(&self) -> io::Result<bool> {
        let Some(tail) = &self.tail else { return Ok(true) };
        let seal = self.log.shared().seal;
        let (file, from) = (tail.file.clone(), tail.bytes_durable);
        let mut scan = Scan::new(file, seal, from, tail.bytes, self.durable);
        loop {
            match scan.next()? {
                Found::Record { .. } => (),
                Found::End => return Ok(scan.expected() == self.flushed),
                Found::Gap { .. } | Found::Torn { .. } => return Ok(false),
            }
        }
    }

    /// Ends a suspect segment at its last durable record, when the rest cannot be read back.
    fn give_up_tail(&mut self) {
        let Some(tail) = self.tail.take() else { return };
        drop(tail.file.set_bytes(tail.bytes_durable));
        self.durable = self.flushed;
        let mut table = self.log.table();
        table.abandoned += 1;
        table.durable = self.durable;
        if let Some(last) = table.segments.last_mut() {
            last.bytes = tail.bytes_durable;
        }
    }
}

impl super::writer::Tail {
    fn preface(&self) -> io::Result<Vec<u8>> {
        let bytes = self.records_at - SEGMENT_HEAD_BYTES as u64;
        let mut preface = vec![0; usize::try_from(bytes).unwrap_or(0)];
        let read = self.file.read_at(&mut preface, SEGMENT_HEAD_BYTES as u64)?;
        // One that cannot be read back whole is left out: an older one does as well.
        let is_whole = read == preface.len() && crc32c::crc32c(&preface) == self.preface_crc;
        Ok(if is_whole { preface } else { Vec::new() })
    }
}

/// Copies a range of one file into another, chunk by chunk.
pub(super) fn copy(
    source: &dyn DiskFile,
    range: std::ops::Range<u64>,
    target: &dyn DiskFile,
    mut target_at: u64,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = range.start;
    while at < range.end {
        let room = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let part = &mut chunk[..room];
        if source.read_at(part, at)? < room {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        target.write_at(part, target_at)?;
        at += room as u64;
        target_at += room as u64;
    }
    Ok(())
}
