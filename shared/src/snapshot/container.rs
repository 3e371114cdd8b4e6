//! The container: a tar archive of which each entry is a zstd frame of its own.
//!
//! ```text
//! container  frame(entry)* frame(1,024 zeros)         opens with `tar --zstd -xf` or `zstd -dc | tar x`
//! entry      512 header (ustar, POSIX.1-1988), contents, zeros up to a multiple of 512
//! ```
//!
//! Frames of their own keep damage in one entry from the others, and the manifest knows where each
//! ends. A frame carries zstd's checksum.

use std::{
    fmt,
    io::{self, Write},
};

use zstd::stream::write::Encoder;

use super::EntryName;
use crate::{
    digest::{Hasher, Sha256},
    time::Timestamp,
};

/// Blocks of a tar archive.
pub const BLOCK_BYTES: usize = 512;

/// Ends an archive: two blocks of zeros.
const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// zstd's own default: the agent must not burn the host's processor.
const LEVEL: i32 = 3;

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Of the container.
    pub size_bytes: u64,
    /// Of the container.
    pub sha256: Sha256,
}

/// Writes a container, entry by entry.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
    size_bytes: u64,
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes)", self.size_bytes)
    }
}

impl<'a> Writer<'a> {
    /// Writes to `out`, beginning where it stands.
    #[must_use]
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out, hasher: Hasher::default(), size_bytes: 0 }
    }

    /// Adds an entry; says how many bytes its frame has.
    ///
    /// # Errors
    /// What writing says; the container is then of no use.
    pub fn add(&mut self, name: &EntryName, contents: &[u8], at: Timestamp) -> io::Result<u64> {
        let header = header(name, contents.len(), at)?;
        let padding = vec![0; padding(contents.len())];
        self.frame(&[&header, contents, &padding])
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(mut self) -> io::Result<Written> {
        self.frame(&[&END])?;
        self.out.flush()?;
        Ok(Written { size_bytes: self.size_bytes, sha256: self.hasher.finish() })
    }

    fn frame(&mut self, parts: &[&[u8]]) -> io::Result<u64> {
        let before = self.size_bytes;
        let mut encoder = Encoder::new(Counting(self), LEVEL)?;
        encoder.include_checksum(true)?;
        for part in parts {
            encoder.write_all(part)?;
        }
        encoder.finish()?;
        Ok(self.size_bytes - before)
    }
}

/// Digests and counts what goes through.
struct Counting<'w, 'a>(&'w mut Writer<'a>);

impl Write for Counting<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.out.write_all(bytes)?;
        self.0.hasher.update(bytes);
        self.0.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.out.flush()
    }
}

/// Zeros after contents of this length.
#[must_use]
pub const fn padding(len: usize) -> usize {
    len.next_multiple_of(BLOCK_BYTES) - len
}

/// A ustar header of a regular file that root alone may read.
///
/// # Errors
/// `InvalidInput` when the contents are larger than the field says (8 GiB).
pub fn header(name: &EntryName, len: usize, at: Timestamp) -> io::Result<[u8; BLOCK_BYTES]> {
    let seconds = u64::try_from(at.as_ns() / 1_000_000_000).unwrap_or(0);
    let size = format!("{len:011o}\0");
    let modified = format!("{seconds:011o}\0");
    if size.len() != 12 || modified.len() != 12 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut block = [0; BLOCK_BYTES];
    // Offsets and lengths of pax(1), "ustar Interchange Format".
    put(&mut block, 0, name.as_str());
    put(&mut block, 100, "0000400\0");
    put(&mut block, 108, "0000000\0");
    put(&mut block, 116, "0000000\0");
    put(&mut block, 124, &size);
    put(&mut block, 136, &modified);
    put(&mut block, 148, "        ");
    put(&mut block, 156, "0");
    put(&mut block, 257, "ustar\x0000");
    let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
    put(&mut block, 148, &format!("{sum:06o}\0 "));
    Ok(block)
}

fn put(block: &mut [u8; BLOCK_BYTES], at: usize, text: &str) {
    for (into, from) in block.iter_mut().skip(at).zip(text.bytes()) {
        *into = from;
    }
}
