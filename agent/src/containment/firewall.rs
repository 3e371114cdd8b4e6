//! What an isolated host may still say and hear, as a value; and the same as one netlink transaction.
//!
//! On the lower road: between plan and host. What stays open comes in, the bytes that the kernel takes
//! go out: one table of its own, with a chain each for what comes in, what goes out and what is passed
//! on, all of which drop what no rule lets through. One transaction makes all of it true at once, for
//! IPv4 and IPv6, or nothing (make before break); another removes all of it, and nothing else.
//!
//! Pure: it asks nobody, resolves no name and execs nothing. Source of the format: the kernel's
//! `include/uapi/linux/netfilter/nf_tables.h`, `nfnetlink.h` and `netlink.h`.

mod encode;

mod rule;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use cordon_shared::command::action::Network;

pub use self::encode::{is_there, make, remove};

/// The table's name: no other program's begins with it.
pub const TABLE: &str = "cordon";

/// Openings of one isolation (chosen: a command's allowed networks, and a collector of many addresses).
pub const OPENINGS_MAX: usize = 256;

/// Something that stays open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opening {
    /// What the host says to itself.
    Loopback,
    /// A port of the collector, over TCP.
    Collector {
        /// Address and port.
        at: SocketAddr,
        /// Whose sockets may: those of processes in this cgroup. Everybody's when there is none.
        only: Option<Cgroup>,
    },
    /// A network that the command names.
    Network(Network),
    /// `ICMPv6` that a link cannot do without: solicitations, advertisements (RFC 4861). ARP is not of
    /// IP and is not met here.
    Neighbours,
    /// The lease of the host's own address: UDP 68 to and from this server's 67.
    Dhcp(IpAddr),
}

/// A cgroup of version 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cgroup {
    /// Its id: the inode number of its folder.
    pub id: u64,
    /// How many folders it is below the root, at least 1.
    pub level: u8,
}

/// What stays open; all else is dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruleset(Vec<Opening>);

/// More is to stay open than can be said.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} openings: at most {OPENINGS_MAX} can stay open, name wider networks")]
pub struct TooMany(usize);

impl Ruleset {
    /// Keeps these open.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn new(openings: Vec<Opening>) -> Result<Self, TooMany> {
        if openings.len() > OPENINGS_MAX {
            return Err(TooMany(openings.len()));
        }
        Ok(Self(openings))
    }

    /// Whether a TCP connection with this far end may go on.
    #[must_use]
    pub fn keeps(&self, remote: SocketAddr) -> bool {
        let keeps = |it: &Opening| match it {
            Opening::Loopback => remote.ip().is_loopback(),
            Opening::Collector { at, .. } => *at == remote,
            Opening::Network(it) => it.holds(remote.ip()),
            Opening::Neighbours | Opening::Dhcp(_) => false,
        };
        self.0.iter().any(keeps)
    }

    /// What stays open.
    #[must_use]
    pub fn openings(&self) -> &[Opening] {
        &self.0
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => to.write_str("loopback"),
            Self::Collector { at, only: Some(_) } => write!(to, "{at} over TCP, the agent alone"),
            Self::Collector { at, only: None } => write!(to, "{at} over TCP"),
            Self::Network(it) => it.fmt(to),
            Self::Neighbours => to.write_str("neighbour discovery"),
            Self::Dhcp(server) => write!(to, "DHCP with {server}"),
        }
    }
}

#[cfg(test)]
mod tests;
