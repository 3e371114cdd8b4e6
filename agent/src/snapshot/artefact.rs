//! One function for each artefact. They read what the kernel and the files show at that moment; a
//! process or a file that vanishes meanwhile is one that ended, and not a failure.
//!
//! Text that the host chose is written as `Text` shows it: other bytes than UTF-8 and the backslash
//! as `\xNN`, so that no two names look the same.

pub mod digest;

mod file;
mod login;
mod module;
mod process;
mod socket;
mod startup;

use std::{collections::BTreeMap, fs, os::unix::ffi::OsStrExt, path::Path};

use cordon_shared::{id::ProcessKey, text::Text};
use serde_json::json;

use self::digest::Digests;
use super::{
    Ground, Kit, Patience,
    draft::{Draft, Stop},
    plan::Artefact,
};
use crate::sensor::procfs::process as procfs;

/// What the functions share while one snapshot is taken.
#[derive(Debug)]
pub struct Take<'a> {
    kit: &'a Kit,
    ground: &'a Ground,
    named: &'a [ProcessKey],
    patience: &'a Patience,
    digests: Digests,
    /// Processes of this host as they were at the beginning, by pid.
    processes: BTreeMap<u32, ProcessKey>,
}

impl<'a> Take<'a> {
    /// Looks who is there.
    #[must_use]
    pub fn new(kit: &'a Kit, named: &'a [ProcessKey], patience: &'a Patience) -> Self {
        let ground = &kit.ground;
        let pids = procfs::pids(&ground.proc).into_iter();
        let ours =
            pids.filter(|pid| ground.scope.covers(procfs::cgroup(&ground.proc, *pid).as_bytes()));
        let processes = ours.filter_map(|pid| Some((pid, procfs::key(&ground.proc, pid)?)));
        let processes = processes.collect();
        Self { kit, ground, named, patience, digests: Digests::default(), processes }
    }

    /// Takes one artefact.
    ///
    /// # Errors
    /// [`Stop`]: what is in the draft is not all.
    pub fn take(&mut self, artefact: Artefact, draft: &mut Draft) -> Result<(), Stop> {
        self.go_on()?;
        match artefact {
            Artefact::Agent => self.agent(draft),
            Artefact::Processes => self.processes(draft),
            Artefact::OpenFiles => self.open_files(draft),
            Artefact::Maps => self.maps(draft),
            Artefact::Sockets => self.sockets(draft),
            Artefact::Network => self.network(draft),
            Artefact::Sessions => self.sessions(draft),
            Artefact::Mounts => self.mounts(draft),
            Artefact::Modules => self.modules(draft),
            Artefact::Bpf => self.bpf(draft),
            Artefact::Executable(number) => self.executable(number, draft),
            Artefact::RecentFiles => self.recent_files(draft),
            Artefact::Cron => self.cron(draft),
            Artefact::Units => self.units(draft),
            Artefact::Startup => self.startup(draft),
            Artefact::AuthorizedKeys => self.authorized_keys(draft),
            Artefact::Users => self.users(draft),
        }
    }

    /// # Errors
    /// [`Stop`] when the time is over.
    fn go_on(&self) -> Result<(), Stop> {
        match self.patience.over() {
            Some(why) => Err(Stop::Failed(why.to_owned())),
            None => Ok(()),
        }
    }

    fn agent(&self, draft: &mut Draft) -> Result<(), Stop> {
        let kit = self.kit;
        let clock = kit.clock.sample();
        let named = self.named.iter().map(|it| {
            let is_there = self.is_there(*it);
            json!({"pid": it.pid, "start_ticks": it.start_ticks, "is_there": is_there})
        });
        let named: Vec<_> = named.collect();
        draft.line(&json!({
            "agent_id": kit.agent.to_string(),
            "agent_version": env!("CARGO_PKG_VERSION"),
            "boot_id": kit.boot.to_string(),
            "host_name": kit.host_name,
            "system": kit.system,
            "time": clock.realtime.to_string(),
            "boottime_ns": clock.boottime.as_ns(),
            "ticks_per_second": 100,
            "scope": match &self.ground.scope {
                crate::sensor::scope::Scope::Host => "host".to_owned(),
                crate::sensor::scope::Scope::Cgroup(it) => format!("cgroup:{}", it.path),
            },
            "processes": self.processes.len(),
            "named_processes": named,
            "own_pid": std::process::id(),
        }))
    }

    /// Whether a process is still the one that is meant.
    fn is_there(&self, process: ProcessKey) -> bool {
        procfs::key(&self.ground.proc, process.pid) == Some(process)
    }
}

/// Where a link leads, as text; empty when it cannot be read.
fn link(path: &Path) -> Text {
    fs::read_link(path).map_or(Text::EMPTY, |it| Text::from(it.as_os_str().as_bytes()))
}

/// A path as text.
fn shown(path: &Path) -> String {
    Text::from(path.as_os_str().as_bytes()).to_string()
}
