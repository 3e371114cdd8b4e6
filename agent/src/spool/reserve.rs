//! Room on the disk that is kept back for opening the spool (F-6).
//!
//! What was written and not synced before `kill -9` is written once more at open, beside the old, and
//! on a full disk there would be no room for it. So a file of zeros lies there, made while there was
//! room, and is given up in that moment; it is made again when there is room again.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cordon_shared::seglog::{Disk, Mode};

/// The file's name.
const NAME: &str = "reserve";

/// Its size, at most (chosen: a second of a very busy host, which is how often the spool is synced).
const BYTES_MAX: u64 = 2 << 20;

/// The file.
#[derive(Debug)]
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: usize,
    is_there: bool,
}

impl Reserve {
    /// Finds it in the spool's folder.
    pub(super) fn find(disk: Arc<dyn Disk>, folder: &Path, spool_bytes_max: u64) -> Self {
        let path = folder.join(NAME);
        let bytes = usize::try_from((spool_bytes_max / 16).min(BYTES_MAX)).unwrap_or_default();
        let there = disk.open(&path, Mode::Existing).and_then(|it| it.bytes());
        let is_there = there.is_ok_and(|it| it >= bytes as u64);
        Self { disk, path, bytes, is_there }
    }

    /// Gives its room away; says whether there was any.
    pub(super) fn give(&mut self) -> bool {
        std::mem::take(&mut self.is_there) && self.disk.remove(&self.path).is_ok()
    }

    /// Takes its room, unless it has it. A disk without room is asked again with the next call.
    pub(super) fn restore(&mut self) {
        if self.is_there {
            return;
        }
        let made = self.disk.open(&self.path, Mode::Emptied).and_then(|file| {
            file.write_at(&vec![0; self.bytes], 0)?;
            file.sync()
        });
        self.is_there = made.is_ok();
        if made.is_err() {
            drop(self.disk.remove(&self.path));
        }
    }
}
