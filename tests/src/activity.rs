//! Harmless deeds of a host, each with a marker that is found again in the lake.
//!
//! The doer is a process of its own, `deeds`, so that it can be put into an agent's cgroup and
//! network namespace: what it starts is then in there from its first instruction. What it has done it
//! prints as JSON, and only that counts as generated.

use std::{path::Path, time::Duration};

use anyhow::Context;
use cordon_shared::digest::Sha256;
use serde::{Deserialize, Serialize};

use crate::{
    binary::Program,
    child::{Child, Launch},
    oracle::Generated,
};

/// What a doer has done, as it prints it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// What the markers begin with; the deeds are numbered from 0: `MARKER-0`, `MARKER-1`, ….
    pub marker: String,
    /// How many deeds.
    pub count: u64,
    /// How long they took.
    pub elapsed_ms: u64,
    /// How long each shell that was caught lived, in microseconds: from before its launch to its end.
    #[serde(default)]
    pub lived_us: Vec<u64>,
}

impl Done {
    /// Every marker, in order.
    pub fn markers(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|index| format!("{}-{index}", self.marker))
    }

    /// What the lake must hold of launches: each marker, with arguments and the executable's digest.
    ///
    /// # Errors
    /// When the executable cannot be read.
    pub fn launches(&self) -> anyhow::Result<Generated> {
        let sha256 = Sha256::of(&std::fs::read(LAUNCHED).context("read what is launched")?);
        let of = |marker: String| {
            let payload = format!("{LAUNCHED} {marker}|{sha256}");
            (marker, payload)
        };
        Ok(self.markers().map(of).collect())
    }
}

/// What [`Deed::Launch`] launches.
pub const LAUNCHED: &str = "/bin/true";

/// A kind of deed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// `/bin/true MARKER-N`, one after the other, as fast as the machine can.
    Launch,
    /// A file `MARKER-N`: created, written, closed, renamed to `MARKER-N.moved`, deleted.
    File,
    /// A TCP connection to 127.0.0.1, opened and closed; the count is all that marks it.
    Connect,
    /// A shell whose descriptors 0 to 2 are a TCP socket: `/bin/sh -c ': MARKER-N'`.
    SocketShell,
    /// The same, and it stays until somebody kills it: done once it was killed.
    CaughtShell,
}

impl Deed {
    /// Its word on the command line of `deeds`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::File => "file",
            Self::Connect => "connect",
            Self::SocketShell => "socket-shell",
            Self::CaughtShell => "caught-shell",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let quick = [Self::Launch, Self::File, Self::Connect, Self::SocketShell];
        quick.into_iter().chain([Self::CaughtShell]).find(|it| it.as_str() == word)
    }
}

/// How the deeds are to be done; put it into a cgroup before it is run.
///
/// # Errors
/// When the doer cannot be built.
pub fn launch(deed: Deed, marker: &str, count: u64, folder: &Path) -> anyhow::Result<Launch> {
    let launch = Launch::new("deeds", Program::Deeds.path()?);
    let count = count.to_string();
    Ok(launch
        .args([deed.as_str(), "--marker", marker, "--count", &count, "--folder"])
        .args([folder]))
}

/// Does the deeds to their end.
///
/// # Errors
/// When the doer fails, or takes longer than `deadline`.
pub fn run(launch: &Launch, deadline: Duration) -> anyhow::Result<Done> {
    let said = launch.run(deadline)?.expect_success()?;
    serde_json::from_str(&said).with_context(|| format!("read what the doer said: {said}"))
}

/// What a doer that was started in the background has done, after its end.
///
/// # Errors
/// When it has failed, or takes longer than `deadline`.
pub fn finish(doer: &mut Child, deadline: Duration) -> anyhow::Result<Done> {
    let status = doer.wait(deadline)?;
    let log = doer.log()?;
    anyhow::ensure!(status.success(), "the doer ended with {status}: {log}");
    let said = log.lines().last().unwrap_or_default();
    serde_json::from_str(said).with_context(|| format!("read what the doer said: {log}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deed, Done, launch, run};

    #[track_caller]
    fn check(deed: Deed) {
        let folder = tempfile::tempdir().unwrap();
        let done = run(&launch(deed, "m", 5, folder.path()).unwrap(), Duration::from_secs(30));
        let done = done.unwrap();
        assert_eq!((done.marker.as_str(), done.count), ("m", 5));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn launches_are_done_and_counted() {
        check(Deed::Launch);
    }

    #[test]
    fn files_are_churned_and_counted() {
        check(Deed::File);
    }

    #[test]
    fn connections_are_made_and_counted() {
        check(Deed::Connect);
    }

    #[test]
    fn shells_with_a_socket_are_started_and_counted() {
        check(Deed::SocketShell);
    }

    #[test]
    fn markers_are_numbered_from_0() {
        let done = Done { marker: "a".to_owned(), count: 2, elapsed_ms: 0, lived_us: Vec::new() };
        assert_eq!(done.markers().collect::<Vec<_>>(), ["a-0", "a-1"]);
    }
}
