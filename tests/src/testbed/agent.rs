//! An agent of a testbed, and the host that it watches.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use cordon_shared::digest::Sha256;

use super::{
    SOON, Testbed,
    collector::{Addresses, write},
};
use crate::{
    activity::{self, Deed, Done},
    binary::Program,
    cgroup::Cgroup,
    child::{Child, Launch, Output},
    network::Host,
    wait,
};

/// Where the agent pins its kernel programs (see its README).
const PINS: &str = "/sys/fs/bpf";

/// How an agent is configured; change it before it is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name in logs and cgroups.
    pub name: String,
    /// Where everything of it lies.
    pub folder: PathBuf,
    /// Where it keeps its data; a disk of the test's, perhaps.
    pub data: PathBuf,
    /// Where its sessions go: the collector, or a proxy in between.
    pub sessions: SocketAddr,
    /// Where its renewals go.
    pub enrolment: SocketAddr,
    /// Quota of its spool.
    pub spool_bytes_max: u64,
    /// Folders whose files are watched; without any it watches no files.
    pub file_paths: Vec<PathBuf>,
    /// Tier of its process sensor, as the configuration names it.
    pub process_tier: &'static str,
    /// Whether it watches the whole host, though it could have a cgroup of its own.
    pub is_host_wide: bool,
    /// Whether it looks at connections.
    pub has_network: bool,
    /// More of its configuration, TOML; before the first table.
    pub more: String,
}

impl Plan {
    pub(super) fn new(name: &str, folder: &Path, addresses: Addresses) -> Self {
        let folder = folder.join(name);
        Self {
            name: name.to_owned(),
            data: folder.join("data"),
            folder,
            sessions: addresses.sessions,
            enrolment: addresses.enrolment,
            spool_bytes_max: 64 << 20,
            file_paths: Vec::new(),
            process_tier: "auto",
            is_host_wide: false,
            has_network: false,
            more: String::new(),
        }
    }

    fn to_toml(&self, cgroup: Option<&Cgroup>) -> String {
        let scope = cgroup.map_or("host".to_owned(), |it| format!("cgroup:{}", it.path()));
        let quoted = |it: &Path| format!("{:?}", it.display().to_string());
        let paths: Vec<_> = self.file_paths.iter().map(|it| quoted(it)).collect();
        let tier = |is_wanted: bool| if is_wanted { "auto" } else { "none" };
        format!(
            "data_dir = {}\ncollector = [\"{}\"]\nenrolment = [\"{}\"]\nscope = \"{scope}\"\n\
             spool_bytes_max = {}\nfile_paths = [{}]\n{}\n\
             [sensors]\nprocess = \"{}\"\nnetwork = \"{}\"\nfile = \"{}\"\n",
            quoted(&self.data),
            self.sessions,
            self.enrolment,
            self.spool_bytes_max,
            paths.join(", "),
            self.more,
            self.process_tier,
            tier(self.has_network),
            tier(!self.file_paths.is_empty()),
        )
    }
}

/// An agent, its configuration, its identity once it has one, its process while it runs.
#[derive(Debug)]
pub struct Agent {
    plan: Plan,
    config: PathBuf,
    program: PathBuf,
    logs: PathBuf,
    child: Option<Child>,
    id: String,
    host: Option<Host>,
    // Last: whatever runs in them ends with them.
    cgroup: Option<Cgroup>,
    /// Where the agent itself runs, on a host with a network: as a service does.
    service: Option<Cgroup>,
}

impl Agent {
    pub(super) fn prepare(plan: Plan, logs: &Path, host: Option<Host>) -> anyhow::Result<Self> {
        for folder in [&plan.folder, &plan.data, &plan.folder.join("deeds")] {
            fs::create_dir_all(folder).context("make a folder for an agent")?;
        }
        let cgroup = match Testbed::degraded() {
            None if !plan.is_host_wide => {
                Some(Cgroup::new(&format!("{}-{}", std::process::id(), plan.name))?)
            }
            None | Some(_) => None,
        };
        let is_service = host.is_some() && cgroup.is_some();
        let name = format!("{}-{}-agent", std::process::id(), plan.name);
        let service = is_service.then(|| Cgroup::new(&name)).transpose()?;
        let config = plan.folder.join("agent.toml");
        write(&config, &plan.to_toml(cgroup.as_ref()))?;
        let program = Program::Agent.path()?;
        let (logs, id) = (logs.to_path_buf(), String::new());
        Ok(Self { plan, config, program, logs, child: None, id, host, cgroup, service })
    }

    fn launch(&self, command: &str) -> Launch {
        let launch = Launch::new(&self.plan.name, &self.program);
        self.wired(launch.args([command, "--config"]).args([&self.config]))
    }

    /// Puts a launch into its host's network namespace, where it has one.
    fn wired(&self, launch: Launch) -> Launch {
        match &self.host {
            Some(host) => launch.in_network(host.namespace()),
            None => launch,
        }
    }

