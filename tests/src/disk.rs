//! Small file systems of the tests' own, that fill.
//!
//! A tmpfs fills fast and forgets; an ext4 on a loop device behaves as a real disk does, its fsync
//! included. Both need root; they are mounted inside a folder of the test and unmounted with it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use rustix::process::geteuid;

use crate::child::{Launch, note};

const SOON: Duration = Duration::from_secs(60);

/// A mounted file system of a fixed size, unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
    /// Holds mount point and image; removed last.
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Why no file system can be mounted here, when none can.
    #[must_use]
    pub fn unavailable() -> Option<&'static str> {
        (!geteuid().is_root()).then_some("not root")
    }

    /// A tmpfs of `bytes`.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn tmpfs(bytes: u64) -> anyhow::Result<Self> {
        let (folder, at) = mount_point()?;
        let size = format!("size={bytes},mode=0755");
        let mount =
            Launch::new("mount", "mount").args(["-t", "tmpfs", "-o", &size, "cordon-tests"]);
        mount.args([&at]).run(SOON)?.expect_success()?;
        Ok(Self { at, _folder: folder })
    }

    /// An ext4 of `bytes` on a loop device, without room that only root may use.
    ///
    /// # Errors
    /// When it cannot be made or mounted; `mkfs.ext4` is in the package `e2fsprogs`.
    pub fn ext4(bytes: u64) -> anyhow::Result<Self> {
        let (folder, at) = mount_point()?;
        let image = folder.path().join("image");
        File::create(&image).and_then(|it| it.set_len(bytes)).context("make an image")?;
        let make =
            Launch::new("mkfs.ext4", "mkfs.ext4").args(["-q", "-F", "-m", "0"]).args([&image]);
        make.run(SOON)?.expect_success()?;
        let mount = Launch::new("mount", "mount").args(["-o", "loop"]).args([&image, &at]);
        mount.run(SOON)?.expect_success()?;
        Ok(Self { at, _folder: folder })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Bytes that a plain user may still write.
    ///
    /// # Errors
    /// When the kernel will not say.
    pub fn bytes_free(&self) -> anyhow::Result<u64> {
        let state = rustix::fs::statvfs(&self.at).context("ask after free room")?;
        Ok(state.f_bavail * state.f_frsize)
    }

    /// Writes a file until there is no room left, `bytes_kept` excepted; returns its path.
    ///
    /// # Errors
    /// When writing fails for another reason than a full disk.
    pub fn fill(&self, bytes_kept: u64) -> anyhow::Result<PathBuf> {
        let path = self.at.join("ballast");
        let mut file = File::create(&path).context("make ballast")?;
        let block = [0_u8; 4_096];
        while self.bytes_free()? > bytes_kept {
            match file.write_all(&block).and_then(|()| file.flush()) {
                Ok(()) => (),
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error).context("write ballast"),
            }
        }
        // Delayed allocation: what does not fit may only show now.
        match file.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => {
                Err(error).context("sync ballast")
            }
            Ok(()) | Err(_) => Ok(path),
        }
    }

    /// Removes the ballast.
    ///
    /// # Errors
    /// When there is none.
    pub fn relieve(&self) -> anyhow::Result<()> {
        fs::remove_file(self.at.join("ballast")).context("remove ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have a file open.
        let umount = Launch::new("umount", "umount").args(["-l"]).args([&self.at]);
        if let Err(error) = umount.run(SOON).and_then(crate::child::Output::expect_success) {
            note(&format!("cannot unmount `{}`: {error:#}", self.at.display()));
        }
    }
}

fn mount_point() -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().context("make a folder for a disk")?;
    let at = folder.path().join("disk");
    fs::create_dir(&at).context("make a mount point")?;
    Ok((folder, at))
}

#[cfg(test)]
mod privileged {
    use std::fs;

    use super::Disk;
    use crate::child::degraded;

    #[track_caller]
    fn check(disk: &Disk) {
        disk.fill(0).unwrap();
        let error = fs::File::create(disk.path().join("more"))
            .and_then(|mut it| std::io::Write::write_all(&mut it, &[1; 65_536]))
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        disk.relieve().unwrap();
        assert!(disk.bytes_free().unwrap() > 65_536);
    }

    #[test]
    fn a_tmpfs_fills_and_is_relieved() {
        if let Some(why) = Disk::unavailable() {
            return degraded("a full tmpfs is not shown", why);
        }
        check(&Disk::tmpfs(4 << 20).unwrap());
    }

    #[test]
    fn an_ext4_fills_and_is_relieved() {
        if let Some(why) = Disk::unavailable() {
            return degraded("a full ext4 is not shown", why);
        }
        let disk = Disk::ext4(16 << 20).unwrap();
        check(&disk);
        let at = disk.path().to_path_buf();
        drop(disk);
        assert!(!at.try_exists().unwrap());
    }
}
