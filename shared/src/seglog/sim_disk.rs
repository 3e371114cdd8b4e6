//! A disk in memory that fails as disks do: for tests.
//!
//! Beside the road: the model test, and whoever builds on the log, put it in the place of
//! [`super::RealDisk`]. What was written and not synced is lost by [`SimDisk::power_loss`], torn at
//! any byte or in any order; names that were not synced with their directory vanish or come back.
//! A sync that fails forgets what it should have written while reads still show it, as Linux does
//! (F-8): a second sync says yes and keeps nothing. `kill -9` needs no call: drop the writer.
//!
//! It is never more faithful than POSIX promises: a file's sync makes no name durable.

mod state;

use std::{
    ffi::OsString,
    fmt::Debug,
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::state::{Change, Inode, State, apply_name, choose};
use super::disk::{Disk, DiskFile, Mode};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`Disk::list`]
    List,
    /// [`Disk::open`]
    Open,
    /// [`DiskFile::read_at`]
    Read,
    /// [`DiskFile::write_at`]; half of the bytes are written all the same
    Write,
    /// [`DiskFile::set_bytes`]
    SetBytes,
    /// [`DiskFile::sync`]
    Sync,
    /// [`Disk::sync_dir`]
    SyncDir,
    /// [`Disk::rename`]
    Rename,
    /// [`Disk::remove`]
    Remove,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// The disk refuses.
    Io,
    /// The disk is full.
    NoSpace,
}

/// A failure to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which operations it counts; all when `None`.
    pub op: Option<Op>,
    /// How many of them still succeed.
    pub skip: u64,
    /// How many then fail.
    pub times: u64,
    /// How.
    pub errno: Errno,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    inode: usize,
}

