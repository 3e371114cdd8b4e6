//! Room on the disk that only the state database may use, so that a full disk stops the facts and
//! not the answer (F-7).
//!
//! Beside the road: journal and lake write through [`ReservedDisk`]; when one of them meets a full
//! disk, or [`Reserve::keep`] sees little room, the reserve is given up. Detections, incidents and
//! commands then still find room, while journal and lake wait, whatever they tried: what waits is
//! not acknowledged. They go on once there is room for the reserve again, and for as much beside it.
//!
//! It never decides what waits, and never deletes anything but its own file.

mod disk;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::disk::ReservedDisk;
use crate::metric::Level;

/// The reserve is this part of the file system (chosen: little enough to be missed by nobody)...
const PART: u64 = 32;

/// ... within these bytes (chosen: room for a hundred detections; room for a day of them).
const BYTES_MIN: u64 = 1 << 20;
const BYTES_MAX: u64 = 64 << 20;

/// How often the room is looked at: recovery is seen well within 5 s (F-7).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The reserve of one file system. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reserve(Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    bytes: u64,
    /// Read on every write of the journal; changed under the lock.
    is_held: AtomicBool,
    changing: Mutex<()>,
}

/// What is to be done about the reserve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Stay,
    Give,
    Take,
}

/// How many bytes are reserved of a file system of `total`.
fn share(total: u64) -> u64 {
    (total / PART).clamp(BYTES_MIN, BYTES_MAX)
}

/// What to do when `free` bytes are free: it is given up before the last of them are gone, and taken
/// back when as many stay free beside it.
fn step(is_held: bool, free: u64, bytes: u64) -> Step {
    match is_held {
        true if free < bytes / 4 => Step::Give,
        false if free >= bytes.saturating_mul(2) => Step::Take,
        true | false => Step::Stay,
    }
}

impl Reserve {
    /// Sets room aside in the file system of `folder`, as far as there is some.
    ///
    /// # Errors
    /// What the system says when it cannot be asked after its room.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let state = statvfs(folder)?;
        let bytes = share(state.f_blocks.saturating_mul(state.f_frsize));
        let path = folder.join("reserve");
        // An earlier run may have set it aside.
        let is_held = path.metadata().is_ok_and(|it| it.len() == bytes);
        let is_held = AtomicBool::new(is_held);
        let reserve = Self(Arc::new(Held { path, bytes, is_held, changing: Mutex::new(()) }));
        reserve.look();
        if !reserve.is_held() {
            warn!(bytes, "the disk has no room for the reserve of the state: nothing is stored");
        }
        Ok(reserve)
    }

    /// Whether there is room for more than the state.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.is_held.load(Ordering::Acquire)
    }

    /// Refuses what is not the state's while the reserve is given up.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`].
    fn admit(&self) -> io::Result<()> {
        if self.is_held() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// Gives the room up when `done` met a full disk; hands `done` on.
    fn seen<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(|it| it.kind() == io::ErrorKind::StorageFull) {
            self.change(Step::Give);
        }
        done
    }

    /// Looks at the room that is left, and gives up or takes back.
    fn look(&self) {
        match statvfs(self.folder()) {
            Ok(state) => {
                let free = state.f_bavail.saturating_mul(state.f_frsize);
                self.change(step(self.is_held(), free, self.0.bytes));
            }
            Err(error) => warn!("the disk cannot be asked after its room: {error}"),
        }
    }

    fn folder(&self) -> &Path {
        self.0.path.parent().unwrap_or(&self.0.path)
    }

    fn change(&self, step: Step) {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, is_held) = match (step, self.is_held()) {
            (Step::Give, true) => (remove(&self.0.path), false),
            (Step::Take, false) => (self.set_aside(), true),
            (Step::Stay | Step::Give | Step::Take, _) => return,
        };
        match (done, is_held) {
            (Ok(()), true) => info!(bytes = self.0.bytes, "room is set aside for the state"),
            (Ok(()), false) => warn!("the disk is full: what room was reserved is the state's now"),
            (Err(error), _) => return warn!("the reserve stays as it is: {error}"),
        }
        self.0.is_held.store(is_held, Ordering::Release);
        Level::DiskFull.set(u64::from(!is_held));
    }

    fn set_aside(&self) -> io::Result<()> {
        let file = fs::File::create(&self.0.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.0.bytes) {
            Ok(()) => Ok(()),
            // Such a file system sets nothing aside: then there is no reserve, and no harm.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => remove(&self.0.path).and(Err(error.into())),
        }
    }

    /// Keeps the reserve until `stop`.
    ///
    /// # Cancel safety
    /// Safe: between two looks nothing is under way.
    pub async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            self.look();
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_a_small_part_within_bounds() {
        let shares = [8 << 20, 96 << 20, 1 << 30, 1 << 40].map(|it: u64| share(it) >> 20);
        assert_eq!(shares, [1, 3, 32, 64]);
    }

    #[test]
    fn f_7_the_reserve_is_given_up_late_and_taken_back_with_room_beside_it() {
        let steps = |is_held| [0, 249, 250, 1_999, 2_000].map(|free| step(is_held, free, 1_000));
        use Step::{Give, Stay, Take};
        assert_eq!(steps(true), [Give, Give, Stay, Stay, Stay]);
        assert_eq!(steps(false), [Stay, Stay, Stay, Stay, Take]);
    }

    #[test]
    fn f_7_a_full_disk_gives_the_room_up_and_refuses_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(folder.path()).unwrap();
        let file = folder.path().join("reserve");
        assert!(file.metadata().unwrap().len() >= BYTES_MIN);
        let full: io::Result<()> = Err(io::ErrorKind::StorageFull.into());
        assert!(reserve.seen(full).is_err());
        assert!(!file.try_exists().unwrap());
        assert_eq!(reserve.admit().unwrap_err().kind(), io::ErrorKind::StorageFull);
        reserve.look();
        assert!(file.try_exists().unwrap());
        reserve.admit().unwrap();
    }

    #[test]
    fn another_failure_of_the_disk_is_no_full_one() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(folder.path()).unwrap();
        let failed: io::Result<()> = Err(io::ErrorKind::PermissionDenied.into());
        assert!(reserve.seen(failed).is_err());
        reserve.admit().unwrap();
    }
}
