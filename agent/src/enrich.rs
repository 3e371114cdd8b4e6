//! Enrichment: an observation becomes an event, in one bounded pass.
//!
//! In: what a sensor saw. Out: the event with what the kernel did not say: who the parents are, what
//! the account is called, which container, the digest of the executable; or nothing, for a fork and
//! for what is outside the configured scope. It keeps the process tree, and reads `/proc` only where
//! the tree does not know.
//!
//! It never numbers, never waits, and asks nobody but this host's files. Its memory is bounded: the
//! tree by [`ancestry::PROCESSES_MAX`], digests by [`hash::DIGESTS_MAX`]; its time by the budget of
//! [`hash`].

pub mod account;
pub mod ancestry;
pub mod container;
pub mod hash;

use std::{path::PathBuf, sync::Arc};

use cordon_shared::{
    event::{
        Body, Event, file, network,
        process::{self, HashState, Process},
    },
    id::ProcessKey,
    text::Text,
    time::{Boottime, Clock, ClockSample},
};

use self::{account::Accounts, ancestry::Ancestry, hash::Digests};
use crate::sensor::{
    Actor, Connection, Exit, Fact, FileChange, Launch, Listen, Observation, Position,
    procfs::process as procfs, scope::Scope,
};

/// Makes events.
#[derive(Debug)]
pub struct Enricher {
    proc: PathBuf,
    scope: Scope,
    clock: Arc<dyn Clock>,
    sample: ClockSample,
    tree: Ancestry,
    accounts: Accounts,
    digests: Digests,
}

/// Where this host keeps what is read, and how much of it is watched.
#[derive(Debug)]
pub struct Settings {
    /// `/proc`, or a copy of it.
    pub proc: PathBuf,
    /// `/etc/passwd`, or a copy of it.
    pub passwd: PathBuf,
    /// Whose doings become events.
    pub scope: Scope,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Enricher {
    /// Knows the processes that run now.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { proc, passwd, scope, clock } = settings;
        let mut it = Self {
            sample: clock.sample(),
            tree: Ancestry::default(),
            accounts: Accounts::new(passwd),
            digests: Digests::new(proc.clone()),
            proc,
            scope,
            clock,
        };
        for pid in procfs::pids(&it.proc) {
            it.read(pid);
        }
        it
    }

    /// Looks at the clocks anew: once for each batch of observations.
    pub fn tick(&mut self) {
        self.sample = self.clock.sample();
        let now = self.sample.boottime;
        self.tree.forget(now);
        self.digests.refill(now);
        self.accounts.look(now);
    }

    /// The event of an observation. Nothing for a fork, and for what is outside the scope.
    pub fn event(&mut self, observation: Observation) -> Option<Event> {
        let Observation { at, source, fact } = observation;
        // What comes from a ring was filtered in the kernel, by the cgroup of that moment.
        let is_filtered = source != Position::NONE;
        let body = match fact {
            Fact::Launch(launch) => self.launch(*launch, is_filtered)?,
            Fact::Fork(fork) => {
                self.tree.fork(fork.child, fork.parent, at);
                return None;
            }
            Fact::Exit(exit) => self.exit(&exit, at, is_filtered)?,
            Fact::Connection(it) => self.connection(&it, is_filtered)?,
            Fact::Listen(it) => self.listen(&it, is_filtered)?,
            Fact::FileChange(it) => self.file_change(*it)?,
            Fact::Loss(loss) => Body::Loss(loss),
        };
        Some(self.stamp(at, body))
    }

    /// Gives a body its times.
    #[must_use]
    pub fn stamp(&self, boottime: Boottime, body: Body) -> Event {
        Event { boottime, realtime: self.sample.realtime_at(boottime), exercise: None, body }
    }

    fn launch(&mut self, launch: Launch, is_filtered: bool) -> Option<Body> {
        let Launch { mut process, exe_file, exe_kind, descriptors, argv_bytes_cut, .. } = launch;
        let uid = process.credentials.map(|it| it.uid);
        process.user = uid.map_or(Text::EMPTY, |uid| self.accounts.name(uid));
        process.container = container::id(&process.cgroup);
        if process.parent.is_none() {
            process.parent = self.tree.get(process.key).and_then(|it| it.parent);
        }
        let is_within = is_filtered || self.scope.covers(process.cgroup.as_bytes());
        let hash_state = if is_within {
            let (sha256, state) = self.digests.digest(&process, exe_file, exe_kind);
            process.exe_sha256 = sha256;
            state
        } else {
            HashState::NotTried
        };
        let process = self.tree.launch(process);
        if !is_within {
            return None;
        }
        let parent = process.parent.map(|it| self.find(it));
        let ancestry = self.tree.ancestors(&process);
        Some(Body::ProcessLaunch(Box::new(process::Launch {
            process,
            parent,
            ancestry,
            exe_file,
            exe_kind,
            hash_state,
            descriptors,
            argv_bytes_cut,
            is_running_at_start: launch.is_running_at_start,
        })))
    }

