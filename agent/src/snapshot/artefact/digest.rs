//! SHA-256 of files under a budget of bytes: the same file is read once.

use std::{
    collections::HashMap,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use cordon_shared::digest::{Hasher, Sha256};
use rustix::fs::OFlags;

use crate::snapshot::Patience;

/// Bytes read for digests in one snapshot (chosen: half a second of one core with the processor's SHA
/// instructions, two without).
const BUDGET_BYTES: u64 = 512 << 20;

/// One read.
const CHUNK_BYTES: usize = 64 << 10;

/// The digests.
#[derive(Debug)]
pub struct Digests {
    kept: HashMap<(u64, u64, i64, u64), Sha256>,
    left_bytes: u64,
}

impl Default for Digests {
    fn default() -> Self {
        Self { kept: HashMap::new(), left_bytes: BUDGET_BYTES }
    }
}

impl Digests {
    /// The digest of an open file, or why there is none.
    ///
    /// # Errors
    /// One of a few words for the reader of the entry.
    pub fn of(&mut self, file: &mut File, patience: &Patience) -> Result<Sha256, &'static str> {
        let about = file.metadata().map_err(|_gone| "unreadable")?;
        let key = (about.dev(), about.ino(), about.ctime_nsec() ^ about.ctime(), about.len());
        if let Some(kept) = self.kept.get(&key) {
            return Ok(*kept);
        }
        if about.len() > self.left_bytes {
            return Err("over_budget");
        }
        let mut hasher = Hasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        while patience.over().is_none() {
            match file.read(&mut chunk) {
                Ok(0) => {
                    let sha256 = hasher.finish();
                    self.kept.insert(key, sha256);
                    return Ok(sha256);
                }
                Ok(count) => {
                    hasher.update(chunk.get(..count).unwrap_or_default());
                    // A file that grows while it is read uses up the budget too.
                    let Some(left) = self.left_bytes.checked_sub(count as u64) else {
                        return Err("over_budget");
                    };
                    self.left_bytes = left;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => return Err("unreadable"),
            }
        }
        Err("over_time")
    }
}

/// Opens a regular file to be read, without following a link at its end and without waiting for a
/// writer where somebody put a pipe.
///
/// # Errors
/// What opening says; `InvalidInput` when it is no regular file.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    regular(path, OFlags::NOFOLLOW)
}

/// The same through one of the kernel's own links, `/proc/PID/exe`.
///
/// # Errors
/// As [`open`].
pub fn open_magic(path: &Path) -> io::Result<(File, Metadata)> {
    regular(path, OFlags::empty())
}

fn regular(path: &Path, more: OFlags) -> io::Result<(File, Metadata)> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if about.is_file() { Ok((file, about)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}
