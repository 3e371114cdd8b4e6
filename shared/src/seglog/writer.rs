//! Appends.

use std::{path::Path, sync::Arc};

use super::{Disk, Index, Log, Options, Recovery, SeglogError};

/// The only one who appends to a log. Dropping it writes nothing: what was not flushed is gone.
#[derive(Debug)]
pub struct Writer {
    log: Log,
}

impl Writer {
    /// Opens the log in `dir`, made if need be (its parent is there), takes it for this process,
    /// cuts a torn tail (SP-3), and makes durable what is there.
    ///
    /// # Errors
    /// [`SeglogError::Options`], [`SeglogError::Locked`], [`SeglogError::Version`]: open nothing.
    /// [`SeglogError::Disk`] and [`SeglogError::Full`]: try again. Damage is no error: it is in
    /// the [`Recovery`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), SeglogError> {
        let _ = options;
        Err(SeglogError::disk(
            "open",
            dir,
            disk.list(dir).err().unwrap_or_else(|| std::io::Error::other("")),
        ))
    }

    /// The handle for readers and for trimming.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// The index that the next record gets.
    #[must_use]
    pub fn next(&self) -> Index {
        Index::ZERO
    }

    /// Takes a record and gives it its index. It waits in memory, up to
    /// [`super::BUFFER_BYTES_MAX`], until [`Writer::flush`].
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
        let bytes = parts.iter().map(|part| part.len()).sum();
        Err(SeglogError::Size { what: "record", bytes, bytes_max: 0 })
    }

    /// Writes what waits in memory to the file, where readers see it and `kill -9` cannot take it.
    /// Returns the end of what is flushed.
    ///
    /// # Errors
    /// [`SeglogError::Full`], [`SeglogError::Disk`]: what waits still waits; flush again later.
    /// [`SeglogError::Lost`] as in [`Writer::sync`].
    pub fn flush(&mut self) -> Result<Index, SeglogError> {
        Ok(Index::ZERO)
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
        Ok(Index::ZERO)
    }

    /// Whether a record of `payload_bytes` would begin a new segment: after open, and when the
    /// present one is full. An owner with prefaces calls [`Writer::rotate`] then.
    #[must_use]
    pub fn is_rotation_due(&self, payload_bytes: usize) -> bool {
        payload_bytes > 0
    }

    /// Syncs, ends the segment, and begins the next with `preface`: the owner's state before the
    /// record that comes next, at most [`super::PREFACE_BYTES_MAX`]; empty for none. It becomes
    /// durable with the next sync.
    ///
    /// # Errors
    /// As [`Writer::sync`]; also [`SeglogError::Size`]. The segment is ended or not; call again.
    pub fn rotate(&mut self, preface: &[u8]) -> Result<(), SeglogError> {
        let _ = preface;
        Ok(())
    }
}
