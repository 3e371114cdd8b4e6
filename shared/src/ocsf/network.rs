//! Connections, sockets that listen, look-ups of names.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{Row, Sink, process::actor};
use crate::event::{
    Body,
    network::{Action, Connection, Direction, Transport},
};

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn activity(row: &Row<'_>, sink: &mut dyn Sink) {
    match &row.event.body {
        Body::Connection(it) => connection(it, row, sink),
        Body::Listen(it) => {
            actor(it.actor.as_deref(), row, sink);
            endpoint("src_endpoint", it.local.ip(), it.local.port(), sink);
            protocol(None, it.transport, None, sink);
        }
        Body::DnsQuery(it) => {
            actor(it.actor.as_deref(), row, sink);
            if let Some((address, port)) = it.server {
                endpoint("dst_endpoint", address, port, sink);
            }
            sink.open("query");
            sink.text("hostname", &it.name);
            sink.text("type", &RecordType(it.kind));
            sink.close();
        }
        _ => (),
    }
}

/// The source is who asked; where that is not known, this side.
fn connection(it: &Connection, row: &Row<'_>, sink: &mut dyn Sink) {
    actor(it.actor.as_deref(), row, sink);
    let (source, destination) = ends(it);
    endpoint("src_endpoint", source.ip(), source.port(), sink);
    endpoint("dst_endpoint", destination.ip(), destination.port(), sink);
    protocol((it.flow != 0).then_some(it.flow), it.transport, it.direction, sink);
    sink.flag("is_src_dst_assignment_known", it.direction.is_some());
    // Only the end knows how much there was.
    if it.action == Action::Close {
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        sink.open("traffic");
        sink.long("bytes_in", number(it.bytes_received));
        sink.long("bytes_out", number(it.bytes_sent));
        sink.long("bytes", number(it.bytes_received.saturating_add(it.bytes_sent)));
        sink.close();
        sink.long("duration", i64::try_from(it.duration.as_millis()).unwrap_or(i64::MAX));
    }
}

/// Who asked, and who was asked.
pub(super) fn ends(it: &Connection) -> (SocketAddr, SocketAddr) {
    match it.direction {
        Some(Direction::Inbound) => (it.remote, it.local),
        Some(Direction::Outbound) | None => (it.local, it.remote),
    }
}

pub(super) fn endpoint(field: &'static str, address: IpAddr, port: u16, sink: &mut dyn Sink) {
    sink.open(field);
    sink.text("ip", &address);
    sink.long("port", i64::from(port));
    sink.close();
}

fn protocol(
    flow: Option<u64>,
    transport: Transport,
    direction: Option<Direction>,
    sink: &mut dyn Sink,
) {
    sink.open("connection_info");
    if let Some(flow) = flow {
        sink.text("uid", &format_args!("{flow:016x}"));
    }
    sink.long("protocol_num", i64::from(transport.number()));
    sink.text("protocol_name", &transport.as_str());
    // 0 unknown, 1 inbound, 2 outbound.
    let direction_id = match direction {
        None => 0,
        Some(Direction::Inbound) => 1,
        Some(Direction::Outbound) => 2,
    };
    sink.long("direction_id", direction_id);
    sink.close();
}

/// The type of a resource record by its mnemonic; as RFC 3597 section 5 writes it where it is not
/// one of those that a look-up mostly asks for.
struct RecordType(u16);

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // IANA, Resource Record TYPEs.
        let name = match self.0 {
            1 => "A",
            2 => "NS",
            5 => "CNAME",
            6 => "SOA",
            10 => "NULL",
            12 => "PTR",
            15 => "MX",
            16 => "TXT",
            28 => "AAAA",
            33 => "SRV",
            35 => "NAPTR",
            43 => "DS",
            48 => "DNSKEY",
            52 => "TLSA",
            64 => "SVCB",
            65 => "HTTPS",
            252 => "AXFR",
            255 => "ANY",
            257 => "CAA",
            number => return write!(f, "TYPE{number}"),
        };
        f.write_str(name)
    }
}
