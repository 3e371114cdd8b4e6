//! Network: connect, accept, close, fail, listen; name look-ups.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::process::Process;
use crate::text::Text;

/// The protocol above IP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// ICMP for IPv6.
    Icmp6,
    /// SCTP.
    Sctp,
}

impl Transport {
    /// IANA's number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp6 => 58,
            Self::Sctp => 132,
        }
    }

    /// IANA's name, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp6 => "ipv6-icmp",
            Self::Sctp => "sctp",
        }
    }
}

/// What became of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The local side asked and got it.
    Connect,
    /// The remote side asked and was let in.
    Accept,
    /// It ended.
    Close,
    /// Asked for and not got.
    Fail,
}

/// Who asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// The remote side.
    Inbound,
    /// The local side.
    Outbound,
}

/// A connection began, failed or ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Connection {
    /// What became of it.
    pub action: Action,
    /// The local process.
    pub actor: Option<Arc<Process>>,
    /// Protocol.
    pub transport: Transport,
    /// Who asked, when known.
    pub direction: Option<Direction>,
    /// This side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// The same for all events of one connection on one boot of one host; 0 when not known.
    pub flow: u64,
    /// On close: what this side sent.
    pub bytes_sent: u64,
    /// On close: what this side received.
    pub bytes_received: u64,
    /// On close: how long it lasted.
    pub duration: Duration,
}

/// A socket began to listen.
#[derive(Clone, PartialEq, Debug)]
pub struct Listen {
    /// The local process.
    pub actor: Option<Arc<Process>>,
    /// Protocol.
    pub transport: Transport,
    /// Where.
    pub local: SocketAddr,
}

/// A name was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct DnsQuery {
    /// The local process.
    pub actor: Option<Arc<Process>>,
    /// In presentation form, without the last dot.
    pub name: Text,
    /// RR type, RFC 1035 section 3.2.2.
    pub kind: u16,
    /// Who was asked.
    pub server: Option<(IpAddr, u16)>,
}
