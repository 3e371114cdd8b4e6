//! The flat columns that every row ends with.

use super::{Row, Sink, network::ends, process::told};
use crate::{
    digest::Sha256,
    event::{Body, process::Process},
    id::EventSeq,
    text::Text,
};

pub(super) fn columns(row: &Row<'_>, sink: &mut dyn Sink) {
    let Row { event, context, .. } = row;
    sink.text("cordon_agent", &context.agent);
    sink.text("cordon_host", &context.host.id);
    sink.text("cordon_host_name", &context.host.name);
    if let Some(id) = context.id {
        sink.text("cordon_epoch", &id.epoch);
        sink.text("cordon_lane", &id.lane);
        sink.long("cordon_seq", number(id.seq));
    }
    sink.text("cordon_kind", &event.body.name());
    if let Some(received) = context.received {
        sink.long("cordon_received_time", received.as_ms());
    }
    sink.long("cordon_host_time", event.realtime.as_ms());
    sink.long("cordon_boottime_ns", i64::try_from(event.boottime.as_ns()).unwrap_or(i64::MAX));
    if let Some(process) = subject(&event.body) {
        subject_columns(process, row, sink);
    }
    if let Some(user) = account(&event.body) {
        told("cordon_user", user, sink);
    }
    objects(&event.body, sink);
    if let Some(exercise) = event.exercise {
        sink.text("cordon_exercise", &exercise);
    }
    loss(&event.body, sink);
    if let Some(process) = subject(&event.body) {
        let ticks = process.key.start_ticks;
        sink.long("cordon_process_start_ticks", i64::try_from(ticks).unwrap_or(i64::MAX));
    }
}

/// The process that an event is about: its own, else the one that acted.
fn subject(body: &Body) -> Option<&Process> {
    match body {
        Body::ProcessLaunch(it) => Some(&it.process),
        Body::ProcessExit(it) => Some(&it.process),
        Body::CredentialChange(it) => Some(&it.process),
        Body::Ptrace(it) => Some(&it.tracer),
        Body::FileChange(it) => it.actor.as_deref(),
        Body::Mount(it) => it.actor.as_deref(),
        Body::Connection(it) => it.actor.as_deref(),
        Body::Listen(it) => it.actor.as_deref(),
        Body::DnsQuery(it) => it.actor.as_deref(),
        Body::KernelLoad(it) => it.actor.as_deref(),
        Body::LoginSession(it) => it.actor.as_deref(),
        Body::LogRecord(_) | Body::Receipt(_) | Body::Health(_) | Body::Loss(_) => None,
    }
}

fn subject_columns(it: &Process, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.text("cordon_process_uid", &row.uid(it.key));
    if let Some(parent) = it.parent {
        sink.text("cordon_parent_uid", &row.uid(parent));
    }
    told("cordon_exe_path", &it.exe, sink);
    if let Some(sha256) = it.exe_sha256 {
        sink.text("cordon_exe_sha256", &sha256);
    }
    if !it.argv.is_empty() {
        sink.text("cordon_cmd_line", &it.command_line());
    }
}

/// The account that an event is about: the one that logs in, else the acting process's.
fn account(body: &Body) -> Option<&Text> {
    if let Body::LoginSession(it) = body {
        return Some(&it.user);
    }
    subject(body).map(|it| &it.user)
}

fn objects(body: &Body, sink: &mut dyn Sink) {
    match body {
        Body::FileChange(it) => {
            told("cordon_file_path", &it.path, sink);
            told("cordon_file_path_before", &it.path_before, sink);
            file_digest(it.sha256, sink);
        }
        Body::Mount(it) => told("cordon_file_path", &it.target, sink),
        Body::KernelLoad(it) => {
            told("cordon_file_path", &it.path, sink);
            file_digest(it.sha256, sink);
        }
        Body::Connection(it) => {
            let (source, destination) = ends(it);
            sink.text("cordon_src_ip", &source.ip());
            sink.text("cordon_dst_ip", &destination.ip());
            sink.long("cordon_dst_port", i64::from(destination.port()));
        }
        Body::Listen(it) => {
            sink.text("cordon_src_ip", &it.local.ip());
            sink.long("cordon_dst_port", i64::from(it.local.port()));
        }
        Body::DnsQuery(it) => {
            if let Some((address, port)) = it.server {
                sink.text("cordon_dst_ip", &address);
                sink.long("cordon_dst_port", i64::from(port));
            }
            sink.text("cordon_dns_name", &it.name);
        }
        Body::LoginSession(it) => {
            if let Some((address, _)) = it.remote {
                sink.text("cordon_src_ip", &address);
            }
        }
        Body::ProcessLaunch(_)
        | Body::ProcessExit(_)
        | Body::CredentialChange(_)
        | Body::Ptrace(_)
        | Body::LogRecord(_)
        | Body::Receipt(_)
        | Body::Health(_)
        | Body::Loss(_) => (),
    }
}

fn file_digest(sha256: Option<Sha256>, sink: &mut dyn Sink) {
    if let Some(sha256) = sha256 {
        sink.text("cordon_file_sha256", &sha256);
    }
}

fn loss(body: &Body, sink: &mut dyn Sink) {
    let Body::Loss(it) = body else { return };
    sink.text("cordon_loss_cause", &it.cause.as_str());
    sink.text("cordon_loss_lane", &it.lane);
    if let Some(sensor) = it.sensor {
        sink.text("cordon_loss_sensor", &sensor.as_str());
    }
    sink.long("cordon_loss_count", i64::try_from(it.count).unwrap_or(i64::MAX));
    sink.flag("cordon_loss_is_exact", it.is_count_exact);
    if let Some(range) = it.range {
        sink.text("cordon_loss_epoch", &range.epoch);
        sink.long("cordon_loss_first_seq", number(range.first));
        sink.long("cordon_loss_last_seq", number(range.last));
    }
}

fn number(seq: EventSeq) -> i64 {
    i64::try_from(seq.as_u64()).unwrap_or(i64::MAX)
}
