//! A process of the tests: its output in files, its limits, its death.
//!
//! A process can be put into a cgroup or network namespace, run as another user or under limits
//! before its first instruction: a shell in front of it does so and then becomes it, so that the pid
//! is the program's. When a [`Child`] is dropped its process is killed.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{network::Namespace, wait};

/// How a process is to be started; can be started many times.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    before: Vec<String>,
    wrapper: Vec<OsString>,
}

impl Launch {
    /// A process that logs call `name`.
    #[must_use]
    pub fn new(name: &str, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            before: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it in this cgroup.
    #[must_use]
    pub fn in_cgroup(mut self, cgroup: &crate::cgroup::Cgroup) -> Self {
        self.before.push(format!("echo $$ > '{}'", cgroup.procs().display()));
        self
    }

    /// Starts it in this network namespace, and changes nothing else of its world: `ip netns exec`
    /// would give it another `/sys`, without cgroups and pins.
    #[must_use]
    pub fn in_network(mut self, namespace: &Namespace) -> Self {
        let mut entry = OsString::from("--net=");
        entry.push(namespace.path());
        self.wrapper.extend(["nsenter".into(), entry]);
        self
    }

    /// Limits a resource, by the letter that the shell's `ulimit` gives it: `n` open files, `v`
    /// address space in KiB, `f` file size in blocks of 512 bytes.
    #[must_use]
    pub fn limited(mut self, resource: char, value: u64) -> Self {
        self.before.push(format!("ulimit -{resource} {value}"));
        self
    }

    /// Runs it as another user and group, without further groups.
    #[must_use]
    pub fn as_user(mut self, uid: u32) -> Self {
        let ids = [format!("--reuid={uid}"), format!("--regid={uid}")];
        self.wrapper.extend(["setpriv", "--clear-groups"].map(OsString::from));
        self.wrapper.extend(ids.map(OsString::from));
        self
    }

    /// Starts it; its output goes to `LOGS/NAME.log`, after what an earlier start wrote.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, logs: &Path) -> anyhow::Result<Child> {
        let log = logs.join(format!("{}.log", self.name));
        let out = File::options().create(true).append(true).open(&log).context("open a log")?;
        let process = self
            .command()
            .stdin(Stdio::null())
            .stdout(out.try_clone().context("share a log")?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("start `{}`", self.name))?;
        Ok(Child { launch: self.clone(), process, log, logs: logs.to_path_buf() })
    }

