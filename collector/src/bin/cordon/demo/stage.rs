//! The staged deeds: what the demo does that looks like an attack, in a process of its own.
//!
//! A hidden verb of `cordon`, so that it can enter a cgroup without taking the demo along; on a host
//! of its own it runs under the name of a web server. It is told what to do by lines on its standard
//! input and answers each with one JSON line on its standard output; when the input ends it ends what
//! it started, and itself.
//!
//! ```text
//! shell MARKER        → {"begun":{"pid":N,"at_ns":N}}   a shell with a socket as stdin, stdout and stderr
//! call ADDRESS:PORT   → the same, its socket connected to there, as the service's account
//! program PATH MARKER → the same: a program that waits, as the service's account
//! end                 → {"ended":{"signal":N,"at_ns":N}}  waits for the end of the oldest of them
//! stop                → as `end`, after ending it
//! launch N MARKER     → {"launched":N}                    N short-lived programs, as fast as they end
//! ```
//!
//! The shell is real and harmless: it does what its other end says, and that end is the demo's.

use std::{
    collections::VecDeque,
    fs::OpenOptions,
    io::{self, BufRead as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, anyhow, bail};
use cordon_shared::time::{Clock as _, SystemClock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// Programs at most in one `launch` (chosen: seconds of work).
const LAUNCHES_MAX: u64 = 100_000;

/// How the stage is set.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The cgroup to enter.
    #[arg(long)]
    pub(crate) cgroup: Option<PathBuf>,
    /// Whether the network is the demo's own.
    #[arg(long)]
    pub(crate) networked: bool,
    /// The service's user and group, as numbers.
    #[arg(long, num_args = 2)]
    pub(crate) account: Vec<u32>,
}

/// What the stage answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Something was started.
    Begun {
        /// Its process id, in the initial namespace.
        pid: i32,
        /// Wall clock just before, ns since 1970.
        at_ns: i64,
    },
    /// It ended.
    Ended {
        /// The signal that ended it; `None`: it ended by itself.
        signal: Option<i32>,
        /// Wall clock just after, ns since 1970.
        at_ns: i64,
    },
    /// So many programs were started and have ended.
    Launched(u64),
}

/// Something that was started, with what must stay open for it.
struct Deed {
    pid: Pid,
    /// Names this process and no later one of the same number.
    process: OwnedFd,
    /// Waits for its end, so that the time of it is not that of the question.
    end: thread::JoinHandle<io::Result<Answer>>,
    _far: Option<OwnedFd>,
}

impl Deed {
    fn watch(mut child: Child, far: Option<OwnedFd>) -> anyhow::Result<Self> {
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
        ended.context("wait for its end")
    }
}

/// Plays the stage.
///
/// # Errors
/// What could not be done.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(folder) = &options.cgroup {
        enter(folder)?;
    }
    let mut deeds = VecDeque::new();
    for line in io::stdin().lock().lines() {
        let line = line.context("read what to do")?;
        answer(&act(&line, options, &mut deeds)?)?;
    }
    for deed in deeds {
        deed.stop();
        deed.end()?;
    }
    Ok(())
}

fn act(line: &str, options: &Options, deeds: &mut VecDeque<Deed>) -> anyhow::Result<Answer> {
    let at_ns = SystemClock.now().as_ns();
    let mut begin = |deed: Deed| {
        let pid = deed.pid.as_raw_nonzero().get();
        deeds.push_back(deed);
        Ok(Answer::Begun { pid, at_ns })
    };
    let words: Vec<_> = line.split(' ').collect();
    match words.as_slice() {
        ["shell", marker] => {
            let (near, far) = if options.networked { tcp()? } else { pair()? };
            begin(shell(&["-s", marker], near, Some(far), &[])?)
        }
        ["call", address] => {
            let address: SocketAddr = address.parse().context("read an address")?;
            let near = TcpStream::connect(address).context("call the far end")?;
            begin(shell(&["-i"], near.into(), None, &options.account)?)
        }
        ["program", path, marker] => begin(program(path, marker, &options.account)?),
        ["end" | "stop"] => {
            let deed = deeds.pop_front().context("find what was started")?;
            if line == "stop" {
                deed.stop();
            }
            deed.end()
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

/// A shell whose three descriptors are one socket.
#[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
fn shell(
    arguments: &[&str],
    near: OwnedFd,
    far: Option<OwnedFd>,
    account: &[u32],
) -> anyhow::Result<Deed> {
    let end = |it: &OwnedFd| it.try_clone().map(Stdio::from).context("hand a socket on");
    let (stdin, stdout) = (end(&near)?, end(&near)?);
    let mut command = Command::new("/bin/sh");
    command.args(arguments).stdin(stdin).stdout(stdout).stderr(Stdio::from(near));
    Deed::watch(as_service(&mut command, account).spawn().context("start a shell")?, far)
}

/// A program that waits to be ended: the interpreter that the intruder brought.
#[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
fn program(path: &str, marker: &str, account: &[u32]) -> anyhow::Result<Deed> {
    let mut command = Command::new(path);
    command.args(["-e", "sleep 600", marker]).stdin(Stdio::null()).stdout(Stdio::null());
    Deed::watch(as_service(&mut command, account).spawn().context("start a program")?, None)
}

/// As the service's account, where there is one.
fn as_service<'a>(command: &'a mut Command, account: &[u32]) -> &'a mut Command {
    if let [user, group] = account {
        command.uid(*user).gid(*group);
    }
    command.current_dir("/")
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
