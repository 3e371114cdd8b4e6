//! Network, kernel, login, logs, receipts, health and loss.

use std::net::IpAddr;

use super::{
    Context, Sink,
    object::{Told, actor, file, told, user},
};
use crate::{
    event::{
        Body, kernel,
        network::{Connection, Direction, Transport},
    },
    wire,
};

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn network(body: &Body, context: &Context<'_>, sink: &mut dyn Sink) {
    match body {
        Body::Connection(it) => connection(it, context, sink),
        Body::Listen(it) => {
            actor(it.actor.as_deref(), context, sink);
            endpoint("src_endpoint", it.local.ip(), it.local.port(), sink);
            protocol(None, it.transport, None, sink);
        }
        Body::DnsQuery(it) => {
            actor(it.actor.as_deref(), context, sink);
            if let Some((address, port)) = it.server {
                endpoint("dst_endpoint", address, port, sink);
            }
            sink.open("query");
            sink.text("hostname", &it.name);
            sink.long("type", i64::from(it.kind));
            sink.close();
        }
        _ => (),
    }
}

/// The source is who asked; where that is not known, this side.
fn connection(it: &Connection, context: &Context<'_>, sink: &mut dyn Sink) {
    actor(it.actor.as_deref(), context, sink);
    let (source, destination) = ends(it);
    endpoint("src_endpoint", source.ip(), source.port(), sink);
    endpoint("dst_endpoint", destination.ip(), destination.port(), sink);
    protocol((it.flow != 0).then_some(it.flow), it.transport, it.direction, sink);
    let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    sink.open("traffic");
    sink.long("bytes_in", number(it.bytes_received));
    sink.long("bytes_out", number(it.bytes_sent));
    sink.long("bytes", number(it.bytes_received.saturating_add(it.bytes_sent)));
    sink.close();
    sink.long("duration", i64::try_from(it.duration.as_millis()).unwrap_or(i64::MAX));
}

/// Who asked, and who was asked.
pub(super) fn ends(it: &Connection) -> (std::net::SocketAddr, std::net::SocketAddr) {
    match it.direction {
        Some(Direction::Inbound) => (it.remote, it.local),
        Some(Direction::Outbound) | None => (it.local, it.remote),
    }
}

fn endpoint(field: &'static str, address: IpAddr, port: u16, sink: &mut dyn Sink) {
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

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn rest(body: &Body, context: &Context<'_>, sink: &mut dyn Sink) {
    match body {
        Body::KernelLoad(it) => {
            actor(it.actor.as_deref(), context, sink);
            sink.open("driver");
            if !it.path.is_empty() {
                let from =
                    Told { path: &it.path, identity: None, sha256: it.sha256, type_id: Some(1) };
                file("file", &from, sink);
            }
            told("name", &it.name, sink);
            let kind = match it.object {
                kernel::Object::Module => "module",
                kernel::Object::BpfProgram => "bpf_program",
            };
            sink.text("kind", &kind);
            sink.close();
        }
        Body::LoginSession(it) => {
            actor(it.actor.as_deref(), context, sink);
            user(&it.uid, &it.user, sink);
            if let Some((address, port)) = it.remote {
                endpoint("src_endpoint", address, port, sink);
            }
            sink.open("session");
            sink.text("uid", &it.session);
            told("terminal", &it.terminal, sink);
            sink.close();
            told("service", &it.service, sink);
        }
        Body::LogRecord(it) => {
            told("service", &it.unit, sink);
            told("message", &it.message, sink);
            told("log_name", &it.source, sink);
        }
        Body::Receipt(signed) => {
            // The lake keeps what an agent says; whether its signature is good is judged where the
            // receipt closes its command.
            if let Ok(receipt) = wire::receipt::peek(signed) {
                sink.text("message", &receipt.detail);
                sink.text("command_uid", &receipt.command);
                sink.text("verdict", &receipt.verdict.as_str());
            }
        }
        Body::Health(it) => {
            sink.list("sensors");
            for sensor in &it.sensors {
                sink.item();
                sink.text("name", &sensor.sensor.as_str());
                sink.text("tier", &sensor.tier.as_str());
                sink.text("reason", &sensor.reason);
                sink.close();
            }
            sink.close();
            sink.long("count", i64::try_from(it.events_total).unwrap_or(i64::MAX));
        }
        Body::Loss(it) => {
            sink.text("message", &format_args!("events lost: {}", it.cause.as_str()));
            sink.long("count", i64::try_from(it.count).unwrap_or(i64::MAX));
        }
        _ => (),
    }
}
