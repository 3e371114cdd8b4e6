//! What the demo stands on: its folder, its sibling programs, its cgroups, and the watchdog that
//! removes all of it afterwards.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use cordon_shared::durable;
use rustix::process::{WaitOptions, wait};

use super::apart::Apart;

/// Lines of a failed program's log that are shown.
const LOG_LINES_SHOWN: usize = 8;

/// See the module.
pub(super) struct Ground {
    /// Everything that the demo writes is below it.
    pub(super) folder: PathBuf,
    programs: PathBuf,
    watchdog: Watchdog,
}

/// A cgroup of the demo's own.
pub(super) struct Cgroup {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its path below the hierarchy, as an agent's scope names it.
    pub(super) path: String,
}

struct Watchdog {
    child: Child,
    said: Option<ChildStdin>,
    heard: BufReader<ChildStdout>,
}

impl Ground {
    /// Makes the folder; nothing runs yet but the watchdog.
    ///
    /// # Errors
    /// When a sibling program is missing, or the folder cannot be made.
    pub(super) fn make(is_kept: bool) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("find the programs")?;
        let programs = own.parent().context("find the programs")?.to_owned();
        for name in ["cordon-agent", "cordon-collector"] {
            let path = programs.join(name);
            let is_there = path.try_exists().context("look for the programs")?;
            ensure!(is_there, "`{}` is missing: run `cargo build --release`", path.display());
        }
        let mut watchdog = Watchdog::start(&own)?;
        let folder = tempfile::Builder::new().prefix("cordon-demo-").tempdir();
        let folder = folder.context("make a temporary folder")?.keep();
        watchdog.tell(&format!("folder {}", folder.display()))?;
        if is_kept {
            watchdog.keep()?;
        }
        Ok(Self { folder, programs, watchdog })
    }

    /// One more cgroup of the demo's own; `None` where this user may not make one.
    ///
    /// # Errors
    /// When the watchdog is gone.
    pub(super) fn cgroup(&mut self, name: &str) -> anyhow::Result<Option<Cgroup>> {
        let made = make_cgroup(&self.folder, name);
        if let Some(it) = &made {
            self.watchdog.tell(&format!("cgroup {}", it.folder.display()))?;
        }
        Ok(made)
    }

    /// Where one of our programs lies.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A command that starts a program, apart from the terminal's signals, with its log in the demo's
    /// folder.
    #[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
    pub(super) fn command(&self, program: &Path, log: &str) -> anyhow::Result<Command> {
        let log = self.log(log);
        let log = File::options().create(true).append(true).open(&log).context("open a log")?;
        let mut command = Command::new(program);
        command.process_group(0).stdin(Stdio::null()).stderr(log).current_dir(&self.folder);
        Ok(command)
    }

    /// The same for a program that is to be alone in a cgroup.
    pub(super) fn command_in(
        &self,
        cgroup: &Cgroup,
        program: &Path,
        log: &str,
    ) -> anyhow::Result<Command> {
        let mut command = self.command(Path::new("/bin/sh"), log)?;
        // A cgroup takes in whoever writes 0 to it.
        command.args(["-c", "echo 0 > \"$0\" && exec \"$@\""]);
        command.arg(cgroup.folder.join("cgroup.procs")).arg(program);
        Ok(command)
    }

    /// Runs a command to its end and gives what it printed.
    ///
    /// # Errors
    /// With the end of its log, when it fails.
    pub(super) fn run(&self, log: &str, command: &mut Command) -> anyhow::Result<String> {
        let output = command.stdout(Stdio::piped()).output();
        let output = output.with_context(|| format!("start `{log}`"))?;
        if !output.status.success() {
            bail!("`{log}` ended with {}; its log ends:\n{}", output.status, self.tail(log));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a command that goes on running, known to the watchdog; in namespaces, where given.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(
        &mut self,
        apart: Option<&Apart>,
        command: &mut Command,
    ) -> anyhow::Result<Child> {
        let child = match apart {
            Some(apart) => apart.within(|| command.spawn().context("start a program")),
            None => command.spawn().context("start a program"),
        };
        let child = child?;
        self.watchdog.tell(&format!("child {}", child.id()))?;
        Ok(child)
    }

    /// Has the watchdog remove an agent's pinned kernel programs.
    ///
    /// # Errors
    /// When the watchdog is gone.
    pub(super) fn will_pin(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.watchdog.tell(&format!("pins {}", folder.display()))
    }

    /// The end of a log.
    pub(super) fn tail(&self, log: &str) -> String {
        let text = fs::read_to_string(self.log(log)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let shown = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.iter().skip(shown).map(|line| format!("    {line}\n")).collect()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Leaves the folder in place when everything else is removed.
    ///
    /// # Errors
    /// When the watchdog is gone.
    pub(super) fn keep(&mut self) -> anyhow::Result<()> {
        self.watchdog.keep()
    }

    /// Has everything removed, and waits for it.
    ///
    /// # Errors
    /// What was not removed.
    pub(super) fn clear(mut self) -> anyhow::Result<()> {
        drop(self.watchdog.said.take());
        let status = self.watchdog.child.wait().context("wait for the clean-up")?;
        // What it ended were this process's children: nobody else may ask after them.
        while let Ok(Some(_ended)) = wait(WaitOptions::NOHANG) {}
        ensure!(status.success(), "not everything could be removed; see above");
        Ok(())
    }
}

impl Watchdog {
    #[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
    fn start(own: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(own);
        command.arg("demo-watchdog").process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.context("start the watchdog")?;
        let said = child.stdin.take();
        let heard = child.stdout.take().context("listen to the watchdog")?;
        Ok(Self { child, said, heard: BufReader::new(heard) })
    }

    /// Tells it what was made, and waits until it knows.
    fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let said = self.said.as_mut().context("talk to the watchdog")?;
        writeln!(said, "{line}").context("talk to the watchdog")?;
        let mut answer = String::new();
        self.heard.read_line(&mut answer).context("listen to the watchdog")?;
        ensure!(answer == "ok\n", "the watchdog is gone");
        Ok(())
    }

    fn keep(&mut self) -> anyhow::Result<()> {
        self.tell("keep")
    }
}

/// A cgroup named after the demo's folder, in the v2 hierarchy wherever that is mounted.
fn make_cgroup(folder: &Path, name: &str) -> Option<Cgroup> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    let root = fields.find_map(|mut it| {
        let (_, at, kind) = (it.next()?, it.next()?, it.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    })?;
    let name = format!("{}-{name}", folder.file_name()?.to_str()?);
    let folder = root.join(&name);
    fs::create_dir(&folder).ok()?;
    Some(Cgroup { folder, path: format!("/{name}") })
}

/// One of our programs, while it runs.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Ends it as nobody expects it: `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        ensure!(self.0.try_wait()?.is_none(), "it had ended before it was killed");
        self.0.kill().context("kill it")?;
        self.0.wait().context("wait for its end")?;
        Ok(())
    }
}

/// Writes a small file of the demo's own.
///
/// # Errors
/// The disk's.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = durable::write(path, text.as_bytes(), durable::MODE_SECRET);
    written.with_context(|| format!("write `{}`", path.display()))
}
