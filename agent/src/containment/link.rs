//! The only door to the host's network: what can be asked of it and done to it.
//!
//! [`Link`] has two implementations: [`Linux`](super::linux::link::Linux), and the one of a test.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    firewall::{Cgroup, Opening, Ruleset},
    host::HostError,
};

/// What an isolation needs to know beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkFacts {
    /// Where the collector is, sessions and enrolment; or the HTTP proxy on the way to it.
    pub far_ends: Vec<SocketAddr>,
    /// Whether they are a proxy's.
    pub is_proxied: bool,
    /// The agent's own cgroup; `None` when it is the root's, which is everybody's.
    pub cgroup: Option<Cgroup>,
    /// The servers that the host's addresses are leased from.
    pub dhcp: Vec<IpAddr>,
    /// Whether others than this agent's scope use the network that would be closed.
    pub is_shared: bool,
    /// Whether the root file system comes over the network.
    pub is_root_remote: bool,
}

impl LinkFacts {
    /// What stays open in every isolation.
    #[must_use]
    pub fn openings(&self) -> Vec<Opening> {
        let collector =
            self.far_ends.iter().map(|at| Opening::Collector { at: *at, only: self.cgroup });
        let dhcp = self.dhcp.iter().map(|it| Opening::Dhcp(*it));
        [Opening::Loopback, Opening::Neighbours].into_iter().chain(collector).chain(dhcp).collect()
    }
}

/// The door.
pub trait Link: Send + fmt::Debug {
    /// One look. `known` are the collector's addresses of an earlier one: they stand in for names that
    /// do not resolve now.
    ///
    /// # Errors
    /// [`HostError`] when no address of the collector is known, or the host cannot be read.
    fn facts(&self, known: &[SocketAddr]) -> Result<LinkFacts, HostError>;

    /// Lets through what the ruleset leaves open and nothing else, from now on and at once.
    ///
    /// # Errors
    /// [`HostError`]: nothing was changed.
    fn close(&self, ruleset: &Ruleset) -> Result<(), HostError>;

    /// Lets everything through again; says whether it was closed.
    ///
    /// # Errors
    /// [`HostError`]: nothing was changed.
    fn open(&self) -> Result<bool, HostError>;

    /// Whether it is closed now.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be asked.
    fn is_closed(&self) -> Result<bool, HostError>;

    /// Ends the live connections that the ruleset does not keep; returns how many, and how many it
    /// could not end.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be asked.
    fn cut(&self, ruleset: &Ruleset) -> Result<(usize, usize), HostError>;

    /// Whether one of these answers within `timeout`.
    fn reaches(&self, far_ends: &[SocketAddr], timeout: Duration) -> bool;

    /// What still gets out, for people: empty when everything that was tried was stopped.
    ///
    /// # Errors
    /// [`HostError`] when it cannot be tried.
    fn leaks(&self, ruleset: &Ruleset) -> Result<Vec<String>, HostError>;
}

#[cfg(test)]
pub(crate) mod tests;
