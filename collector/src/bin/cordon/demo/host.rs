//! The demo's host: a cgroup and a network namespace of its own, an agent that sees nothing else,
//! and the stage on which the deed is done.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context as _, bail};
use cordon_collector::api::view;
use cordon_shared::id::{AgentId, BootId, ProcessKey, ProcessUid};

use super::{
    centre::Centre,
    ground::{Ground, Running, write},
    stage::Answer,
};

const PROGRAM: &str = "cordon-agent";
const STAGE: &str = "cordon";

/// The agent, enrolled and running.
pub(super) struct Host {
    running: Running,
    config: PathBuf,
    /// This enrolment.
    pub(super) agent: AgentId,
}

impl Host {
    /// Enrols an agent with a token that lets one host in, and starts it.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn enrol(ground: &mut Ground, centre: &Centre) -> anyhow::Result<Self> {
        let config = ground.folder.join("agent.toml");
        let watched = ground.folder.join("files");
        std::fs::create_dir(&watched).context("make the folder of files")?;
        write(&config, &settings(ground, centre, &watched))?;
        let token: view::MadeToken = centre.desk.post("/api/v1/tokens", &one_host())?;
        let mut enroll = ground.command(PROGRAM)?;
        enroll.arg("enroll").arg("--config").arg(&config).args(["--token", &token.token]);
        let said = ground.run(PROGRAM, &mut enroll)?;
        let agent = said.split_whitespace().find_map(AgentId::parse).context("read who it is")?;
        if let Some(folder) = pins(ground, &config)? {
            ground.will_pin(&folder)?;
        }
        let running = start(ground, &config)?;
        Ok(Self { running, config, agent })
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.running.kill().context("kill the agent")
    }

    /// Starts it again.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn start_again(&mut self, ground: &mut Ground) -> anyhow::Result<()> {
        self.running = start(ground, &self.config)?;
        Ok(())
    }

    /// The name of a process of this host in all events, while it lives.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn uid_of(&self, pid: i32) -> anyhow::Result<ProcessUid> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let boot = BootId::parse(boot.trim()).context("read the boot's id")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("find it")?;
        // The name may hold spaces and parentheses, so it ends at the last one (proc(5)).
        let behind = stat.rsplit_once(')').map(|(_, rest)| rest).context("read its start")?;
        let start_ticks = behind.split_whitespace().nth(19).and_then(|it| it.parse().ok());
        let key = ProcessKey {
            pid: u32::try_from(pid).context("read its number")?,
            start_ticks: start_ticks.context("read its start")?,
        };
        Ok(key.uid(self.agent, boot))
    }
}

fn start(ground: &mut Ground, config: &Path) -> anyhow::Result<Running> {
    let mut run = ground.command(PROGRAM)?;
    run.arg("run").arg("--config").arg(config).stdout(Stdio::null());
    Ok(Running(ground.start(PROGRAM, &mut run)?))
}

/// An agent that sees what the demo made. Where it cannot be confined to that, it only observes:
/// a process that the demo did not start must never be killed by it.
fn settings(ground: &Ground, centre: &Centre, watched: &Path) -> String {
    let scope = match &ground.cgroup {
        Some(it) => format!("scope = \"cgroup:{}\"\npolicy = \"enforce\"\n", it.path),
        None => "scope = \"host\"\npolicy = \"observe\"\n".to_owned(),
    };
    format!(
        "data_dir = \"{}\"\ncollector = [\"{}\"]\nenrolment = [\"{}\"]\n{scope}file_paths = [\"{}\"]\n",
        ground.folder.join("agent").display(),
        centre.addresses.sessions,
        centre.addresses.enrolment,
        watched.display(),
    )
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

/// Where the agent pins its kernel programs, as `status` says.
fn pins(ground: &Ground, config: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut status = ground.command(PROGRAM)?;
    status.arg("status").arg("--config").arg(config);
    let said = ground.run(PROGRAM, &mut status)?;
    let line = said.lines().find_map(|line| line.strip_prefix("pins"));
    Ok(line.map(|it| PathBuf::from(it.trim())))
}

/// The other end of the stage's pipes.
pub(super) struct Stage {
    said: ChildStdin,
    heard: BufReader<ChildStdout>,
}

impl Stage {
    /// Starts it in the host's cgroup.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn start(ground: &mut Ground) -> anyhow::Result<Self> {
        let mut command = ground.command(STAGE)?;
        command.arg("demo-stage").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(cgroup) = &ground.cgroup {
            command.arg("--cgroup").arg(&cgroup.folder);
        }
        let mut child = ground.start(STAGE, &mut command)?;
        let said = child.stdin.take().context("talk to the stage")?;
        let heard = child.stdout.take().context("listen to the stage")?;
        Ok(Self { said, heard: BufReader::new(heard) })
    }

    /// Has something done, and gives the answer.
    ///
    /// # Errors
    /// When the stage is gone.
    pub(super) fn ask(&mut self, line: &str) -> anyhow::Result<Answer> {
        self.tell(line)?;
        self.hear()
    }

    /// Has something done.
    ///
    /// # Errors
    /// When the stage is gone.
    pub(super) fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.said, "{line}").context("talk to the stage")
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// When the stage is gone.
    pub(super) fn hear(&mut self) -> anyhow::Result<Answer> {
        let mut answer = String::new();
        if self.heard.read_line(&mut answer).context("listen to the stage")? == 0 {
            bail!("the stage is gone; see its log");
        }
        serde_json::from_str(&answer).context("read the stage's answer")
    }
}
