//! Cgroup ids to paths.
//!
//! In: the id of a record, and the pid that it came with. Out: the path under the v2 root, when it
//! can still be learnt. An id is never reused in one boot, so what was learnt stays true until the
//! cgroup is renamed, which nobody does.
//!
//! The id is the inode of the cgroup's folder. The process's own `/proc/PID/cgroup` is asked first;
//! when it is gone, or moved, the whole tree is read, at most once a second.

use std::{
    collections::HashMap,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirEntryExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{text::Text, time::Boottime};

use crate::sensor::scope;

/// Paths that are remembered; then all are forgotten (chosen: a host with so many cgroups alive has
/// the memory).
const KNOWN_MAX: usize = 8_192;

/// Folders that one reading of the tree looks at.
const FOLDERS_MAX: usize = 16_384;

/// Between two readings of the tree.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// The paths that are known.
#[derive(Debug)]
pub struct Cgroups {
    root: Option<PathBuf>,
    known: HashMap<u64, Text>,
    scanned: Option<Boottime>,
}

impl Cgroups {
    /// Of the hierarchy that is mounted now; without one, no path is ever known.
    #[must_use]
    pub fn open() -> Self {
        let root = scope::v2_root(Path::new("/proc")).ok();
        Self { root, known: HashMap::new(), scanned: None }
    }

    /// The path of the cgroup `id`, in which the process `pid` was at `now`; empty when it cannot be
    /// learnt.
    pub fn path(&mut self, id: u64, pid: u32, now: Boottime) -> Text {
        if let Some(path) = self.known.get(&id) {
            return path.clone();
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        if let Some(path) = self.of_process(id, pid) {
            self.known.insert(id, path.clone());
            return path;
        }
        if self.scanned.is_none_or(|it| now.since(it) >= SCAN_EVERY) {
            self.scanned = Some(now);
            self.scan();
        }
        // An id that is not in the tree is gone, and the next record may carry it again.
        self.known.get(&id).cloned().unwrap_or_default()
    }

    /// What `/proc/PID/cgroup` says, if that is the cgroup `id`.
    fn of_process(&self, id: u64, pid: u32) -> Option<Text> {
        let root = self.root.as_ref()?;
        let text = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.split(|it| *it == b'\n').find_map(|it| it.strip_prefix(b"0::"))?;
        let beneath = path.strip_prefix(b"/")?;
        let folder = root.join(Path::new(std::ffi::OsStr::from_bytes(beneath)));
        let found = fs::metadata(folder).ok()?;
        (found.ino() == id).then(|| Text::from(path))
    }

    fn scan(&mut self) {
        let Some(root) = &self.root else { return };
        if let Ok(found) = fs::metadata(root) {
            self.known.insert(found.ino(), Text::from_static("/"));
        }
        let mut waiting = vec![root.clone()];
        let mut left = FOLDERS_MAX;
        while let Some(folder) = waiting.pop() {
            // A folder that went meanwhile has no children.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if left == 0 || self.known.len() >= KNOWN_MAX {
                    return;
                }
                if !entry.file_type().is_ok_and(|it| it.is_dir()) {
                    continue;
                }
                left -= 1;
                let path = entry.path();
                if let Ok(beneath) = path.strip_prefix(root) {
                    let shown = [b"/", beneath.as_os_str().as_bytes()].concat();
                    self.known.insert(entry.ino(), Text::from(shown));
                }
                waiting.push(path);
            }
        }
    }
}
