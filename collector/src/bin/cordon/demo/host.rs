//! A host of the demo: a cgroup, and where this user may make them namespaces of its own, an agent that
//! sees nothing else, and the stage on which the deeds are done.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use cordon_collector::api::view;
use cordon_shared::id::{AgentId, BootId, ProcessKey, ProcessUid};

use super::{
    apart::Apart,
    centre::Centre,
    ground::{Cgroup, Ground, Running, write},
    site::{self, Place},
};

const PROGRAM: &str = "cordon-agent";

/// A host, its agent enrolled and running.
pub(super) struct Host {
    /// Its name, as the agent tells it where it has one of its own.
    pub(super) name: String,
    /// This enrolment.
    pub(super) agent: AgentId,
    /// Its namespaces; `None` where it shares the machine's.
    pub(super) place: Option<Place>,
    /// What its agent watches; `None` where that is all that this user may see.
    pub(super) cgroup: Option<Cgroup>,
    /// Where its agent runs, as a service does.
    service: Option<Cgroup>,
    config: PathBuf,
    running: Option<Running>,
}

impl Host {
    /// Enrols an agent with a token that lets one host in, and starts it.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn enrol(
        ground: &mut Ground,
        centre: &Centre,
        name: &str,
        place: Option<Place>,
    ) -> anyhow::Result<Self> {
        let folder = ground.folder.join(name);
        fs::create_dir_all(folder.join("files")).context("make the folder of files")?;
        let mut host = Self {
            name: name.to_owned(),
            agent: AgentId::from_slice(&[0xff; 16]).context("make a host")?,
            cgroup: ground.cgroup(name)?,
            service: match place {
                Some(_) => ground.cgroup(&format!("{name}-agent"))?,
                None => None,
            },
            place,
            config: folder.join("agent.toml"),
            running: None,
        };
        write(&host.config, &host.settings(&folder, centre))?;
        let token: view::MadeToken = centre.desk.post("/api/v1/tokens", &one_host())?;
        let enroll = host.asked(ground, &["enroll", "--token", &token.token])?;
        host.agent = enroll.split_whitespace().find_map(AgentId::parse).context("read its id")?;
        // Where the agent pins its kernel programs.
        let status = host.asked(ground, &["status"])?;
        if let Some(pins) = status.lines().find_map(|line| line.strip_prefix("pins")) {
            ground.will_pin(Path::new(pins.trim()))?;
        }
        host.start(ground)?;
        Ok(host)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.running.as_mut().context("find the agent")?.kill().context("kill the agent")
    }

    /// Starts the agent, again perhaps.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn start(&mut self, ground: &mut Ground) -> anyhow::Result<()> {
        let (program, log) = (ground.program(PROGRAM), self.log());
        let mut run = match &self.service {
            Some(service) => ground.command_in(service, &program, &log)?,
            None => ground.command(&program, &log)?,
        };
        run.arg("run").arg("--config").arg(&self.config).stdout(Stdio::null());
        self.running = Some(Running(ground.start(self.apart(), &mut run)?));
        Ok(())
    }

    /// Its namespaces.
    pub(super) fn apart(&self) -> Option<&Apart> {
        self.place.as_ref().map(|it| &it.apart)
    }

    /// The name of a process of this host in all events, while it lives.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn uid_of(&self, pid: i32) -> anyhow::Result<ProcessUid> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let boot = BootId::parse(boot.trim()).context("read the boot's id")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("find it")?;
        // The name may hold spaces and parentheses, so it ends at the last one (proc(5)).
        let behind = stat.rsplit_once(')').map(|(_, rest)| rest).context("read its start")?;
        let start_ticks = behind.split_whitespace().nth(19).and_then(|it| it.parse().ok());
        let key = ProcessKey {
            pid: u32::try_from(pid).context("read its number")?,
            start_ticks: start_ticks.context("read its start")?,
        };
        Ok(key.uid(self.agent, boot))
    }

    fn log(&self) -> String {
        format!("{PROGRAM}-{}", self.name)
    }

    /// Runs the agent's program to its end, on the host, and gives what it said.
    fn asked(&self, ground: &Ground, arguments: &[&str]) -> anyhow::Result<String> {
        let log = self.log();
        let mut command: Command = ground.command(&ground.program(PROGRAM), &log)?;
        command.args(arguments).arg("--config").arg(&self.config);
        match self.apart() {
            Some(apart) => apart.within(|| ground.run(&log, &mut command)),
            None => ground.run(&log, &mut command),
        }
    }

    /// An agent that sees what the demo made. Where it cannot be confined to that, it only observes:
    /// a process that the demo did not start must never be killed by it.
    fn settings(&self, folder: &Path, centre: &Centre) -> String {
        let scope = match &self.cgroup {
            Some(it) => format!("scope = \"cgroup:{}\"\npolicy = \"enforce\"\n", it.path),
            None => "scope = \"host\"\npolicy = \"observe\"\n".to_owned(),
        };
        let watched: Vec<String> = match &self.place {
            Some(_) => site::watched().map(|it| format!("\"{it}\"")).collect(),
            None => vec![format!("\"{}\"", folder.join("files").display())],
        };
        format!(
            "data_dir = \"{}\"\ncollector = [\"{}\"]\nenrolment = [\"{}\"]\n{scope}file_paths = [{}]\n",
            folder.join("agent").display(),
            centre.addresses.sessions,
            centre.addresses.enrolment,
            watched.join(", "),
        )
    }
}

fn one_host() -> view::NewToken {
    view::NewToken {
        hosts_max: 1,
        lifetime_ms: 600_000,
        networks: Vec::new(),
        labels: vec!["purpose=demo".to_owned()],
        tier: "standard".to_owned(),
        is_held: false,
    }
}
