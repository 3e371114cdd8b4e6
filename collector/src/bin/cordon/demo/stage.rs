//! The staged deed: what the demo does that looks like an attack, in a process of its own.
//!
//! A hidden verb of `cordon`, so that it can enter a cgroup and a network namespace without taking
//! the demo along. It is told what to do by lines on its standard input and answers each with one JSON
//! line on its standard output; when the input ends it ends what it started, and itself.
//!
//! ```text
//! shell MARKER     → {"shell":{"pid":N,"at_ns":N}}     a shell with a socket as stdin, stdout and stderr
//! end              → {"ended":{"signal":N,"at_ns":N}}  waits for the end of the oldest shell
//! stop             → as `end`, after ending it
//! launch N MARKER  → {"launched":N}                    N short-lived programs, as fast as they end
//! ```
//!
//! The shell is real and harmless: nobody writes to its socket, so that it waits for a first line for
//! as long as it lives. It touches nothing outside of its namespace.

use std::{
    collections::VecDeque,
    fs::OpenOptions,
    io::{self, BufRead as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, anyhow, bail};
use cordon_shared::time::{Clock as _, SystemClock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::loopback;

/// Programs at most in one `launch` (chosen: seconds of work).
const LAUNCHES_MAX: u64 = 100_000;

/// What the stage answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// A shell was started.
    Shell {
        /// Its process id, in the initial namespace.
        pid: i32,
        /// Wall clock just before, ns since 1970.
        at_ns: i64,
    },
    /// A shell ended.
    Ended {
        /// The signal that ended it; `None`: it ended by itself.
        signal: Option<i32>,
        /// Wall clock just after, ns since 1970.
        at_ns: i64,
    },
    /// So many programs were started and have ended.
    Launched(u64),
}

/// One wired shell, with the other end of its socket.
struct Shell {
    pid: Pid,
    /// Names this process and no later one of the same number.
    process: OwnedFd,
    /// Waits for its end, so that the time of it is not that of the question.
    end: thread::JoinHandle<io::Result<Answer>>,
    _far: OwnedFd,
}

impl Shell {
    fn watch(mut child: Child, far: OwnedFd) -> anyhow::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("read a process id")?;
        let process = pidfd_open(pid, PidfdFlags::empty()).context("hold a process")?;
        let end = thread::spawn(move || {
            let signal = child.wait()?.signal();
            Ok(Answer::Ended { signal, at_ns: SystemClock.now().as_ns() })
        });
        Ok(Self { pid, process, end, _far: far })
    }

    fn stop(&self) {
        // One that has ended needs no signal.
        let _ended = pidfd_send_signal(&self.process, Signal::KILL);
    }

    fn end(self) -> anyhow::Result<Answer> {
        let ended = self.end.join().map_err(|_panic| anyhow!("the waiting thread is gone"))?;
        ended.context("wait for the shell")
    }
}

/// Plays the stage: in `cgroup` and a network namespace of its own when it may.
///
/// # Errors
/// What could not be done.
pub(crate) fn run(cgroup: Option<&Path>) -> anyhow::Result<()> {
    let is_apart = match cgroup {
        Some(folder) => {
            enter(folder)?;
            loopback::enter_network_namespace().is_ok()
        }
        None => false,
    };
    let mut shells = VecDeque::new();
    for line in io::stdin().lock().lines() {
        let line = line.context("read what to do")?;
        answer(&act(&line, is_apart, &mut shells)?)?;
    }
    for shell in shells {
        shell.stop();
        shell.end()?;
    }
    Ok(())
}

fn act(line: &str, is_apart: bool, shells: &mut VecDeque<Shell>) -> anyhow::Result<Answer> {
    let words: Vec<_> = line.split(' ').collect();
    match words.as_slice() {
        ["shell", marker] => {
            let at_ns = SystemClock.now().as_ns();
            let shell = wired(marker, is_apart)?;
            let pid = shell.pid.as_raw_nonzero().get();
            shells.push_back(shell);
            Ok(Answer::Shell { pid, at_ns })
        }
        ["end" | "stop"] => {
            let shell = shells.pop_front().context("find a shell")?;
            if line == "stop" {
                shell.stop();
            }
            shell.end()
        }
        ["launch", count, marker] => {
            let count: u64 = count.parse().context("read a number")?;
            for index in 0..count.min(LAUNCHES_MAX) {
                launch(&format!("{marker}-{index}"))?;
            }
            Ok(Answer::Launched(count.min(LAUNCHES_MAX)))
        }
        _ => bail!("cannot do `{line}`"),
    }
}

/// A cgroup takes in whoever writes 0 to it.
fn enter(cgroup: &Path) -> anyhow::Result<()> {
    let procs = cgroup.join("cgroup.procs");
    let opened = OpenOptions::new().write(true).open(&procs);
    opened.and_then(|mut it| it.write_all(b"0")).context("enter the demo's cgroup")
}

/// A shell whose three descriptors are one socket: over TCP where the namespace is ours, else a pair.
#[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
fn wired(marker: &str, is_apart: bool) -> anyhow::Result<Shell> {
    let (near, far) = if is_apart { tcp()? } else { pair()? };
    let end = |it: &OwnedFd| it.try_clone().map(Stdio::from).context("hand a socket on");
    let (stdin, stdout) = (end(&near)?, end(&near)?);
    let child = Command::new("/bin/sh")
        .args(["-s", marker])
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::from(near))
        .spawn()
        .context("start a shell")?;
    Shell::watch(child, far)
}

fn tcp() -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    let near = TcpStream::connect(listener.local_addr()?).context("connect")?;
    let (far, _) = listener.accept().context("accept")?;
    Ok((near.into(), far.into()))
}

fn pair() -> anyhow::Result<(OwnedFd, OwnedFd)> {
    let (near, far) = UnixStream::pair().context("make a pair of sockets")?;
    Ok((near.into(), far.into()))
}

#[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
fn launch(marker: &str) -> anyhow::Result<()> {
    let status = Command::new("/bin/true").arg(marker).stdin(Stdio::null()).status();
    if !status.context("start `/bin/true`")?.success() {
        bail!("`/bin/true` failed");
    }
    Ok(())
}

fn answer(answer: &Answer) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?).and_then(|()| out.flush())?;
    Ok(())
}
