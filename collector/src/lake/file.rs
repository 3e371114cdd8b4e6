//! Files of the lake, as the Parquet crate wants them, over the same [`Disk`] as the logs: so that a
//! test can tear writes, fill the disk and take the power away.
//!
//! Beside the road: [`Aside`] takes what the writer encodes, [`Reading`] gives it back. It never
//! decides and never retries.

use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use cordon_shared::seglog::{Disk, DiskFile, Mode};
use parquet::{
    errors::{ParquetError, Result as ParquetResult},
    file::reader::{ChunkReader, Length},
};

use super::LakeError;

/// Bytes that go to the disk at once (chosen: one large write).
const WRITE_BYTES: usize = 256 << 10;

/// A file that is being written, from its beginning on.
#[derive(Debug)]
pub(super) struct Aside {
    file: Arc<dyn DiskFile>,
    written: u64,
    waiting: Vec<u8>,
}

impl Aside {
    /// Makes the file, or empties it.
    pub(super) fn begin(disk: &dyn Disk, path: &Path) -> Result<Self, LakeError> {
        let file =
            disk.open(path, Mode::Emptied).map_err(|it| LakeError::disk("begin", path, it))?;
        Ok(Self { file, written: 0, waiting: Vec::with_capacity(WRITE_BYTES) })
    }

    /// Makes all of it durable; how many bytes there are.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.written)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        if bytes.len() >= WRITE_BYTES {
            self.file.write_at(bytes, self.written)?;
            self.written += bytes.len() as u64;
        } else {
            self.waiting.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// A file that is read. Clones share the open file, which stays readable when its name is removed.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    file: Arc<dyn DiskFile>,
    bytes: u64,
}

impl Reading {
    /// Opens the file.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, LakeError> {
        let failed = |it| LakeError::disk("read", path, it);
        let file = disk.open(path, Mode::Existing).map_err(failed)?;
        let bytes = file.bytes().map_err(failed)?;
        Ok(Self { file, bytes })
    }
}

impl Length for Reading {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Reading {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(io::BufReader::new(From { file: Arc::clone(&self.file), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A footer that lies about lengths must not make us allocate more than there is.
        let there = self.bytes.saturating_sub(start);
        if u64::try_from(length).unwrap_or(u64::MAX) > there {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.bytes)));
        }
        let mut bytes = vec![0; length];
        let read = self.file.read_at(&mut bytes, start)?;
        if read < length {
            return Err(ParquetError::EOF(format!("{read} of {length} bytes at {start}")));
        }
        Ok(bytes.into())
    }
}

/// Reads on from a place in a file.
#[derive(Debug)]
pub(super) struct From {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