    fn exit(&mut self, exit: &Exit, at: Boottime, is_filtered: bool) -> Option<Body> {
        let process = self.tree.get(exit.process);
        let process = process.unwrap_or_else(|| Arc::new(Process::unknown(exit.process)));
        self.tree.exit(exit.process, at);
        self.is_within(&process, is_filtered)
            .then(|| Body::ProcessExit(process::Exit { process, ending: exit.ending }))
    }

    fn connection(&mut self, it: &Connection, is_filtered: bool) -> Option<Body> {
        let actor = it.actor.as_ref().map(|it| self.actor(it));
        if actor.as_ref().is_some_and(|it| !self.is_within(it, is_filtered)) {
            return None;
        }
        Some(Body::Connection(Box::new(network::Connection {
            action: it.action,
            actor,
            transport: it.transport,
            direction: it.direction,
            local: it.local,
            remote: it.remote,
            flow: it.flow,
            bytes_sent: it.bytes_sent,
            bytes_received: it.bytes_received,
            duration: it.duration,
        })))
    }

    fn listen(&mut self, it: &Listen, is_filtered: bool) -> Option<Body> {
        let actor = it.actor.as_ref().map(|it| self.actor(it));
        if actor.as_ref().is_some_and(|it| !self.is_within(it, is_filtered)) {
            return None;
        }
        let (transport, local) = (it.transport, it.local);
        Some(Body::Listen(network::Listen { actor, transport, local }))
    }

    fn file_change(&mut self, it: FileChange) -> Option<Body> {
        let actor = it.actor.as_ref().map(|it| self.actor(it));
        // A process may have been moved to another cgroup since it was launched, so the cgroup of
        // this moment counts where it can still be read.
        if let (Some(actor), Scope::Cgroup(_)) = (&actor, &self.scope)
            && !self.is_within_now(actor)
        {
            return None;
        }
        Some(Body::FileChange(Box::new(file::Change {
            action: it.action,
            actor,
            path: it.path,
            path_before: it.path_before,
            file: it.file,
            sha256: None,
            is_directory: it.is_directory,
            count: it.count,
        })))
    }

    /// Out of scope is only what is known to be: an unknown cgroup is within.
    fn is_within(&self, process: &Process, is_filtered: bool) -> bool {
        is_filtered || process.cgroup.is_empty() || self.scope.covers(process.cgroup.as_bytes())
    }

    fn is_within_now(&self, process: &Process) -> bool {
        let now = procfs::cgroup(&self.proc, process.key.pid);
        let is_same = procfs::key(&self.proc, process.key.pid) == Some(process.key);
        if is_same && !now.is_empty() {
            return self.scope.covers(now.as_bytes());
        }
        self.is_within(process, false)
    }

    /// The process that did something.
    fn actor(&mut self, actor: &Actor) -> Arc<Process> {
        let key = actor.key().or_else(|| {
            // The pid alone: who had it last, by the tree; who has it now, by the host.
            self.tree.newest(actor.pid).or_else(|| procfs::key(&self.proc, actor.pid))
        });
        let Some(key) = key else {
            let unknown = Process::unknown(ProcessKey { pid: actor.pid, start_ticks: 0 });
            return Arc::new(Process { comm: actor.comm.clone(), ..unknown });
        };
        let process = self.find(key);
        if process.comm.is_empty() && !actor.comm.is_empty() {
            return Arc::new(Process { comm: actor.comm.clone(), ..Process::clone(&process) });
        }
        process
    }

    /// A process by its name: from the tree, from the host, or the name alone.
    fn find(&mut self, key: ProcessKey) -> Arc<Process> {
        if let Some(process) = self.tree.get(key) {
            return process;
        }
        match self.read(key.pid) {
            Some(process) if process.key == key => process,
            Some(_) | None => Arc::new(Process::unknown(key)),
        }
    }

    /// Takes a running process into the tree.
    fn read(&mut self, pid: u32) -> Option<Arc<Process>> {
        let (mut process, _) = procfs::process(&self.proc, pid)?;
        let uid = process.credentials.map(|it| it.uid);
        process.user = uid.map_or(Text::EMPTY, |uid| self.accounts.name(uid));
        process.container = container::id(&process.cgroup);
        Some(self.tree.launch(process))
    }
}

#[cfg(test)]
mod tests;