    /// Runs it to its end and returns what it printed.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than `deadline`; not when it fails.
    pub fn run(&self, deadline: Duration) -> anyhow::Result<Output> {
        let folder = tempfile::tempdir().context("make a folder for output")?;
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut process = self
            .command()
            .stdin(Stdio::null())
            .stdout(File::create(&out).context("open a file for output")?)
            .stderr(File::create(&err).context("open a file for errors")?)
            .spawn()
            .with_context(|| format!("start `{}`", self.name))?;
        let ended = ended(&self.name, &mut process, deadline);
        if ended.is_err() {
            process.kill().context("kill what takes too long")?;
            process.wait().context("wait for what was killed")?;
        }
        let read = |path| fs::read(path).map(|it| String::from_utf8_lossy(&it).into_owned());
        let (stdout, stderr) = (read(&out)?, read(&err)?);
        let status = ended.with_context(|| format!("it said: {stdout}{stderr}"))?;
        Ok(Output { name: self.name.clone(), status, stdout, stderr })
    }

    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    fn command(&self) -> Command {
        let mut line: Vec<&OsStr> = self.wrapper.iter().map(OsString::as_os_str).collect();
        line.push(self.program.as_os_str());
        line.extend(self.arguments.iter().map(OsString::as_os_str));
        let mut command = if self.before.is_empty() {
            Command::new(line.remove(0))
        } else {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(format!("{} && exec \"$@\"", self.before.join(" && ")));
            shell.arg("sh");
            shell
        };
        command.args(line).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a process said and how it ended.
#[derive(Debug)]
pub struct Output {
    name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// The exit code; 128 and the signal where one ended it, as a shell counts.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// What it printed, if it ended with 0.
    ///
    /// # Errors
    /// With the exit code and everything that it said.
    pub fn expect_success(self) -> anyhow::Result<String> {
        if !self.status.success() {
            bail!("`{}` ended with {}: {}{}", self.name, self.code(), self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }
}

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Child {
    launch: Launch,
    process: process::Child,
    log: PathBuf,
    logs: PathBuf,
}

impl Child {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    /// When the kernel will not say.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.process.try_wait().context("ask after a process")?.is_none())
    }

    /// `SIGKILL`, and waits for its end.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().with_context(|| format!("kill `{}`", self.launch.name))?;
        self.process.wait().with_context(|| format!("wait for `{}`", self.launch.name))?;
        Ok(())
    }

    /// Sends a signal and goes on.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a pid")?;
        kill_process(pid, signal).with_context(|| format!("signal `{}`", self.launch.name))
    }

    /// `SIGTERM`, and waits for its end.
    ///
    /// # Errors
    /// When it takes longer than `deadline`; it is killed then.
    pub fn stop(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        if self.is_running()? {
            self.signal(Signal::TERM)?;
        }
        self.wait(deadline)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it takes longer than `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        ended(&self.launch.name, &mut self.process, deadline)
            .with_context(|| format!("its log ends: {}", self.log_end()))
    }

    /// Starts it again, with the same arguments, after it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let mut again = self.launch.start(&self.logs)?;
        std::mem::swap(&mut self.process, &mut again.process);
        Ok(())
    }

    /// The same process; when it is started again, then in this way.
    #[must_use]
    pub fn starting_again_as(mut self, launch: Launch) -> Self {
        self.launch = launch;
        self
    }

    /// `SIGKILL` and a new start.
    ///
    /// # Errors
    /// As [`Child::kill`] and [`Child::start_again`].
    pub fn kill_and_start(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.start_again()
    }

    /// Everything that it has printed so far, over all its starts.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.log).context("read a log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// CPU time that it has used, all threads together, in nanoseconds.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_ns(&self) -> anyhow::Result<u64> {
        cpu_ns(self.pid())
    }

    /// The most memory that it has had, in bytes (proc(5), `VmHWM`).
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory_bytes_peak(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.context("ask after memory")?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let kib = line.and_then(|it| it.trim().strip_suffix(" kB")).context("a peak of memory")?;
        Ok(kib.trim().parse::<u64>().context("read a peak of memory")? << 10)
    }

    fn log_end(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// CPU time of all threads of a process, in nanoseconds (proc(5), `schedstat`: the first field).
///
/// # Errors
/// When there is no such process.
pub fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("list threads")? {
        // A thread may end between the list and the look.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

/// CPU time of each thread of a process by the thread's name, in nanoseconds.
///
/// # Errors
/// As [`cpu_ns`].
pub fn cpu_ns_by_thread(pid: u32) -> anyhow::Result<Vec<(String, u64)>> {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("list threads")? {
        let folder = task?.path();
        let read = |name| fs::read_to_string(folder.join(name));
        let (Ok(name), Ok(text)) = (read("comm"), read("schedstat")) else { continue };
        let ns = text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
        threads.push((name.trim().to_owned(), ns));
    }
    Ok(threads)
}

fn ended(
    name: &str,
    process: &mut process::Child,
    deadline: Duration,
) -> anyhow::Result<ExitStatus> {
    wait::until(&format!("`{name}` ends"), deadline, || match process.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("it runs".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// Prints one line beside the test's result.
pub fn note(text: &str) {
    // A test that cannot print has nowhere to say so.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Says that a test shows less than it could here; the gate counts these lines.
pub fn degraded(what: &str, why: &str) {
    note(&format!("degraded: {what}: {why}"));
}

#[cfg(test)]
mod tests;
