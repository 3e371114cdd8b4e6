//! Openings → rules: what each lets in and out, as the kernel's expressions.

use std::net::IpAddr;

use super::{Cgroup, Opening};

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    In,
    Out,
}

/// One expression. Each that reads puts what it read where the next finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expression {
    /// Reads what the kernel knows of a packet: a number of [`meta`].
    Meta(u32),
    /// Reads so many bytes of a header.
    Payload { base: u32, offset: u32, bytes: u32 },
    /// Reads the id of the cgroup at this level above the packet's socket.
    Cgroup { level: u8 },
    /// Leaves these bits of what was read.
    Mask(Vec<u8>),
    /// Goes on only when what was read is this.
    Is(Vec<u8>),
    /// Counts what got here.
    Count,
    /// Lets it through.
    Accept,
}

/// `enum nft_meta_keys`.
mod meta {
    pub(super) const IIFNAME: u32 = 6;
    pub(super) const OIFNAME: u32 = 7;
    pub(super) const NFPROTO: u32 = 15;
    pub(super) const L4PROTO: u32 = 16;
}

/// `enum nft_payload_bases`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// `enum nf_inet_hooks`' protocols: `NFPROTO_IPV4`, `NFPROTO_IPV6`.
const IPV4: u8 = 2;
const IPV6: u8 = 10;

/// Numbers of the protocols over IP.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// `IFNAMSIZ`.
const NAME_BYTES: usize = 16;

/// Router solicitation and advertisement, neighbour solicitation and advertisement (RFC 4861, 4).
const ROUTER: [u8; 2] = [133, 134];
const NEIGHBOUR: [u8; 2] = [135, 136];

/// Never forwarded by a router: what neighbours say to each other has it (RFC 4861, 6.1 and 7.1).
const HOP_LIMIT: u8 = 255;

/// DHCP's ports: the server's and the client's.
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

/// The rules of one opening for one way.
pub(super) fn rules(opening: &Opening, way: Way) -> Vec<Vec<Expression>> {
    let rule = match opening {
        Opening::Loopback => loopback(way),
        Opening::Collector { at, only } => {
            let mut rule = far(at.ip(), full(at.ip()), way);
            rule.extend(ports(TCP, port(way, at.port(), None)));
            rule.extend(only.iter().flat_map(|it| cgroup(*it)));
            rule
        }
        Opening::Network(it) => far(it.address, it.prefix_bits, way),
        Opening::Neighbours => return neighbours(way),
        Opening::Dhcp(server) => return dhcp(*server, way),
    };
    vec![finished(rule)]
}

fn finished(mut rule: Vec<Expression>) -> Vec<Expression> {
    rule.extend([Expression::Count, Expression::Accept]);
    rule
}

fn full(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn loopback(way: Way) -> Vec<Expression> {
    let key = match way {
        Way::In => meta::IIFNAME,
        Way::Out => meta::OIFNAME,
    };
    let mut name = b"lo".to_vec();
    name.resize(NAME_BYTES, 0);
    vec![Expression::Meta(key), Expression::Is(name)]
}

/// The far end is in this network.
fn far(address: IpAddr, bits: u8, way: Way) -> Vec<Expression> {
    let (family, octets) = match address {
        IpAddr::V4(it) => (IPV4, it.octets().to_vec()),
        IpAddr::V6(it) => (IPV6, it.octets().to_vec()),
    };
    let bytes = u32::try_from(octets.len()).unwrap_or(0);
    // Where the header has its source; its destination follows.
    let source = if family == IPV4 { 12 } else { 8 };
    let offset = match way {
        Way::In => source,
        Way::Out => source + bytes,
    };
    let mask = mask(octets.len(), bits);
    let network = octets.iter().zip(&mask).map(|(octet, mask)| octet & mask).collect();
    vec![
        Expression::Meta(meta::NFPROTO),
        Expression::Is(vec![family]),
        Expression::Payload { base: NETWORK_HEADER, offset, bytes },
        Expression::Mask(mask),
        Expression::Is(network),
    ]
}

fn mask(bytes: usize, bits: u8) -> Vec<u8> {
    let of = |index: usize| match usize::from(bits).saturating_sub(index * 8).min(8) {
        0 => 0,
        bits => u8::MAX << (8 - bits),
    };
    (0..bytes).map(of).collect()
}

/// Source and destination port of a packet that goes `way` to or from `far`.
fn port(way: Way, far: u16, near: Option<u16>) -> (Option<u16>, Option<u16>) {
    match way {
        Way::In => (Some(far), near),
        Way::Out => (near, Some(far)),
    }
}

fn ports(protocol: u8, (source, destination): (Option<u16>, Option<u16>)) -> Vec<Expression> {
    let mut rule = vec![Expression::Meta(meta::L4PROTO), Expression::Is(vec![protocol])];
    for (offset, port) in [(0, source), (2, destination)] {
        let Some(port) = port else { continue };
        rule.push(Expression::Payload { base: TRANSPORT_HEADER, offset, bytes: 2 });
        rule.push(Expression::Is(port.to_be_bytes().to_vec()));
    }
    rule
}

fn cgroup(it: Cgroup) -> [Expression; 2] {
    [Expression::Cgroup { level: it.level }, Expression::Is(it.id.to_ne_bytes().to_vec())]
}

/// A host asks for routers and hears them; it asks for neighbours and answers them.
fn neighbours(way: Way) -> Vec<Vec<Expression>> {
    let [asks, tells] = ROUTER;
    let router = match way {
        Way::In => tells,
        Way::Out => asks,
    };
    let rule = |kind: u8| {
        finished(vec![
            Expression::Meta(meta::NFPROTO),
            Expression::Is(vec![IPV6]),
            Expression::Payload { base: NETWORK_HEADER, offset: 7, bytes: 1 },
            Expression::Is(vec![HOP_LIMIT]),
            Expression::Meta(meta::L4PROTO),
            Expression::Is(vec![ICMPV6]),
            Expression::Payload { base: TRANSPORT_HEADER, offset: 0, bytes: 1 },
            Expression::Is(vec![kind]),
        ])
    };
    NEIGHBOUR.into_iter().chain([router]).map(rule).collect()
}

/// A lease is first asked for by broadcast, and renewed with its server.
fn dhcp(server: IpAddr, way: Way) -> Vec<Vec<Expression>> {
    let ask = IpAddr::from([255; 4]);
    let far_ends = match way {
        Way::In => vec![server],
        Way::Out if server.is_ipv4() => vec![server, ask],
        Way::Out => vec![server],
    };
    let rule = |far_end: IpAddr| {
        let mut rule = far(far_end, full(far_end), way);
        rule.extend(ports(UDP, port(way, DHCP_SERVER, Some(DHCP_CLIENT))));
        finished(rule)
    };
    far_ends.into_iter().map(rule).collect()
}
