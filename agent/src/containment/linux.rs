//! [`Host`] on Linux: the second and last home of calls that do something to a process.
//!
//! A process is held by pidfd (`pidfd_open(2)`, Linux 5.3). Only then is its start time read: if the
//! process that was opened had ended meanwhile, and its pid been given to another, the start time is
//! that other's, or the signal finds nobody. So a signal reaches the process that was meant, or none
//! (F-38).
//!
//! It needs no privilege of its own; what the agent may not signal, the kernel refuses.

pub mod files;

pub mod link;

pub mod netfilter;

mod netlink;

pub mod sockets;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Read},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    process,
    time::Duration,
};

use cordon_shared::{
    digest::{Hasher, Sha256},
    id::ProcessKey,
    text::Text,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal as KernelSignal, pidfd_open, pidfd_send_signal},
};

use super::host::{Hit, Host, HostError, HostFacts, Process, Signal, State};

/// `PF_KTHREAD` of linux/sched.h: field 9 of `/proc/PID/stat`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// A line of `/proc/PID/stat` is far shorter: 52 numbers and a name of 64 bytes at most.
const STAT_BYTES_MAX: u64 = 4_096;

/// Bytes read at one time when an executable is hashed.
const CHUNK_BYTES: usize = 64 << 10;

/// The host that this program runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

/// Fields of `/proc/PID/stat`, proc(5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    state: State,
    parent: u32,
    group: u32,
    session: u32,
    is_kernel: bool,
    start_ticks: u64,
}

/// Reads the line; the name in parentheses may hold anything, so fields begin after the last `)`.
fn parse(line: &[u8]) -> Option<Stat> {
    let end = line.iter().rposition(|it| *it == b')')?;
    let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first of them is field 3 of proc(5).
    let number = |field: usize| fields.get(field - 3).and_then(|it| it.parse::<u64>().ok());
    let pid = |field| number(field).and_then(|it| u32::try_from(it).ok());
    let state = match *fields.first()? {
        "Z" | "X" | "x" => State::Gone,
        "T" => State::Stopped,
        _ => State::Alive,
    };
    Some(Stat {
        state,
        parent: pid(4)?,
        group: pid(5)?,
        session: pid(6)?,
        is_kernel: number(9)? & PF_KTHREAD != 0,
        start_ticks: number(22)?,
    })
}

/// `None` when there is no such process any more.
fn stat(pid: u32) -> Result<Option<Stat>, HostError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(512);
        File::open(format!("/proc/{pid}/stat"))?.take(STAT_BYTES_MAX).read_to_end(&mut line)?;
        Ok(line)
    };
    match read() {
        Ok(line) => match parse(&line) {
            Some(stat) => Ok(Some(stat)),
            None => Err(failed("read the state of a process")(ErrorKind::InvalidData.into())),
        },
        // ESRCH: it ended between open and read.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(failed("read the state of a process")(error)),
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> HostError {
    move |source| HostError { doing, source }
}

/// Takes hold of a process; `None` when it has ended or the pid is another's.
fn hold(process: ProcessKey) -> Result<Option<OwnedFd>, HostError> {
    let raw = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = raw else { return Ok(None) };
    let held = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => held,
        Err(Errno::SRCH) => return Ok(None),
        Err(error) => return Err(failed("take hold of a process")(error.into())),
    };
    // Only now: see the module.
    let stat = stat(process.pid)?;
    Ok(stat.is_some_and(|it| it.start_ticks == process.start_ticks).then_some(held))
}

impl Host for Linux {
    fn facts(&self) -> Result<HostFacts, HostError> {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc").map_err(failed("list the processes"))? {
            // One that vanishes while it is listed is one that ended.
            let Ok(entry) = entry else { continue };
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(Some(stat)) = stat(pid) else { continue };
            let exe = fs::read_link(format!("/proc/{pid}/exe"))
                .map_or(Text::EMPTY, |it| Text::from(it.into_os_string().into_vec()));
            let key = ProcessKey { pid, start_ticks: stat.start_ticks };
            let process = Process {
                key,
                parent: stat.parent,
                group: stat.group,
                session: stat.session,
                state: stat.state,
                is_kernel: stat.is_kernel,
                exe,
            };
            processes.insert(pid, process);
        }
        Ok(HostFacts { own_pid: process::id(), processes })
    }

    fn state(&self, process: ProcessKey) -> Result<State, HostError> {
        let stat = stat(process.pid)?.filter(|it| it.start_ticks == process.start_ticks);
        Ok(stat.map_or(State::Gone, |it| it.state))
    }

    fn exe_sha256(&self, process: ProcessKey) -> Result<Sha256, HostError> {
        let doing = "read the executable of a process";
        let gone = || failed(doing)(ErrorKind::NotFound.into());
        let held = hold(process)?.ok_or_else(gone)?;
        let mut file = File::open(format!("/proc/{}/exe", process.pid)).map_err(failed(doing))?;
        // The link was followed by pid: it was this process's only if it still lives.
        if has_ended(&held, Duration::ZERO)? {
            return Err(gone());
        }
        let mut hasher = Hasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(failed(doing)(error)),
            }
        }
    }

    fn signal(&self, process: ProcessKey, signal: Signal) -> Result<Hit, HostError> {
        let Some(held) = hold(process)? else { return Ok(Hit::Gone) };
        let (signal, doing) = match signal {
            Signal::Stop => (KernelSignal::STOP, "stop a process"),
            Signal::Continue => (KernelSignal::CONT, "let a process go on"),
            Signal::Kill => (KernelSignal::KILL, "end a process"),
        };
        match pidfd_send_signal(&held, signal) {
            Ok(()) => Ok(Hit::Sent),
            Err(Errno::SRCH) => Ok(Hit::Gone),
            Err(error) => Err(failed(doing)(error.into())),
        }
    }

    fn wait_gone(&self, process: ProcessKey, timeout: Duration) -> Result<bool, HostError> {
        match hold(process)? {
            Some(held) => has_ended(&held, timeout),
            None => Ok(true),
        }
    }
}

/// A pidfd becomes readable when its process ends, zombie or not.
fn has_ended(held: &OwnedFd, timeout: Duration) -> Result<bool, HostError> {
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let mut watched = [PollFd::new(held, PollFlags::IN)];
    match poll(&mut watched, Some(&timeout)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(failed("wait for the end of a process")(error.into())),
    }
}

#[cfg(test)]
mod tests;
