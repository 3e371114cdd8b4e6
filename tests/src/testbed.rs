//! A whole Cordon on this machine: one collector, as many agents as a test asks for.
//!
//! Everything is done as a person would do it: `cordon key root`, `cordon-collector init`, `cordon
//! key sign`, `serve`, a token over REST, `cordon-agent enroll`, `run`. As root each agent watches a
//! cgroup of its own with the kernel programs, so that agents do not see each other's hosts; as a
//! plain user it watches the whole host with the portable tier, and [`Testbed::degraded`] says so.
//!
//! [`Testbed::networked`] also gives the collector and each agent a network namespace of its own, so
//! that all that goes between them goes over a wire that can be pulled.
//!
//! Whatever is started ends with its value, and what is made is removed by its path. When a test
//! fails, folders and logs stay, and their place is printed.

mod agent;
mod api;
mod collector;
mod person;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;

pub use self::{
    agent::{Agent, Plan},
    api::Api,
    collector::{Addresses, Collector},
    person::SHELL_RULE,
};
use crate::{
    cgroup::Cgroup,
    child::note,
    lake,
    network::{Host, Network},
    oracle,
};

/// How long a start, a stop, an enrolment may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// A collector, and a folder for everything.
#[derive(Debug)]
pub struct Testbed {
    // Dropped before the folder that it lies in.
    collector: Collector,
    logs: PathBuf,
    network: Option<Network>,
    /// Of the hosts in the network so far.
    hosts: AtomicU8,
    folder: Option<TempDir>,
}

/// The centre of a network has the number below.
const FIRST_HOST: u8 = 2;

impl Testbed {
    /// A collector that serves on free ports of 127.0.0.1, its keyring signed and installed.
    ///
    /// # Errors
    /// What could not be done, and what the program said.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(None, None)
    }

    /// The same with hosts that have a network of their own, as far as wires go.
    ///
    /// # Errors
    /// As [`Testbed::start`], and when no namespace can be made: see [`Namespace::unavailable`](crate::network::Namespace::unavailable).
    pub fn networked() -> anyhow::Result<Self> {
        Self::start_with(None, Some(Network::new()?))
    }

    /// The same, its data on a disk of the test's: at `data`, which must not be there yet.
    ///
    /// # Errors
    /// As [`Testbed::start`].
    pub fn start_on(data: Option<&Path>) -> anyhow::Result<Self> {
        Self::start_with(data, None)
    }

    fn start_with(data: Option<&Path>, network: Option<Network>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("cordon-").tempdir();
        let folder = folder.context("make a folder for a testbed")?;
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).context("make a folder for logs")?;
        let data = data.map_or_else(|| folder.path().join("collector"), Path::to_path_buf);
        let made = Collector::start(folder.path(), &data, &logs, network.as_ref());
        let collector = made.inspect_err(|_| keep(&folder, &logs))?;
        let hosts = AtomicU8::new(FIRST_HOST);
        Ok(Self { collector, logs, network, hosts, folder: Some(folder) })
    }

    /// What cannot be shown here, if anything: without root there are no kernel programs.
    #[must_use]
    pub fn degraded() -> Option<&'static str> {
        Cgroup::unavailable()
    }

    /// The collector.
    #[must_use]
    pub fn collector(&self) -> &Collector {
        &self.collector
    }

    /// The collector, to be killed and started.
    pub fn collector_mut(&mut self) -> &mut Collector {
        &mut self.collector
    }

    /// The REST API.
    #[must_use]
    pub fn api(&self) -> &Api {
        self.collector.api()
    }

    /// The folder of this testbed.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// The folder of the logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// An agent that is enrolled and runs.
    ///
    /// # Errors
    /// What could not be done, and what the program said.
    pub fn agent(&self, name: &str) -> anyhow::Result<Agent> {
        self.agent_as(name, |_| ())
    }

    /// The same, after `change` has had its say.
    ///
    /// # Errors
    /// As [`Testbed::agent`].
    pub fn agent_as(&self, name: &str, change: impl FnOnce(&mut Plan)) -> anyhow::Result<Agent> {
        let mut agent = self.prepare(name, change)?;
        agent.enroll(&self.api().token(1)?)?;
        agent.start()?;
        Ok(agent)
    }

    /// An agent that is configured, and neither enrolled nor running.
    ///
    /// # Errors
    /// As [`Testbed::agent`].
    pub fn prepare(&self, name: &str, change: impl FnOnce(&mut Plan)) -> anyhow::Result<Agent> {
        let mut plan = Plan::new(name, self.folder(), self.collector.addresses());
        change(&mut plan);
        let wire = |it: &Network| it.host(self.hosts.fetch_add(1, Ordering::Relaxed));
        let host = self.network.as_ref().map(wire).transpose()?;
        Agent::prepare(plan, &self.logs, host)
    }

    /// Pulls the wire of an agent's host.
    ///
    /// # Errors
    /// Without a network.
    pub fn unplug(&self, agent: &Agent) -> anyhow::Result<()> {
        let (network, host) = self.wire(agent)?;
        network.unplug(host)
    }

    /// Puts it back.
    ///
    /// # Errors
    /// Without a network.
    pub fn plug(&self, agent: &Agent) -> anyhow::Result<()> {
        let (network, host) = self.wire(agent)?;
        network.plug(host)
    }

    fn wire<'a>(&'a self, agent: &'a Agent) -> anyhow::Result<(&'a Network, &'a Host)> {
        self.network.as_ref().zip(agent.host()).context("find a wire: start `networked`")
    }

    /// Waits until the lake holds each of `markers`, then stops agents and collector along the road,
    /// so that nothing is under way any more, and reads the lake as it lies.
    ///
    /// # Errors
    /// When a marker does not come within `deadline`: the verdict says which.
    pub fn settle<'a>(
        &mut self,
        agents: impl IntoIterator<Item = &'a mut Agent>,
        markers: &oracle::Generated,
        deadline: Duration,
    ) -> anyhow::Result<lake::Rows> {
        let arrived = self.arrived(markers, deadline);
        for agent in agents {
            agent.stop()?;
        }
        self.collector.stop()?;
        arrived?;
        lake::read(&self.collector.lake())
    }

    /// Waits until the lake holds each of `markers` at least once.
    ///
    /// # Errors
    /// As [`Testbed::settle`].
    pub fn arrived(
        &self,
        markers: &oracle::Generated,
        deadline: Duration,
    ) -> anyhow::Result<lake::Rows> {
        let mut view = lake::View::new(&self.collector.lake());
        crate::wait::until("everything generated is in the lake", deadline, || {
            let rows = view.rows().map_err(|error| format!("{error:#}"))?;
            let verdict = oracle::judge(markers, &rows.marked(markers), 0);
            if verdict.missing.is_empty() { Ok(rows) } else { Err(verdict.to_string()) }
        })
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && thread::panicking()
        {
            keep(&folder, &self.logs);
            drop(folder.keep());
        }
    }
}

fn keep(folder: &TempDir, logs: &Path) {
    note(&format!(
        "the testbed is kept: `{}`; logs: `{}`",
        folder.path().display(),
        logs.display()
    ));
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        note(&format!("--- {}\n{}", entry.path().display(), last.join("\n")));
    }
}
