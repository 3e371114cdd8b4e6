//! Every way out that an isolated host could have, tried: TCP, UDP, ICMP, DNS, over IPv4 and IPv6.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
};

use super::wire;

/// How long a connection is tried for: on this wire an answer takes microseconds.
const TRIED_FOR: Duration = Duration::from_millis(200);
/// `discard`, where nobody listens.
const NOBODY: u16 = 9;
const DNS: u16 = 53;
/// Packets are on the wire when the call returns; the far end reads them within this.
const SETTLES_WITHIN: Duration = Duration::from_millis(50);

/// A kind of packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// A connection.
    Tcp,
    /// A datagram.
    Udp,
    /// A question to a name server.
    Dns,
    /// An echo request, or anything else of that protocol that is no upkeep of the link.
    Icmp,
    /// Any other protocol.
    Other,
}

impl Kind {
    /// What a packet is, from its protocol and what that protocol's header begins with; `None` for
    /// what keeps the link up: neighbour discovery and multicast membership.
    pub(super) fn of(protocol: u8, rest: &[u8], is_v6: bool) -> Option<Self> {
        let port = rest.get(2..4).and_then(|it| it.try_into().ok()).map(u16::from_be_bytes);
        match protocol {
            6 => Some(Self::Tcp),
            17 if port == Some(DNS) => Some(Self::Dns),
            17 => Some(Self::Udp),
            1 => Some(Self::Icmp),
            58 => {
                let kind = rest.first().copied().unwrap_or_default();
                let is_upkeep = is_v6 && (matches!(kind, 130..=137) || kind == 143);
                (!is_upkeep).then_some(Self::Icmp)
            }
            // Hop-by-hop options, behind which membership reports come; IGMP.
            0 if is_v6 => None,
            2 if !is_v6 => None,
            _ => Some(Self::Other),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Dns => "DNS",
            Self::Icmp => "ICMP",
            Self::Other => "other",
        })
    }
}

/// Tries each of them from this thread's network. That nothing comes back is no failure.
pub(super) fn every_way_to(number: u8) {
    for address in wire::addresses(number) {
        drop(TcpStream::connect_timeout(&SocketAddr::new(address, NOBODY), TRIED_FOR));
        for port in [NOBODY, DNS] {
            drop(datagram(address, port));
        }
        drop(echo(address));
    }
    thread::park_timeout(SETTLES_WITHIN);
}

/// The kinds of a list, each once.
pub(super) fn kinds(heard: &[Kind]) -> String {
    let kinds: BTreeSet<_> = heard.iter().copied().collect();
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn datagram(address: IpAddr, port: u16) -> std::io::Result<usize> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))?.send_to(b"is anybody there?", (address, port))
}

fn echo(address: IpAddr) -> std::io::Result<()> {
    // Type 8 and 128, code 0, checksum, identifier, sequence. The kernel fills in that of IPv6.
    let (family, protocol, request) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, [8, 0, 0xf7, 0xff, 0, 0, 0, 0]),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, [128, 0, 0, 0, 0, 0, 0, 0]),
    };
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))?;
    sendto(&socket, &request, SendFlags::empty(), &SocketAddr::new(address, 0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Kind, kinds};

    #[test]
    fn upkeep_of_the_link_is_no_packet() {
        assert_eq!(Kind::of(58, &[135, 0], true), None, "neighbour solicitation");
        assert_eq!(Kind::of(58, &[128, 0], true), Some(Kind::Icmp));
        assert_eq!(Kind::of(2, &[0x22, 0], false), None, "group membership");
        assert_eq!(Kind::of(132, &[], false), Some(Kind::Other));
        assert_eq!(Kind::of(17, &[0, 0, 0, 53], false), Some(Kind::Dns));
        assert_eq!(kinds(&[Kind::Udp, Kind::Tcp, Kind::Udp]), "TCP, UDP");
    }
}
