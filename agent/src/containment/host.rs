//! The only door to effects on the host: what can be asked of it and done to it.
//!
//! [`HostFacts`] is one look at all processes; plans are made from it alone. [`Host`] has two
//! implementations: [`Linux`](super::linux::Linux), and the one of a test. A process is always named
//! by pid *and* start time, and whoever sends a signal checks both after taking hold of the process,
//! so that a reused pid is never hit.

use std::{collections::BTreeMap, fmt, io, time::Duration};

use cordon_shared::{digest::Sha256, id::ProcessKey, text::Text};

/// One process as `/proc` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Which one.
    pub key: ProcessKey,
    /// Pid of its parent; 0 for the first ones.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// What it is doing.
    pub state: State,
    /// Whether it is the kernel's own.
    pub is_kernel: bool,
    /// Path of its executable; empty when it cannot be read.
    pub exe: Text,
}

/// What a process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It runs, or waits for something.
    Alive,
    /// It was stopped.
    Stopped,
    /// It has ended: not there, a zombie, or the pid is another process's by now.
    Gone,
}

/// One look at the host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostFacts {
    /// The agent's own pid.
    pub own_pid: u32,
    /// All processes, by pid.
    pub processes: BTreeMap<u32, Process>,
}

impl HostFacts {
    /// The process of this pid and start time, unless it has ended.
    #[must_use]
    pub fn find(&self, key: ProcessKey) -> Option<&Process> {
        self.processes.get(&key.pid).filter(|it| it.key == key && it.state != State::Gone)
    }

    /// The chain of parents, nearest first, as far as it is there.
    #[must_use]
    pub fn ancestors(&self, pid: u32) -> Vec<ProcessKey> {
        let mut chain: Vec<ProcessKey> = Vec::new();
        let mut next = self.processes.get(&pid).map(|it| it.parent);
        while let Some(process) = next.and_then(|it| self.processes.get(&it)) {
            // A look is not one moment: pids may move between two reads and make a ring.
            if process.key.pid == pid || chain.contains(&process.key) {
                break;
            }
            chain.push(process.key);
            next = Some(process.parent);
        }
        chain
    }

    /// Those that belong to the tree of `members` and are not among them yet, parents before
    /// children: children of a member, and orphans that are still in a process group or session
    /// which a member began. Zombies are left out.
    #[must_use]
    pub fn births(&self, members: &[ProcessKey]) -> Vec<ProcessKey> {
        // A pid that is another's by now says nothing of the tree any more.
        let is_own = |it: &&ProcessKey| self.processes.get(&it.pid).is_none_or(|at| at.key == **it);
        let mut known: BTreeMap<u32, ProcessKey> =
            members.iter().filter(is_own).map(|it| (it.pid, *it)).collect();
        let mut births = Vec::new();
        loop {
            let before = births.len();
            for it in self.processes.values() {
                let from = [it.parent, it.group, it.session];
                let is_born = from.iter().filter_map(|pid| known.get(pid)).any(|member| {
                    member.pid != it.key.pid && it.key.start_ticks >= member.start_ticks
                });
                let is_known = known.get(&it.key.pid).is_some_and(|known| *known == it.key);
                if is_born && !is_known && it.state != State::Gone {
                    known.insert(it.key.pid, it.key);
                    births.push(it.key);
                }
            }
            if births.len() == before {
                return births;
            }
        }
    }
}

/// What is sent to a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// Stop where it is; cannot be caught (`SIGSTOP`).
    Stop,
    /// Go on (`SIGCONT`).
    Continue,
    /// End; cannot be caught (`SIGKILL`).
    Kill,
}

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hit {
    /// It was sent to the process that was meant.
    Sent,
    /// The process that was meant has ended; nothing was sent to anybody.
    Gone,
}

/// The host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}")]
pub struct HostError {
    /// What was being done.
    pub doing: &'static str,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// The door.
pub trait Host: Send + fmt::Debug {
    /// One look at all processes.
    ///
    /// # Errors
    /// [`HostError`] when `/proc` cannot be listed at all.
    fn facts(&self) -> Result<HostFacts, HostError>;

    /// What a process is doing now.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be read for another reason than its end.
    fn state(&self, process: ProcessKey) -> Result<State, HostError>;

    /// Digest of the executable that a process runs.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be read, or the process ended.
    fn exe_sha256(&self, process: ProcessKey) -> Result<Sha256, HostError>;

    /// Sends a signal to this process and to no other that has come to have its pid.
    ///
    /// # Errors
    /// [`HostError`] when the kernel refuses.
    fn signal(&self, process: ProcessKey, signal: Signal) -> Result<Hit, HostError>;

    /// Waits until a process has ended, at most `timeout`; says whether it has.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be watched.
    fn wait_gone(&self, process: ProcessKey, timeout: Duration) -> Result<bool, HostError>;
}

#[cfg(test)]
pub(crate) mod tests;