#[derive(Debug)]
struct SimLock {
    state: Arc<Mutex<State>>,
    dir: PathBuf,
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes operations fail, counted from now on.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets all failures to come, bad blocks and the bound on the size.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.spoiled.clear();
        state.bytes_max = None;
    }

    /// Lets all files together have no more than this; `None` for no bound.
    pub fn set_bytes_max(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    /// Operations so far.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// Takes the power away: of what was not synced, some stays, as `pick` says (a source of
    /// random numbers). Open files must be dropped before.
    pub fn power_loss(&self, mut pick: impl FnMut() -> u64) {
        let mut state = self.state();
        let kept = choose(pick(), state.names_pending.len() + 1);
        let pending = std::mem::take(&mut state.names_pending);
        for (path, inode) in pending.into_iter().take(kept) {
            apply_name(&mut state.names_durable, path, inode);
        }
        state.names = state.names_durable.clone();
        for file in &mut state.files {
            file.lose(&mut pick);
        }
    }

    /// Flips one bit of a file; both numbers are taken modulo what there is.
    pub fn flip(&self, path: &Path, byte: usize, bit: u32) {
        let mut state = self.state();
        let Some(file) = state.named(path) else { return };
        if file.now.is_empty() {
            return;
        }
        let (at, mask) = (byte % file.now.len(), 1_u8 << (bit % 8));
        let pending = file.pending.iter_mut().filter_map(|change| match change {
            Change::Write { at: start, bytes } => bytes.get_mut(at.checked_sub(*start)?),
            Change::SetBytes(_) => None,
        });
        let places = [file.now.get_mut(at), file.durable.get_mut(at)].into_iter().flatten();
        places.chain(pending).for_each(|place| *place ^= mask);
    }

    /// Makes reads of this part of a file fail from now on.
    pub fn spoil(&self, path: &Path, bytes: Range<u64>) {
        self.state().spoiled.push((path.to_owned(), bytes));
    }

    /// Puts a file there, durable.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let (now, durable) = (bytes.to_vec(), bytes.to_vec());
        let file = Inode { path: path.to_owned(), now, durable, pending: Vec::new() };
        let inode = state.files.len();
        state.files.push(file);
        state.names.insert(path.to_owned(), inode);
        state.names_durable.insert(path.to_owned(), inode);
    }

    /// Takes a file away, durably.
    pub fn delete(&self, path: &Path) {
        let mut state = self.state();
        state.names.remove(path);
        state.names_durable.remove(path);
        state.names_pending.retain(|(pending, _)| pending != path);
    }

    /// A file's bytes, as a read would give them.
    #[must_use]
    pub fn bytes_of(&self, path: &Path) -> Option<Vec<u8>> {
        self.state().named(path).map(|file| file.now.clone())
    }

    /// All files, by name.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.state().dirs.insert(dir.to_owned());
        Ok(())
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        if !self.state().locks.insert(dir.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { state: Arc::clone(&self.state), dir: dir.to_owned() }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.state();
        state.enter(Op::List)?;
        let all = state.names.keys().chain(&state.dirs);
        let inside = all.filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.enter(Op::Open)?;
        let found = state.names.get(path).copied();
        let inode = match (found, mode) {
            (Some(inode), Mode::Existing) => inode,
            (None, Mode::Existing) => return Err(ErrorKind::NotFound.into()),
            (Some(_), Mode::New) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(inode), Mode::Emptied) => {
                state.files[inode].change(Change::SetBytes(0));
                inode
            }
            (None, Mode::New | Mode::Emptied) => {
                let inode = state.files.len();
                state.files.push(Inode { path: path.to_owned(), ..Inode::default() });
                state.rename(path.to_owned(), Some(inode));
                inode
            }
        };
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter(Op::Rename)?;
        let inode = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        state.files[inode].path = to.to_owned();
        // One step on a journaling file system, so that a loss of power has both or neither;
        // recorded as two, the new name first, which is harder.
        state.rename(to.to_owned(), Some(inode));
        state.rename(from.to_owned(), None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter(Op::Remove)?;
        state.names.get(path).ok_or(ErrorKind::NotFound)?;
        state.rename(path.to_owned(), None);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        let entered = state.enter(Op::SyncDir);
        let pending = std::mem::take(&mut state.names_pending);
        for (path, inode) in pending {
            if path.parent() != Some(dir) {
                state.names_pending.push((path, inode));
            } else if entered.is_ok() {
                apply_name(&mut state.names_durable, path, inode);
            }
        }
        entered
    }
}

impl DiskFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.state).files[self.inode].now.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = lock(&self.state);
        state.enter(Op::Read)?;
        let end = offset + into.len() as u64;
        let file = &state.files[self.inode];
        let mut spoiled = state.spoiled.iter().filter(|(path, _)| *path == file.path);
        if spoiled.any(|(_, bytes)| bytes.start < end && offset < bytes.end) {
            return Err(io::Error::from_raw_os_error(Errno::Io.number()));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.now.len());
        let there = &file.now[start..];
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let entered = state.enter(Op::Write);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let written = match (&entered, state.bytes_max) {
            (Err(_), _) => bytes.len() / 2,
            (Ok(()), None) => bytes.len(),
            (Ok(()), Some(bytes_max)) => {
                let used: usize = state.names.values().map(|it| state.files[*it].now.len()).sum();
                let inside = state.files[self.inode].now.len().saturating_sub(at);
                bytes.len().min(inside + bytes_max.saturating_sub(used))
            }
        };
        let part = bytes[..written].to_vec();
        state.files[self.inode].change(Change::Write { at, bytes: part });
        entered?;
        if written < bytes.len() {
            return Err(io::Error::from_raw_os_error(Errno::NoSpace.number()));
        }
        Ok(())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.enter(Op::SetBytes)?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        state.files[self.inode].change(Change::SetBytes(bytes));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        let entered = state.enter(Op::Sync);
        let file = &mut state.files[self.inode];
        let pending = std::mem::take(&mut file.pending);
        entered?;
        pending.into_iter().for_each(|change| change.apply(&mut file.durable));
        Ok(())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        lock(&self.state).locks.remove(&self.dir);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
