//! A disk that leaves the reserve alone.
//!
//! Beside the road: what journal and lake ask of the kernel's file system, unless the reserve is
//! given up. Reading, renaming and removing go on then; what takes room does not.

use std::{ffi::OsString, fmt, io, path::Path, sync::Arc};

use cordon_shared::seglog::{Disk, DiskFile, Mode, RealDisk};

use super::Reserve;

/// The kernel's file system without its reserve.
#[derive(Clone, Debug)]
pub struct ReservedDisk(Reserve);

impl ReservedDisk {
    /// Spares this reserve.
    #[must_use]
    pub fn new(reserve: Reserve) -> Self {
        Self(reserve)
    }
}

impl Disk for ReservedDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.seen(RealDisk.create_dir(dir))
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        RealDisk.lock(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        RealDisk.list(dir)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.seen(RealDisk.open(path, mode))?;
        Ok(Arc::new(ReservedFile { file, reserve: self.0.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.seen(RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.seen(RealDisk.sync_dir(dir))
    }
}

#[derive(Debug)]
struct ReservedFile {
    file: Arc<dyn DiskFile>,
    reserve: Reserve,
}

impl DiskFile for ReservedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.reserve.admit()?;
        self.reserve.seen(self.file.write_at(bytes, offset))
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.reserve.seen(self.file.set_bytes(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.reserve.seen(self.file.sync())
    }
}
