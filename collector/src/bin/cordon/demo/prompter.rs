//! The demo's end of a stage's pipes.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context as _, bail};

use super::{ground::Ground, host::Host, site::Account, stage::Answer};

/// What the staged web server's program is called on its host.
const WEB_SERVER: &str = "nginx";

/// See the module.
pub(super) struct Stage {
    said: ChildStdin,
    heard: BufReader<ChildStdout>,
}

impl Stage {
    /// Starts it on a host: where that has namespaces of its own, as its web server.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn start(
        ground: &mut Ground,
        host: &Host,
        account: Option<&Account>,
    ) -> anyhow::Result<Self> {
        let mut program = ground.program("cordon");
        if host.place.is_some() {
            let folder = ground.folder.join(&host.name).join("sbin");
            fs::create_dir_all(&folder).context("make a folder for the web server")?;
            let server = folder.join(WEB_SERVER);
            fs::copy(&program, &server).context("set the web server up")?;
            program = server;
        }
        let mut command = ground.command(&program, &format!("stage-{}", host.name))?;
        command.arg("demo-stage").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(cgroup) = &host.cgroup {
            command.arg("--cgroup").arg(&cgroup.folder);
        }
        if host.place.is_some() {
            command.arg("--networked");
        }
        if let Some(Account { id: (user, group), .. }) = account {
            command.args(["--account", &user.to_string(), &group.to_string()]);
        }
        let mut child = ground.start(host.apart(), &mut command)?;
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
