//! SHA-256 of executables, under a budget of bytes and time.
//!
//! A digest is kept by (device, inode, ctime, size), so that a program that is launched a thousand
//! times is read once; ctime cannot be set back by who writes the file. What is read must be the very
//! file that the kernel saw: it is opened through `/proc/PID/exe`, else by its path, and taken only
//! when device and inode are those of the observation.
//!
//! The budget is refilled each second. When it is used up, a launch goes without its digest and says
//! so ([`HashState`]); the next launch of the same file tries again.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::MetadataExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    digest::{Hasher, Sha256},
    event::{
        file::Identity,
        process::{ExecutableKind, HashState, Process},
    },
    time::Boottime,
};

/// Digests that are kept (chosen: more programs than a host has in use; 100 bytes each).
pub const DIGESTS_MAX: usize = 8_192;

/// Bytes that may be read in a second (chosen: 64 MiB take a tenth of a second of one core with the
/// processor's SHA instructions).
const BYTES_PER_SECOND: u64 = 64 << 20;

/// The largest file that is read (chosen: larger than any program of a distribution; more would use
/// up the budget of several seconds).
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Bytes that are saved up at most, so that one large file can be read at all.
const BUDGET_BYTES_MAX: u64 = FILE_BYTES_MAX;

/// One read.
const CHUNK_BYTES: usize = 64 << 10;

/// What names the contents of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    device: u64,
    inode: u64,
    ctime_ns: i64,
    size_bytes: u64,
}

#[derive(Debug)]
struct Kept {
    sha256: Sha256,
    used: u64,
}

/// The digests.
#[derive(Debug)]
pub struct Digests {
    proc: PathBuf,
    kept: HashMap<Key, Kept>,
    uses: u64,
    budget_bytes: u64,
    refilled: Option<Boottime>,
}

impl Digests {
    /// None yet. `proc` is where `/proc` is.
    #[must_use]
    pub fn new(proc: PathBuf) -> Self {
        let budget_bytes = BUDGET_BYTES_MAX;
        Self { proc, kept: HashMap::new(), uses: 0, budget_bytes, refilled: None }
    }

    /// Lets the budget grow by what the time since the last call is worth.
    pub fn refill(&mut self, now: Boottime) {
        let since = self.refilled.map_or(Duration::ZERO, |it| now.since(it));
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        if self.refilled.is_some() && ms == 0 {
            return;
        }
        let more = ms.saturating_mul(BYTES_PER_SECOND / 1_000);
        self.budget_bytes = self.budget_bytes.saturating_add(more).min(BUDGET_BYTES_MAX);
        self.refilled = Some(now);
    }

    /// The digest of what `process` executes, and whether it is known, and why not.
    pub fn digest(
        &mut self,
        process: &Process,
        file: Option<Identity>,
        kind: ExecutableKind,
    ) -> (Option<Sha256>, HashState) {
        if let Some(kept) = file.and_then(|it| self.kept(&key_of(&it))) {
            return (Some(kept), HashState::Known);
        }
        match self.read(process, file, kind) {
            Ok(sha256) => (Some(sha256), HashState::Known),
            Err(state) => (None, state),
        }
    }

    fn kept(&mut self, key: &Key) -> Option<Sha256> {
        self.uses += 1;
        let kept = self.kept.get_mut(key)?;
        kept.used = self.uses;
        Some(kept.sha256)
    }

    fn read(
        &mut self,
        process: &Process,
        file: Option<Identity>,
        kind: ExecutableKind,
    ) -> Result<Sha256, HashState> {
        let through = self.proc.join(process.key.pid.to_string()).join("exe");
        let by_name = Path::new(OsStr::from_bytes(process.exe.as_bytes()));
        let opened = open_same(&through, file).or_else(|| match kind {
            ExecutableKind::File if file.is_some() && by_name.is_absolute() => {
                open_same(by_name, file)
            }
            ExecutableKind::File | ExecutableKind::Deleted | ExecutableKind::Memfd => None,
        });
        let Some((mut opened, key)) = opened else { return Err(HashState::Vanished) };
        // Without an identity from the kernel, a process that has become another one by now would
        // lend its file to this launch.
        if file.is_none()
            && crate::sensor::procfs::process::key(&self.proc, process.key.pid) != Some(process.key)
        {
            return Err(HashState::Vanished);
        }
        if let Some(kept) = self.kept(&key) {
            return Ok(kept);
        }
        if key.size_bytes > FILE_BYTES_MAX {
            return Err(HashState::TooLarge);
        }
        if key.size_bytes > self.budget_bytes {
            return Err(HashState::OverBudget);
        }
        self.budget_bytes -= key.size_bytes;
        let sha256 = digest(&mut opened, key.size_bytes).ok_or(HashState::Unreadable)?;
        // A file that was written to meanwhile has no digest that means anything.
        if opened.metadata().ok().map(|it| key_from(&it)) != Some(key) {
            return Err(HashState::Unreadable);
        }
        self.keep(key, sha256);
        Ok(sha256)
    }

    fn keep(&mut self, key: Key, sha256: Sha256) {
        if self.kept.len() >= DIGESTS_MAX {
            let mut by_use: Vec<_> = self.kept.iter().map(|(key, it)| (it.used, *key)).collect();
            by_use.sort_unstable_by_key(|it| it.0);
            for (_, key) in by_use.into_iter().take(DIGESTS_MAX / 8) {
                self.kept.remove(&key);
            }
        }
        self.uses += 1;
        self.kept.insert(key, Kept { sha256, used: self.uses });
    }
}

/// Opens a regular file, if it is the one that was seen.
fn open_same(path: &Path, file: Option<Identity>) -> Option<(File, Key)> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let opened = File::options().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = opened.metadata().ok()?;
    let is_same = file.is_none_or(|it| (it.device, it.inode) == (metadata.dev(), metadata.ino()));
    (metadata.is_file() && is_same).then(|| (opened, key_from(&metadata)))
}

fn key_of(it: &Identity) -> Key {
    let ctime_ns = it.ctime.as_ns();
    Key { device: it.device, inode: it.inode, ctime_ns, size_bytes: it.size_bytes }
}

fn key_from(it: &std::fs::Metadata) -> Key {
    let ctime_ns = it.ctime().saturating_mul(1_000_000_000).saturating_add(it.ctime_nsec());
    Key { device: it.dev(), inode: it.ino(), ctime_ns, size_bytes: it.size() }
}

/// Reads no more than the file's size, so that one that grows cannot hold us.
fn digest(file: &mut File, size_bytes: u64) -> Option<Sha256> {
    let mut hasher = Hasher::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = size_bytes;
    while left > 0 {
        let count = file.read(&mut chunk).ok()?;
        let part = chunk.get(..count)?;
        if part.is_empty() {
            return None;
        }
        hasher.update(part);
        left = left.saturating_sub(count as u64);
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests;
