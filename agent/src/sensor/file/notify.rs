//! The portable file sensor: inotify on the watched folders, through the `notify` crate.
//!
//! It needs no privilege, names no process, and counts nothing when the kernel's queue overflows
//! (`/proc/sys/fs/inotify/max_queued_events`): then an inexact loss is declared.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use cordon_shared::{
    event::{
        file::Action,
        health::{self, LossCause},
    },
    limit,
    text::Text,
    time::{Boottime, Clock},
};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode},
};

use super::{Watch, fanotify::identity};
use crate::sensor::{
    Fact, FileChange, Observation, Outcome, Position, Sensor, SensorError,
    outbox::{Known, OBSERVATIONS_PER_BATCH, loss},
};

/// The watched folders, by inotify.
#[derive(Debug)]
pub struct Notify {
    watch: Watch,
    clock: Arc<dyn Clock>,
    /// Dropping it ends the watching.
    _watcher: RecommendedWatcher,
    inbox: Receiver<notify::Result<notify::Event>>,
    /// Events that found the queue full.
    dropped: Arc<AtomicU64>,
    read_last: Boottime,
    missing: Vec<PathBuf>,
}

impl Notify {
    /// Watches every included folder that is there.
    ///
    /// # Errors
    /// [`SensorError`] when none of them can be watched.
    pub fn open(watch: Watch, clock: Arc<dyn Clock>) -> Result<Self, SensorError> {
        let (sender, inbox) = sync_channel(limit::SENSOR_QUEUE_OBSERVATIONS);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut watcher = watcher(sender, Arc::clone(&dropped))
            .map_err(|error| SensorError::Unsupported(format!("inotify: {error}")))?;
        let mut missing = Vec::new();
        for folder in &watch.include {
            if watcher.watch(folder, RecursiveMode::Recursive).is_err() {
                missing.push(folder.clone());
            }
        }
        if missing.len() == watch.include.len() {
            return Err(SensorError::Forbidden("none of the folders can be watched".to_owned()));
        }
        let read_last = clock.boottime();
        Ok(Self { watch, clock, _watcher: watcher, inbox, dropped, read_last, missing })
    }

    /// For people: what it covers.
    #[must_use]
    pub fn describe(&self) -> String {
        let count = self.watch.include.len() - self.missing.len();
        let mut text = format!("inotify on {count} folders; no process is named");
        if let Some(first) = self.missing.first() {
            let more = self.missing.len();
            text = format!("{text}; {more} cannot be watched, such as {}", first.display());
        }
        text
    }

    fn take(&self, event: notify::Result<notify::Event>, into: &mut Vec<Observation>) {
        let at = self.clock.boottime();
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            Ok(_) | Err(_) => {
                let known = Known { count: 0, is_exact: false, from: self.read_last, until: at };
                let cause = LossCause::KernelBuffer;
                into.push(loss(health::Sensor::File, cause, known, Position::NONE));
                return;
            }
        };
        let Some(action) = action(event.kind) else { return };
        let (path, before) = match event.paths.as_slice() {
            [before, path] => (path, Some(before)),
            [path] => (path, None),
            _ => return,
        };
        let is_covered = |it: &Path| self.watch.covers(it.as_os_str().as_bytes());
        if !is_covered(path) && !before.is_some_and(|it| is_covered(it)) {
            return;
        }
        let file = if action == Action::Delete { None } else { identity(path) };
        let is_directory = file.is_some_and(|it| it.mode & 0o170_000 == 0o040_000)
            || event.kind == EventKind::Remove(RemoveKind::Folder);
        let text = |it: &PathBuf| Text::from(OsStr::as_bytes(it.as_os_str()));
        let fact = Fact::FileChange(Box::new(FileChange {
            action,
            actor: None,
            path: text(path),
            path_before: before.map_or(Text::EMPTY, text),
            file,
            is_directory,
            count: 1,
        }));
        into.push(Observation { at, source: Position::NONE, fact });
    }

    fn declare_dropped(&self, into: &mut Vec<Observation>) {
        let count = self.dropped.swap(0, Ordering::AcqRel);
        if count > 0 {
            let until = self.clock.boottime();
            let known = Known { count, is_exact: true, from: self.read_last, until };
            into.push(loss(health::Sensor::File, LossCause::QueueFull, known, Position::NONE));
        }
    }
}

/// A watcher whose thread never waits: what finds the queue full is counted.
fn watcher(
    sender: SyncSender<notify::Result<notify::Event>>,
    dropped: Arc<AtomicU64>,
) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event| match sender.try_send(event) {
        // Nobody listens any more: the sensor is being dropped.
        Ok(()) | Err(TrySendError::Disconnected(_)) => (),
        Err(TrySendError::Full(_)) => {
            dropped.fetch_add(1, Ordering::AcqRel);
        }
    })
}

/// What an inotify event means to us; nothing for what we do not follow. A rename is told three
/// times: from, to, both; only the last is taken, unless the other half lies outside.
fn action(kind: EventKind) -> Option<Action> {
    match kind {
        EventKind::Create(CreateKind::File | CreateKind::Folder | CreateKind::Any) => {
            Some(Action::Create)
        }
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Action::WriteClose),
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => Some(Action::Rename),
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Action::Attributes),
        EventKind::Remove(_) => Some(Action::Delete),
        EventKind::Any
        | EventKind::Access(_)
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Other => None,
    }
}

impl Sensor for Notify {
    fn kind(&self) -> health::Sensor {
        health::Sensor::File
    }

    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        let before = into.len();
        match self.inbox.recv_timeout(wait) {
            Ok(event) => self.take(event, into),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => {
                let source = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
                return Err(SensorError::Broken { doing: "watch with inotify", source });
            }
        }
        while into.len() - before < OBSERVATIONS_PER_BATCH {
            let Ok(event) = self.inbox.try_recv() else { break };
            self.take(event, into);
        }
        self.declare_dropped(into);
        self.read_last = self.clock.boottime();
        Ok(if into.len() > before { Outcome::Data } else { Outcome::Nothing })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test's own files")]
mod tests {
    use std::{fs, sync::Arc, time::Duration};

    use cordon_shared::time::SystemClock;
    use expect_test::expect;

    use super::Notify;
    use crate::sensor::{
        Sensor,
        file::{Watch, fanotify::tests::show},
    };

    #[test]
    fn what_happens_below_a_watched_folder_is_seen_without_privilege() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("own")).expect("creates");
        let watch = Watch { include: vec![folder.path().to_owned()], exclude: vec![at("own")] };
        let mut sensor = Notify::open(watch, Arc::new(SystemClock)).expect("inotify works");

        fs::write(at("a"), "1").expect("writes");
        fs::write(at("own/quiet"), "1").expect("writes");
        fs::rename(at("a"), at("b")).expect("renames");
        fs::remove_file(at("b")).expect("removes");
        fs::write(at("end"), "").expect("writes");

        let mut seen = Vec::new();
        while !show(&seen, folder.path()).contains("WriteClose end") {
            sensor.sense(Duration::from_secs(10), &mut seen).expect("works");
        }
        expect![[r#"
            Create a
            WriteClose a
            Rename a -> b
            Delete b
            Create end
            WriteClose end"#]]
        .assert_eq(&show(&seen, folder.path()));
    }
}
