//! Paths and descriptors: a folder and a name in it, and a regular file that is held open.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Seek as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use cordon_shared::{
    command::scope::FileIs,
    digest::{Hasher, Sha256},
    text::Text,
};
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat2, statat,
    },
    io::Errno,
};

use crate::containment::files::{FILE_BYTES_MAX, FilesError};

/// Bytes read at one time.
const CHUNK_BYTES: usize = 64 << 10;

/// File systems on which nothing is a file: linux/magic.h, `proc`, `sysfs`, `cgroup`, `cgroup2`,
/// `debugfs`, `tracefs`, `bpf`, `securityfs`, `devpts`, `mqueue`, `selinuxfs`.
const KERNEL: [u32; 11] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0xcafe_4a11,
    0x7363_6673,
    0x1cd1,
    0x1980_0202,
    0xf97c_ff8c,
];

/// A failed deed, with what was being done.
pub(super) fn failed<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> FilesError {
    move |source| FilesError::Failed { doing, source: source.into() }
}

pub(super) fn differs<T>(why: impl Into<String>) -> Result<T, FilesError> {
    Err(FilesError::Differs(why.into()))
}

/// What lies at a path.
#[derive(Debug)]
pub(super) enum Opened {
    Nothing,
    File(Held),
    Folder,
    Link,
    Special,
    /// On a file system of the kernel's.
    Kernel,
}

/// A regular file, held open for reading.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) file: File,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size_bytes: u64,
    pub(super) names: u64,
}

fn open_at(path: &Text, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path.as_bytes(), flags, Mode::empty(), resolve)
}

/// Opens what lies at a path. A device or a pipe is seen without being opened for reading.
pub(super) fn open(path: &Text) -> Result<Opened, FilesError> {
    let doing = "open the file";
    let seen = match open_at(path, OFlags::PATH) {
        Ok(seen) => seen,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Opened::Nothing),
        Err(Errno::LOOP) => return Ok(Opened::Link),
        Err(error) => return Err(failed(doing)(error)),
    };
    let stat = fstat(&seen).map_err(failed(doing))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => (),
        FileType::Directory => return Ok(Opened::Folder),
        FileType::Symlink => return Ok(Opened::Link),
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => return Ok(Opened::Special),
    }
    let system = fstatfs(&seen).map_err(failed(doing))?;
    if u32::try_from(system.f_type).is_ok_and(|it| KERNEL.contains(&it)) {
        return Ok(Opened::Kernel);
    }
    // Not blocking: should it be a pipe by now, that is told from the second look.
    let read = match open_at(path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(read) => read,
        Err(Errno::NOENT) => return Ok(Opened::Nothing),
        Err(Errno::LOOP) => return Ok(Opened::Link),
        Err(error) => return Err(failed(doing)(error)),
    };
    let held = hold(read)?;
    if (held.device, held.inode) != (stat.st_dev, stat.st_ino) {
        return differs(format!("{path} changes while it is opened"));
    }
    Ok(Opened::File(held))
}

/// Takes a descriptor of a regular file.
pub(super) fn hold(fd: OwnedFd) -> Result<Held, FilesError> {
    let file = File::from(fd);
    let met = file.metadata().map_err(failed("look at the file"))?;
    if !met.is_file() {
        return differs("it is no regular file");
    }
    let (device, inode) = (met.dev(), met.ino());
    Ok(Held { file, device, inode, size_bytes: met.len(), names: met.nlink() })
}

/// Opens this file and no other: device, inode and digest are those that were meant.
pub(super) fn held(meant: &FileIs) -> Result<Held, FilesError> {
    let path = &meant.path;
    let Opened::File(held) = open(path)? else {
        return differs(format!("{path} is not the file that was meant"));
    };
    if (held.device, held.inode) != (meant.device, meant.inode) {
        return differs(format!("{path} is another file by now"));
    }
    if held.digest()? != meant.sha256 {
        return differs(format!("{path} has other contents by now"));
    }
    Ok(held)
}

impl Held {
    /// Its digest; of at most [`FILE_BYTES_MAX`] bytes.
    pub(super) fn digest(&self) -> Result<Sha256, FilesError> {
        let mut hasher = Hasher::default();
        self.each(FILE_BYTES_MAX, |chunk| {
            hasher.update(chunk);
            Ok(())
        })?;
        Ok(hasher.finish())
    }

    /// Its contents.
    pub(super) fn read(&self, bytes_max: u64) -> Result<Vec<u8>, FilesError> {
        let mut bytes = Vec::new();
        self.each(bytes_max, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Hands out its contents from the beginning, in pieces.
    pub(super) fn each(
        &self,
        bytes_max: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), FilesError> {
        let doing = "read the file";
        let mut file = &self.file;
        file.rewind().map_err(failed(doing))?;
        let (mut chunk, mut left) = (vec![0; CHUNK_BYTES], bytes_max);
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    let Some(rest) = left.checked_sub(count as u64) else {
                        return Err(failed(doing)(io::Error::from(ErrorKind::FileTooLarge)));
                    };
                    left = rest;
                    let bytes = chunk.get(..count).unwrap_or_default();
                    take(bytes).map_err(failed(doing))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(failed(doing)(error)),
            }
        }
    }
}

/// A folder that is held open, and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: Vec<u8>,
}

impl Place {
    /// The folder of a path, opened without following a link.
    pub(super) fn of(path: &Text) -> Result<Self, FilesError> {
        let bytes = path.as_bytes();
        let at = bytes.iter().rposition(|it| *it == b'/').unwrap_or_default();
        let (folder, name) = bytes.split_at_checked(at).unwrap_or_default();
        let folder = if folder.is_empty() { Text::from("/") } else { Text::from(folder) };
        let name = name.get(1..).unwrap_or_default().to_vec();
        let folder = match open_at(&folder, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => folder,
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => {
                return differs(format!("the folder of {path} is not what it was"));
            }
            Err(error) => return Err(failed("open the folder of the file")(error)),
        };
        Ok(Self { folder, name })
    }

    /// What the name is in this folder, of whatever kind; a link is not followed.
    pub(super) fn stat(&self, name: &[u8]) -> Result<Option<Stat>, FilesError> {
        match statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed("look at the file")(error)),
        }
    }

    /// Opens a regular file of this folder for reading.
    pub(super) fn open(&self, name: &[u8]) -> Result<Held, FilesError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(self.folder.as_fd(), name, flags, Mode::empty());
        match opened {
            Ok(opened) => hold(opened),
            Err(Errno::LOOP | Errno::NOENT) => differs("it is not the file that was meant"),
            Err(error) => Err(failed("open the file")(error)),
        }
    }

    /// Makes what was done to names in this folder durable.
    pub(super) fn sync(&self) -> Result<(), FilesError> {
        rustix::fs::fsync(&self.folder).map_err(failed("make a folder durable"))
    }
}

/// Where a link points; nothing when there is none.
pub(super) fn target(path: &Text) -> Result<Option<Text>, FilesError> {
    let place = match Place::of(path) {
        Ok(place) => place,
        Err(FilesError::Differs(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    match rustix::fs::readlinkat(&place.folder, place.name.as_slice(), Vec::new()) {
        Ok(target) => Ok(Some(Text::from(target.into_bytes()))),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::INVAL) => differs(format!("{path} is no link")),
        Err(error) => Err(failed("read a link")(error)),
    }
}
