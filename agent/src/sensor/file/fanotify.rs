//! The file sensor of tier 2: fanotify with file handles, on the file systems of the watched folders.
//!
//! The kernel tells of creates, deletes, renames, write-closes and attribute changes on a whole file
//! system, each with the folder's handle, the name, and the pid, however the call was made (`io_uring`
//! included). A handle becomes a path through `open_by_handle_at(2)` and a cache that is dropped when
//! a folder moves. It asks for no permission events: it can delay nobody.
//!
//! A handle is resolved when its record is read, some milliseconds later: a file whose folder was
//! renamed in between is told under the folder's new name. File systems that are mounted under a
//! watched folder later are not seen. An open for writing cannot be told from another open; the
//! write-close tells what was written.

mod handle;
mod record;

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    event::{
        file::{Action, Identity},
        health::{self, LossCause},
    },
    text::Text,
    time::{Boottime, Clock, Timestamp},
};
use nix::sys::fanotify::{EventFFlags, InitFlags, MarkFlags, MaskFlags};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use self::{
    handle::Mounts,
    record::{Named, Record},
};
use super::Watch;
use crate::sensor::{
    Actor, Fact, FileChange, Observation, Outcome, Position, Sensor, SensorError,
    outbox::{Known, OBSERVATIONS_PER_BATCH, loss},
};

/// One read(2): some hundreds of records, each 24 bytes and its names.
const READ_BYTES: usize = 64 << 10;

/// Folders whose path is remembered (chosen: a build tree's worth; some 100 bytes each).
const FOLDERS_MAX: usize = 8_192;

/// Files of the watched folders, by fanotify.
#[derive(Debug)]
pub struct Fanotify {
    watch: Watch,
    clock: Arc<dyn Clock>,
    group: nix::sys::fanotify::Fanotify,
    mounts: Mounts,
    /// Path of a folder by its handle.
    folders: HashMap<Vec<u8>, Text>,
    buffer: Vec<u8>,
    own_pid: u32,
    read_last: Boottime,
    missing: Vec<PathBuf>,
}

impl Fanotify {
    /// Marks the file systems of the included folders that are there.
    ///
    /// # Errors
    /// [`SensorError::Forbidden`] without `CAP_SYS_ADMIN`, [`SensorError::Unsupported`] on a kernel
    /// before 5.17 or where none of the file systems gives handles.
    pub fn open(watch: Watch, clock: Arc<dyn Clock>) -> Result<Self, SensorError> {
        let flags = InitFlags::from_bits_retain(libc::FAN_REPORT_DFID_NAME_TARGET)
            | InitFlags::FAN_CLASS_NOTIF
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK;
        let group = nix::sys::fanotify::Fanotify::init(flags, EventFFlags::O_RDONLY)
            .map_err(refused_init)?;
        let mut mounts = Mounts::default();
        let mut missing = Vec::new();
        let mut refusal = None;
        for folder in &watch.include {
            if let Err(error) = mark(&group, &mut mounts, folder) {
                missing.push(folder.clone());
                // Since 5.13 any user may make a group, and mark single files; not file systems.
                refusal = Some(if error.kind() == io::ErrorKind::PermissionDenied {
                    forbidden()
                } else {
                    SensorError::Unsupported(format!("{}: {error}", folder.display()))
                });
            }
        }
        if let Some(refusal) = refusal.filter(|_| mounts.is_empty()) {
            return Err(refusal);
        }
        let read_last = clock.boottime();
        let (folders, buffer, own_pid) = (HashMap::new(), vec![0; READ_BYTES], std::process::id());
        Ok(Self { watch, clock, group, mounts, folders, buffer, own_pid, read_last, missing })
    }

