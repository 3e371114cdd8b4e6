//! Cleans up behind the demo, however the demo ends: by itself, by Ctrl-C, or by `kill -9`.
//!
//! A hidden verb of `cordon`, a process of its own that the demo tells, line by line, what it has
//! made. When the demo's end of the pipe closes, all of that goes. Nothing else is touched: processes
//! are held by file descriptor, so that a reused pid is another one.
//!
//! ```text
//! child PID      ends it: first by asking, after STOP_GRACE by force
//! cgroup FOLDER  kills what is in it and removes it
//! pins FOLDER    removes the agent's pinned kernel programs
//! folder FOLDER  removes it
//! keep           the folders stay
//! ```

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    os::fd::OwnedFd,
    path::PathBuf,
    time::Duration,
};

use cordon_shared::time::{Clock as _, SystemClock};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::wait;

/// How long a program may take to stop when asked (chosen: the agent seals and syncs what it has).
const STOP_GRACE: Duration = Duration::from_secs(6);
/// How long the kernel may take to end what is in a cgroup.
const CGROUP_GRACE: Duration = Duration::from_secs(5);

/// What was made, in that order.
#[derive(Default)]
struct Made {
    children: Vec<OwnedFd>,
    cgroups: Vec<PathBuf>,
    pins: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    is_kept: bool,
}

/// Listens until the demo is gone, then removes what it made.
///
/// # Errors
/// What could not be removed.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut made = Made::default();
    for line in io::stdin().lock().lines() {
        // A pipe that cannot be read ends like one that was closed.
        let Ok(line) = line else { break };
        made.take(&line);
        // The demo goes on when it knows that what it made is known.
        drop(writeln!(io::stdout(), "ok"));
    }
    made.clean()
}

impl Made {
    fn take(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("child", pid)) => {
                let pid = pid.parse().ok().and_then(Pid::from_raw);
                let opened = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                self.children.extend(opened);
            }
            Some(("cgroup", path)) => self.cgroups.push(path.into()),
            Some(("pins", path)) => self.pins.push(path.into()),
            Some(("folder", path)) => self.folders.push(path.into()),
            _ => self.is_kept |= line == "keep",
        }
    }

    /// In the reverse order of making: programs before what they use.
    fn clean(self) -> anyhow::Result<()> {
        for child in &self.children {
            signal(child, Signal::TERM);
        }
        let deadline = SystemClock.boottime().saturating_add(STOP_GRACE);
        for child in &self.children {
            if !has_ended(child, deadline.since(SystemClock.boottime())) {
                signal(child, Signal::KILL);
            }
        }
        // Each is tried, whatever became of the one before; the first failure is told.
        let folders = self.folders.iter().filter(|_| !self.is_kept);
        let cgroups: Vec<_> = self.cgroups.iter().map(remove_cgroup).collect();
        let removed: Vec<_> = self.pins.iter().chain(folders).map(remove).collect();
        cgroups.into_iter().chain(removed).collect()
    }
}

/// A process that has ended needs no signal.
fn signal(child: &OwnedFd, signal: Signal) {
    let _ended = pidfd_send_signal(child, signal);
}

/// A process's descriptor becomes readable when it ends.
fn has_ended(child: &OwnedFd, within: Duration) -> bool {
    let mut polled = [PollFd::new(child, PollFlags::IN)];
    let within = rustix::time::Timespec::try_from(within).ok();
    matches!(poll(&mut polled, within.as_ref()), Ok(1))
}

#[expect(clippy::disallowed_methods, reason = "a kernel's file, nothing to be made durable")]
fn remove_cgroup(folder: &PathBuf) -> anyhow::Result<()> {
    if !folder.try_exists()? {
        return Ok(());
    }
    fs::write(folder.join("cgroup.kill"), "1")?;
    let what = format!("`{}` is empty", folder.display());
    wait::until(&what, CGROUP_GRACE, || Ok(fs::remove_dir(folder).ok()))
}

fn remove(folder: &PathBuf) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(anyhow::Error::from(error).context(format!("remove `{}`", folder.display())))
        }
        _ => Ok(()),
    }
}
