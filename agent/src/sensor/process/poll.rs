//! The portable process sensor: `/proc` read again and again, and what changed between two reads.
//!
//! It needs no privilege, and it misses what lives shorter than its period. It says how much: the
//! kernel counts every fork (`processes` in `/proc/stat`, proc(5)), so what was forked and never
//! seen is an upper bound of what was missed (threads are in that count, hence no exact loss).

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    event::{
        health,
        process::{Ending, ExecutableKind},
    },
    id::ProcessKey,
    text::Text,
    time::{Boottime, Clock, NS_PER_TICK},
};

use crate::sensor::{
    Exit, Fact, Launch, Observation, Outcome, Position, Sensor, SensorError,
    outbox::{Known, loss},
    pace::Pace,
    procfs,
};

/// Between two reads (chosen: a read of a thousand processes costs some 30 ms of CPU).
const PERIOD: Duration = Duration::from_secs(1);

/// Between two statements of what was missed.
const MISSED_EVERY: Duration = Duration::from_secs(60);

/// Of `/proc/stat`, which lists interrupts too.
const STAT_BYTES_MAX: usize = 1 << 20;

/// What a process looked like when it was read last.
#[derive(Debug)]
struct Seen {
    start_ticks: u64,
    exe: Text,
    exec_count: u32,
}

/// The differences between two reads of `/proc`.
#[derive(Debug)]
pub struct Poll {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    seen: HashMap<u32, Seen>,
    pace: Pace,
    missed: Missed,
}

/// Forks that were counted by the kernel and not seen here.
#[derive(Debug, Default)]
struct Missed {
    forks: Option<u64>,
    count: u64,
    since: Boottime,
}

impl Poll {
    /// Reads below `root`, which is `/proc` outside of tests. What runs already is handed over
    /// first, marked as such.
    #[must_use]
    pub fn new(root: &Path, clock: Arc<dyn Clock>) -> Self {
        let now = clock.boottime();
        let missed = Missed { since: now, ..Missed::default() };
        let pace = Pace::new(PERIOD, now);
        Self { root: root.to_owned(), clock, seen: HashMap::new(), pace, missed }
    }

    fn read(&mut self) {
        let is_first = self.missed.forks.is_none();
        let pids = procfs::process::pids(&self.root);
        let mut came: u64 = 0;
        for pid in &pids {
            came += u64::from(self.look_at(*pid, is_first));
        }
        self.gone(&pids);
        self.count_missed(came);
    }

    /// Looks at one process; says whether it is new.
    fn look_at(&mut self, pid: u32, is_first: bool) -> bool {
        let Some(stat) = procfs::process::stat(&self.root, pid) else { return false };
        let start_ticks = stat.key.start_ticks;
        let before = self.seen.get(&pid).filter(|it| it.start_ticks == start_ticks);
        if before.is_some() && !self.has_new_image(pid) {
            return false;
        }
        let is_new = before.is_none();
        let Some((mut process, argv_bytes_cut)) = procfs::process::process(&self.root, pid) else {
            return false;
        };
        // Kernel threads have no image and launched nothing.
        if process.argv.is_empty() && process.exe.is_empty() {
            return false;
        }
        process.exec_count = before.map_or(1, |it| it.exec_count.saturating_add(1));
        let seen = Seen { start_ticks, exe: process.exe.clone(), exec_count: process.exec_count };
        if let Some(reused) = self.seen.insert(pid, seen).filter(|it| it.start_ticks != start_ticks)
        {
            let key = ProcessKey { pid, start_ticks: reused.start_ticks };
            self.exit(key);
        }
        // A new process is dated from its start; a new image was put in at some time since the
        // last read.
        let started = Boottime::from_ns(start_ticks.saturating_mul(NS_PER_TICK));
        let at = if is_new { started } else { self.clock.boottime() };
        let launch = Launch {
            process,
            exe_file: None,
            exe_kind: ExecutableKind::File,
            descriptors: procfs::descriptor::standard(&self.root, pid),
            argv_bytes_cut,
            is_running_at_start: is_first,
        };
        let fact = Fact::Launch(Box::new(launch));
        self.pace.push(Observation { at, source: Position::NONE, fact });
        is_new
    }

    /// Whether a known process runs another executable than when it was read last.
    fn has_new_image(&self, pid: u32) -> bool {
        let path = self.root.join(pid.to_string()).join("exe");
        let Ok(exe) = std::fs::read_link(path) else { return false };
        let exe = OsStr::as_bytes(exe.as_os_str());
        self.seen.get(&pid).is_some_and(|it| !it.exe.is_empty() && it.exe.as_bytes() != exe)
    }

    fn gone(&mut self, pids: &[u32]) {
        let there: HashSet<_> = pids.iter().copied().collect();
        let gone: Vec<_> = self.seen.extract_if(|pid, _| !there.contains(pid)).collect();
        for (pid, seen) in gone {
            self.exit(ProcessKey { pid, start_ticks: seen.start_ticks });
        }
    }

    fn exit(&mut self, process: ProcessKey) {
        let fact = Fact::Exit(Exit { process, ending: Ending::Unknown });
        let at = self.clock.boottime();
        self.pace.push(Observation { at, source: Position::NONE, fact });
    }

    fn count_missed(&mut self, came: u64) {
        let now = self.clock.boottime();
        let Some(forks) = forks(&self.root) else { return };
        if let Some(before) = self.missed.forks.replace(forks) {
            self.missed.count += forks.saturating_sub(before).saturating_sub(came);
        }
        if now.since(self.missed.since) < MISSED_EVERY {
            return;
        }
        if self.missed.count > 0 {
            let since = self.missed.since;
            let known =
                Known { count: self.missed.count, is_exact: false, from: since, until: now };
            let cause = health::LossCause::ShortLived;
            self.pace.push(loss(health::Sensor::Process, cause, known, Position::NONE));
        }
        self.missed = Missed { forks: self.missed.forks, count: 0, since: now };
    }
}

/// Forks since boot, threads included.
fn forks(root: &Path) -> Option<u64> {
    let bytes = procfs::read_capped(&root.join("stat"), STAT_BYTES_MAX).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| line.strip_prefix("processes "))?.trim().parse().ok()
}

impl Sensor for Poll {
    fn kind(&self) -> health::Sensor {
        health::Sensor::Process
    }

    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        if self.pace.is_due(self.clock.as_ref(), wait) {
            self.read();
        }
        Ok(self.pace.hand_over(into))
    }
}

#[cfg(test)]
mod tests;
