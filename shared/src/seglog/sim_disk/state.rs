//! What a [`super::SimDisk`] holds: files as they read and as they would survive, names likewise.
//!
//! Beside the road, for tests. A change is applied to what reads see at once, and to what survives
//! when it is synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{Errno, Fault, Op};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: Vec<Inode>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) names_durable: BTreeMap<PathBuf, usize>,
    /// Changes of names since their directory was synced.
    pub(super) names_pending: Vec<(PathBuf, Option<usize>)>,
    pub(super) dirs: BTreeSet<PathBuf>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) faults: Vec<Fault>,
    pub(super) bytes_max: Option<usize>,
    pub(super) spoiled: Vec<(PathBuf, Range<u64>)>,
    pub(super) ops: u64,
}

#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) path: PathBuf,
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetBytes(usize),
}

impl State {
    /// Counts an operation and fails it when its time has come.
    pub(super) fn enter(&mut self, op: Op) -> io::Result<()> {
        self.ops += 1;
        let mut failed = None;
        for fault in self.faults.iter_mut().filter(|it| it.op.is_none_or(|of| of == op)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                failed = failed.or(Some(fault.errno));
            }
        }
        failed.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno.number())))
    }

    pub(super) fn named(&mut self, path: &Path) -> Option<&mut Inode> {
        let inode = *self.names.get(path)?;
        self.files.get_mut(inode)
    }

    pub(super) fn rename(&mut self, path: PathBuf, inode: Option<usize>) {
        apply_name(&mut self.names, path.clone(), inode);
        self.names_pending.push((path, inode));
    }
}

impl Inode {
    pub(super) fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.now);
        self.pending.push(change);
    }

    /// Keeps some of what was not synced: in order up to a byte, or any of it in any order.
    pub(super) fn lose(&mut self, pick: &mut impl FnMut() -> u64) {
        let pending = std::mem::take(&mut self.pending);
        if pick().is_multiple_of(2) {
            let kept = choose(pick(), pending.len() + 1);
            for (at, mut change) in pending.into_iter().take(kept).enumerate() {
                if let Change::Write { bytes, .. } = &mut change
                    && at + 1 == kept
                {
                    bytes.truncate(choose(pick(), bytes.len() + 1));
                }
                change.apply(&mut self.durable);
            }
        } else {
            for change in pending {
                if pick().is_multiple_of(2) {
                    change.apply(&mut self.durable);
                }
            }
        }
        self.now = self.durable.clone();
    }
}

impl Change {
    pub(super) fn apply(self, to: &mut Vec<u8>) {
        match self {
            Self::SetBytes(bytes) => to.resize(bytes, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[at..end].copy_from_slice(&bytes);
            }
        }
    }
}

impl Errno {
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Io => rustix::io::Errno::IO.raw_os_error(),
            Self::NoSpace => rustix::io::Errno::NOSPC.raw_os_error(),
        }
    }
}

pub(super) fn apply_name(
    names: &mut BTreeMap<PathBuf, usize>,
    path: PathBuf,
    inode: Option<usize>,
) {
    match inode {
        Some(inode) => names.insert(path, inode),
        None => names.remove(&path),
    };
}

/// A number below `bound`.
pub(super) fn choose(random: u64, bound: usize) -> usize {
    usize::try_from(random % bound as u64).unwrap_or(0)
}