    /// For people: what it covers.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("fanotify on {} file systems", self.mounts.len());
        if let Some(first) = self.missing.first() {
            let more = self.missing.len();
            text = format!("{text}; {more} folders cannot be watched, such as {}", first.display());
        }
        text
    }

    /// Reads what is there, once. Zero bytes are nothing.
    fn read(&mut self) -> Result<usize, SensorError> {
        match rustix::io::read(&self.group, self.buffer.as_mut_slice()) {
            Ok(bytes) => Ok(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(broken("read from fanotify", error)),
        }
    }

    fn take(&mut self, record: &Record<'_>, at: Boottime, into: &mut Vec<Observation>) {
        let mask = MaskFlags::from_bits_retain(record.mask);
        if mask.contains(MaskFlags::FAN_Q_OVERFLOW) {
            let known = Known { count: 0, is_exact: false, from: self.read_last, until: at };
            into.push(loss(health::Sensor::File, LossCause::KernelBuffer, known, Position::NONE));
            return;
        }
        if record.pid == self.own_pid {
            return;
        }
        let is_directory = mask.contains(MaskFlags::FAN_ONDIR);
        let before = record.old.map_or(Text::EMPTY, |it| self.path(&it));
        let path = match record.new.or(record.parent) {
            Some(named) => self.path(&named),
            None => return,
        };
        // A folder that moved or went takes the remembered paths below it along.
        if is_directory && mask.intersects(MaskFlags::FAN_RENAME | MaskFlags::FAN_DELETE) {
            self.folders.clear();
        }
        if !self.watch.covers(path.as_bytes()) && !self.watch.covers(before.as_bytes()) {
            return;
        }
        // The kernel merges what follows closely on one file: one record can say several things.
        for (bit, action) in ACTIONS {
            if !mask.contains(bit) {
                continue;
            }
            let file = if action == Action::Delete {
                None
            } else {
                identity(Path::new(OsStr::from_bytes(path.as_bytes())))
            };
            let fact = Fact::FileChange(Box::new(FileChange {
                action,
                actor: self.actor(record.pid),
                path: path.clone(),
                path_before: before.clone(),
                file,
                is_directory,
                count: 1,
            }));
            into.push(Observation { at, source: Position::NONE, fact });
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a part of taking a record in")]
    fn actor(&self, pid: u32) -> Option<Actor> {
        // Pid 0 is a process that our namespace does not show.
        (pid != 0).then_some(Actor { pid, start_ticks: None, comm: Text::EMPTY })
    }

    /// Absolute path of a name in a folder; the bare name when the folder is gone.
    fn path(&mut self, named: &Named<'_>) -> Text {
        let folder = match self.folders.get(named.key) {
            Some(folder) => folder.clone(),
            None => {
                let folder = self.mounts.path(named).unwrap_or(Text::EMPTY);
                if self.folders.len() >= FOLDERS_MAX {
                    self.folders.clear();
                }
                self.folders.insert(named.key.to_vec(), folder.clone());
                folder
            }
        };
        // `.` is the folder itself.
        if named.name.is_empty() || named.name == b"." {
            return folder;
        }
        let folder = folder.as_bytes().strip_suffix(b"/").unwrap_or(folder.as_bytes());
        Text::from([folder, b"/", named.name].concat())
    }
}

/// What a record's bits mean, in the order in which they can have happened.
const ACTIONS: [(MaskFlags, Action); 5] = [
    (MaskFlags::FAN_CREATE, Action::Create),
    (MaskFlags::FAN_ATTRIB, Action::Attributes),
    (MaskFlags::FAN_CLOSE_WRITE, Action::WriteClose),
    (MaskFlags::FAN_RENAME, Action::Rename),
    (MaskFlags::FAN_DELETE, Action::Delete),
];

/// Marks the file system of `folder`, unless it is marked already.
fn mark(
    group: &nix::sys::fanotify::Fanotify,
    mounts: &mut Mounts,
    folder: &Path,
) -> Result<(), io::Error> {
    if !mounts.add(folder)? {
        return Ok(());
    }
    let mask = ACTIONS.iter().fold(MaskFlags::FAN_ONDIR, |mask, (bit, _)| mask | *bit);
    let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
    let marked = group.mark(flags, mask, rustix::fs::CWD, Some(folder));
    marked.map_err(|errno| {
        mounts.remove_last();
        io::Error::from_raw_os_error(errno as i32)
    })
}

fn forbidden() -> SensorError {
    SensorError::Forbidden("fanotify needs CAP_SYS_ADMIN: run as root".to_owned())
}

fn refused_init(errno: nix::errno::Errno) -> SensorError {
    if errno == nix::errno::Errno::EPERM {
        return forbidden();
    }
    let reason = if errno == nix::errno::Errno::EINVAL {
        "this kernel's fanotify does not tell names and targets (before 5.17)".to_owned()
    } else {
        format!("fanotify: {errno}")
    };
    SensorError::Unsupported(reason)
}

fn broken(doing: &'static str, errno: Errno) -> SensorError {
    SensorError::Broken { doing, source: errno.into() }
}

/// What the file at `path` is now, without following a link; nothing when it is gone.
#[must_use]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let it = std::fs::symlink_metadata(path).ok()?;
    let time = |seconds: i64, ns: i64| {
        Timestamp::from_ns(seconds.saturating_mul(1_000_000_000).saturating_add(ns))
    };
    Some(Identity {
        device: it.dev(),
        inode: it.ino(),
        ctime: time(it.ctime(), it.ctime_nsec()),
        mtime: time(it.mtime(), it.mtime_nsec()),
        size_bytes: it.size(),
        mode: it.mode(),
        owner_uid: it.uid(),
        owner_gid: it.gid(),
        links: u32::try_from(it.nlink()).unwrap_or(u32::MAX),
    })
}

impl Sensor for Fanotify {
    fn kind(&self) -> health::Sensor {
        health::Sensor::File
    }

    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        let mut fds = [PollFd::new(&self.group, PollFlags::IN)];
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(error) => return Err(broken("wait for fanotify", error)),
        }
        let before = into.len();
        while into.len() - before < OBSERVATIONS_PER_BATCH {
            let bytes = self.read()?;
            if bytes == 0 {
                break;
            }
            let at = self.clock.boottime();
            let buffer = std::mem::take(&mut self.buffer);
            let mut rest = buffer.get(..bytes).unwrap_or_default();
            while !rest.is_empty() {
                match record::decode(rest) {
                    Ok((record, after)) => {
                        self.take(&record, at, into);
                        rest = after;
                    }
                    Err(_) => {
                        let from = self.read_last;
                        let known = Known { count: 1, is_exact: false, from, until: at };
                        let cause = LossCause::BadRecord;
                        into.push(loss(health::Sensor::File, cause, known, Position::NONE));
                        break;
                    }
                }
            }
            self.buffer = buffer;
            self.read_last = at;
        }
        Ok(if into.len() > before { Outcome::Data } else { Outcome::Nothing })
    }
}

#[cfg(test)]
pub(super) mod tests;