    /// Its host in the network of a testbed that has one.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Runs `check`, and says how it went.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn check(&self) -> anyhow::Result<Output> {
        self.launch("check").run(SOON)
    }

    /// Runs `status`, and says how it went.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn status(&self) -> anyhow::Result<Output> {
        self.launch("status").run(SOON)
    }

    /// Runs `enroll` with a token, and says how it went.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn try_enroll(&mut self, token: &str) -> anyhow::Result<Output> {
        let output = self.launch("enroll").args(["--token", token]).run(SOON)?;
        let said = output.stdout.lines().find_map(|it| it.strip_prefix("enrolled as agent "));
        said.unwrap_or_default().clone_into(&mut self.id);
        Ok(output)
    }

    /// Turns a token into an identity.
    ///
    /// # Errors
    /// What the agent said.
    pub fn enroll(&mut self, token: &str) -> anyhow::Result<()> {
        self.try_enroll(token)?.expect_success()?;
        anyhow::ensure!(!self.id.is_empty(), "the agent does not say who it is");
        Ok(())
    }

    /// Runs it, until [`Agent::kill`] or [`Agent::stop`]; returns once it senses.
    ///
    /// # Errors
    /// When it cannot be started, or ends at once.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let launch = self.launch("run");
        let launch = self.service.as_ref().map_or(launch.clone(), |it| launch.in_cgroup(it));
        let starts = |log: &str| log.lines().filter(|it| it.trim_end().ends_with(RUNNING)).count();
        let before = self.log().map_or(0, |it| starts(&it));
        self.child = Some(launch.start(&self.logs)?);
        wait::until("the agent senses", SOON, || {
            let log = self.log().map_err(|it| it.to_string())?;
            if starts(&log) > before { Ok(()) } else { Err(log) }
        })
    }

    /// Who it is, once it is enrolled.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How it is configured.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// One lane of its spool.
    #[must_use]
    pub fn spool(&self, lane: &str) -> PathBuf {
        self.plan.data.join("spool").join(lane)
    }

    /// What it has printed, over all its starts.
    ///
    /// # Errors
    /// When it was never started.
    pub fn log(&self) -> anyhow::Result<String> {
        let path = self.logs.join(format!("{}.log", self.plan.name));
        let bytes = fs::read(path).context("read an agent's log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Its process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&mut self) -> anyhow::Result<&mut Child> {
        self.child.as_mut().context("the agent does not run")
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// When the kernel will not say.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        self.child.as_mut().map_or(Ok(false), Child::is_running)
    }

    /// `SIGKILL`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process()?.kill()?;
        self.child = None;
        Ok(())
    }

    /// `SIGTERM`, and waits for its end. Nothing when it does not run.
    ///
    /// # Errors
    /// When it takes longer than 30 s, or ends badly.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if !child.is_running()? {
            bail!("the agent had ended by itself: {}", self.log()?);
        }
        let status = child.stop(SOON)?;
        anyhow::ensure!(status.success(), "the agent ended with {status}");
        Ok(())
    }

    /// Where the deeds of its host may make files.
    #[must_use]
    pub fn deeds(&self) -> PathBuf {
        self.plan.folder.join("deeds")
    }

    /// Deeds inside its host, not begun yet.
    ///
    /// # Errors
    /// When the doer cannot be built.
    pub fn deed(&self, deed: Deed, marker: &str, count: u64) -> anyhow::Result<Launch> {
        let folder = self.plan.file_paths.first().cloned().unwrap_or_else(|| self.deeds());
        Ok(self.inside(activity::launch(deed, marker, count, &folder)?))
    }

    /// Does deeds inside its host, to their end.
    ///
    /// # Errors
    /// When the doer fails, or takes longer than `deadline`.
    pub fn does(
        &self,
        deed: Deed,
        marker: &str,
        count: u64,
        deadline: Duration,
    ) -> anyhow::Result<Done> {
        activity::run(&self.deed(deed, marker, count)?, deadline)
    }

    /// Puts a launch into its host.
    #[must_use]
    pub fn inside(&self, launch: Launch) -> Launch {
        let launch = self.wired(launch);
        self.cgroup.as_ref().map_or(launch.clone(), |it| launch.in_cgroup(it))
    }

    /// The folder of its pins.
    fn pins(&self) -> PathBuf {
        let digest = Sha256::of(self.plan.data.as_os_str().as_encoded_bytes()).to_string();
        Path::new(PINS).join(format!("cordon-{}", digest.get(..8).unwrap_or_default()))
    }

    /// Removes what its kernel programs are pinned by: each entry of the one folder that is this
    /// agent's, links first, so that no program runs on maps that are half gone.
    fn unpin(&self) -> anyhow::Result<()> {
        let pins = self.pins();
        if !pins.try_exists()? {
            return Ok(());
        }
        for object in listed(&pins)? {
            let (links, others): (Vec<_>, Vec<_>) = listed(&object)?.into_iter().partition(|it| {
                it.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"link_"))
            });
            for pin in links.into_iter().chain(others) {
                fs::remove_file(&pin).context("remove a pin")?;
            }
            fs::remove_dir(&object).context("remove a folder of pins")?;
        }
        fs::remove_dir(&pins).context("remove an agent's folder of pins")
    }
}

/// What the agent logs once all of it runs.
const RUNNING: &str = " running";

fn listed(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context("list pins")?;
    Ok(entries.collect::<Result<Vec<_>, _>>()?.iter().map(fs::DirEntry::path).collect())
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.take());
        if let Err(error) = self.unpin() {
            crate::child::note(&format!("pins of `{}` are left: {error:#}", self.plan.name));
        }
    }
}
