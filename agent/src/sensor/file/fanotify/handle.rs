//! From a folder's handle to its path.
//!
//! The kernel opens a handle on a file system that we hold a descriptor of; `/proc/self/fd` then
//! tells the path, as seen from where that descriptor was opened. One file system can be mounted at
//! several places, each showing a part of it, so the path is taken from a place that leads back to the
//! folder. Needs `CAP_DAC_READ_SEARCH`, which whoever may mark a file system has.
#![expect(unsafe_code, reason = "open_by_handle_at(2) has no safe wrapper in the crates we use")]

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use cordon_shared::text::Text;
use rustix::fs::{Mode, OFlags};

use super::record::Named;

/// `MAX_HANDLE_SZ` of `name_to_handle_at(2)`.
const HANDLE_BYTES_MAX: usize = 128;

/// The marked file systems: their id, and a descriptor of each watched folder on them.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<([u8; 8], OwnedFd)>);

impl Mounts {
    /// Takes in the file system of `folder`; says whether it is a new one.
    pub(super) fn add(&mut self, folder: &Path) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(folder, flags, Mode::empty())?;
        let fsid = file_system(&fd)?;
        let is_new = !self.0.iter().any(|(known, _)| *known == fsid);
        self.0.push((fsid, fd));
        Ok(is_new)
    }

    /// Takes back what was added last: the kernel refused to mark it.
    pub(super) fn remove_last(&mut self) {
        self.0.pop();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many file systems they are.
    pub(super) fn len(&self) -> usize {
        let ids: BTreeSet<_> = self.0.iter().map(|(fsid, _)| fsid).collect();
        ids.len()
    }

    /// Path of the folder that `named` is in; nothing when it is gone, or lies on a file system that
    /// we did not mark.
    pub(super) fn path(&self, named: &Named<'_>) -> Option<Text> {
        let mut mounts = self.0.iter().filter(|(fsid, _)| *fsid == named.fsid);
        mounts.find_map(|(_, mount)| {
            let folder = open(mount, named.handle_type, named.handle).ok()?;
            let path = fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd())).ok()?;
            let is_seen = leads_to(&path, &folder);
            is_seen.then(|| Text::from(OsStr::as_bytes(path.as_os_str())))
        })
    }
}

/// Whether a path is that of the folder, and not of what another mount shows in its place.
fn leads_to(path: &Path, folder: &OwnedFd) -> bool {
    let (Ok(there), Ok(meant)) = (rustix::fs::stat(path), rustix::fs::fstat(folder)) else {
        return false;
    };
    (there.st_dev, there.st_ino) == (meant.st_dev, meant.st_ino)
}

/// The id that fanotify's records carry: `f_fsid` of statfs(2).
fn file_system(fd: &OwnedFd) -> io::Result<[u8; 8]> {
    let id = nix::sys::statfs::fstatfs(fd)?.filesystem_id();
    let mut bytes = [0; 8];
    // SAFETY: `fsid_t` is two C ints, 8 bytes without padding, on every Linux (statfs(2)); any
    // bytes are a valid `[u8; 8]`.
    let raw: [u8; 8] = unsafe { std::mem::transmute(id) };
    bytes.copy_from_slice(&raw);
    Ok(bytes)
}

fn open(mount: &OwnedFd, handle_type: i32, handle: &[u8]) -> io::Result<OwnedFd> {
    /// `struct file_handle` of `name_to_handle_at(2)`, with room for the longest handle.
    #[repr(C)]
    struct FileHandle {
        handle_bytes: u32,
        handle_type: i32,
        f_handle: [u8; HANDLE_BYTES_MAX],
    }
    let mut it = FileHandle { handle_bytes: 0, handle_type, f_handle: [0; HANDLE_BYTES_MAX] };
    let room = it.f_handle.get_mut(..handle.len()).ok_or(io::ErrorKind::InvalidInput)?;
    room.copy_from_slice(handle);
    it.handle_bytes = u32::try_from(handle.len()).map_err(|_error| io::ErrorKind::InvalidInput)?;
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: `it` is a `struct file_handle` whose `handle_bytes` is within its array, alive and
    // unshared for the call; the kernel only reads it. match-proto: fs/fhandle.c:
    // SYSCALL_DEFINE3(open_by_handle_at, int, mountdirfd, struct file_handle *, handle, int, flags)
    let fd = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            std::ptr::from_mut(&mut it),
            flags,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(|_error| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
