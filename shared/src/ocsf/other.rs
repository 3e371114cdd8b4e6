//! Kernel, login, logs, receipts, health and loss.

use super::{
    Row, Sink,
    file::{Told, file},
    network::endpoint,
    process::{actor, told, user},
};
use crate::{
    event::{
        Body,
        health::{Health, Loss},
        kernel,
        login::{LogRecord, Session},
        receipt::{Receipt, Verdict},
    },
    wire,
};

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn rest(row: &Row<'_>, sink: &mut dyn Sink) {
    match &row.event.body {
        Body::KernelLoad(it) => kernel_load(it, row, sink),
        Body::LoginSession(it) => login(it, row, sink),
        Body::LogRecord(it) => log_record(it, sink),
        Body::Receipt(signed) => {
            // The lake keeps what an agent says; whether its signature is good is judged where the
            // receipt closes its command.
            if let Ok(it) = wire::receipt::peek(signed) {
                receipt(&it, row, sink);
            }
        }
        Body::Health(it) => health(it, sink),
        Body::Loss(it) => loss(it, row, sink),
        _ => (),
    }
}

fn kernel_load(it: &kernel::Load, row: &Row<'_>, sink: &mut dyn Sink) {
    actor(it.actor.as_deref(), row, sink);
    sink.open("driver");
    if it.path.is_empty() {
        // The standard wants a file; what came from none is told by its name alone.
        sink.open("file");
        sink.text("name", &it.name);
        sink.long("type_id", 0);
        sink.close();
    } else {
        let from = Told { path: &it.path, identity: None, sha256: it.sha256, type_id: Some(1) };
        file("file", &from, sink);
    }
    sink.close();
    let object = match it.object {
        kernel::Object::Module => "module",
        kernel::Object::BpfProgram => "bpf_program",
    };
    sink.text("cordon_kernel_object", &object);
    told("cordon_kernel_name", &it.name, sink);
}

fn login(it: &Session, row: &Row<'_>, sink: &mut dyn Sink) {
    actor(it.actor.as_deref(), row, sink);
    user(&it.uid, &it.user, sink);
    if let Some((address, port)) = it.remote {
        endpoint("src_endpoint", address, port, sink);
    }
    sink.open("session");
    sink.text("uid", &it.session);
    told("terminal", &it.terminal, sink);
    sink.close();
    if !it.service.is_empty() {
        sink.open("service");
        sink.text("name", &it.service);
        sink.close();
    }
    if it.remote.is_some() {
        sink.flag("is_remote", true);
    }
}

fn log_record(it: &LogRecord, sink: &mut dyn Sink) {
    told("message", &it.message, sink);
    told("cordon_log_cursor", &it.cursor, sink);
    if !it.fields.is_empty() {
        sink.list("cordon_log_fields");
        for (name, value) in &it.fields {
            sink.item();
            sink.text("name", name);
            sink.text("value", value);
            sink.close();
        }
        sink.close();
    }
}

fn receipt(it: &Receipt, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.text("message", &it.detail);
    sink.text("command_uid", &it.command);
    if it.verdict == Verdict::Planned {
        // The standard's status is "other" then, and wants it told.
        sink.text("status", &it.verdict.as_str());
    }
    sink.long("start_time", row.time_of(it.began.boottime).as_ms());
    sink.long("end_time", row.time_of(it.ended.boottime).as_ms());
    sink.text("cordon_verdict", &it.verdict.as_str());
    if let Some(refusal) = it.refusal {
        sink.text("cordon_refusal", &refusal.as_str());
    }
    if let Some(incident) = it.incident {
        sink.text("cordon_incident", &incident);
    }
    sink.text("cordon_command_sha256", &it.command_sha256);
    sink.list("cordon_steps");
    for step in &it.steps {
        sink.item();
        sink.text("step", &step.step);
        sink.text("outcome", &step.outcome.as_str());
        sink.text("detail", &step.detail);
        sink.close();
    }
    sink.close();
    sink.list("cordon_still_open");
    for what in &it.open {
        sink.item();
        sink.text("what", what);
        sink.close();
    }
    sink.close();
    sink.list("cordon_ledger");
    for entry in &it.ledger {
        sink.item();
        sink.text("uid", entry);
        sink.close();
    }
    sink.close();
}

fn health(it: &Health, sink: &mut dyn Sink) {
    sink.open("app");
    sink.text("name", &"cordon-agent");
    sink.text("vendor_name", &"Cordon");
    sink.close();
    sink.list("cordon_sensors");
    for sensor in &it.sensors {
        sink.item();
        sink.text("name", &sensor.sensor.as_str());
        sink.text("tier", &sensor.tier.as_str());
        sink.text("reason", &sensor.reason);
        sink.close();
    }
    sink.close();
    let number = |it| i64::try_from(it).unwrap_or(i64::MAX);
    sink.long("cordon_cpu_ns", number(it.cpu_ns));
    sink.long("cordon_rss_bytes", number(it.rss_bytes));
    sink.long("cordon_spool_bytes_used", number(it.spool_bytes_used));
    sink.long("cordon_spool_bytes_max", number(it.spool_bytes_max));
    sink.long("cordon_events_total", number(it.events_total));
    if let Some(sha256) = it.agent_sha256 {
        sink.text("cordon_agent_sha256", &sha256);
    }
}

fn loss(it: &Loss, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.text("message", &format_args!("events lost: {}", it.cause.as_str()));
    sink.long("start_time", row.time_of(it.from).as_ms());
    sink.long("end_time", row.time_of(it.until).as_ms());
}
