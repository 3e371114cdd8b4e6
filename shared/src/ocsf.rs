//! Events as OCSF: one mapping, told to a [`Sink`], so that the agent's JSON and the collector's
//! columns cannot disagree.
//!
//! In: an event, and what is known of whom it came from ([`Context`]). Out: calls of a sink, in the
//! order of the class's fields in [`mod@column`]. Nothing here stores or sends.
//!
//! | event | class |
//! |---|---|
//! | launch, exit, credentials, ptrace | 1007 Process Activity |
//! | file, mount | 1001 File System Activity |
//! | connection, listen | 4001 Network Activity |
//! | name look-up | 4003 DNS Activity |
//! | kernel module, BPF program | 1002 Kernel Extension Activity: both are code that enters the kernel, `cordon_kernel_object` says which |
//! | login | 3002 Authentication |
//! | receipt | 7001 Remediation Activity |
//! | health | 6002 Application Lifecycle, activity Other: it is about the agent, not the host |
//! | loss | 6008 Application Error: the agent saw less than happened |
//! | line of a log | 0 Base Event: what it says is not known |
//!
//! Source: schema.ocsf.io. Beside the standard's nested attributes every row has flat `cordon_*`
//! columns, which searches prune by. After a rename `file` is what the file was called and
//! `file_result` what it is called, as the standard has it; `cordon_file_path` is always the name
//! that the file has now.

pub mod class;
pub mod column;
pub mod json;

mod file;
mod flat;
mod network;
mod other;
mod process;
mod row;

use std::fmt::Display;

use self::row::{Row, Uids};
use crate::{
    arrival::Host,
    event::{Body, Event},
    id::{AgentId, BootId, EventId},
    time::Timestamp,
};

/// The release of the standard that rows follow.
pub const VERSION: &str = "1.8.0";

/// Takes the fields of one row. Every call names a field; fields come in the order of the class's
/// table, each at most once; what is not known is not called.
pub trait Sink {
    /// Text, as it is shown.
    fn text(&mut self, field: &'static str, value: &dyn Display);

    /// A number that the standard calls an integer or a long.
    fn long(&mut self, field: &'static str, value: i64);

    /// A truth value.
    fn flag(&mut self, field: &'static str, value: bool);

    /// Begins an object; what follows is inside it, until [`Sink::close`].
    fn open(&mut self, field: &'static str);

    /// Begins a list of objects, each between [`Sink::item`] and [`Sink::close`]; the list itself
    /// ends with another [`Sink::close`].
    fn list(&mut self, field: &'static str);

    /// Begins the next object of a list.
    fn item(&mut self);

    /// Ends what was begun last.
    fn close(&mut self);
}

/// Whom an event came from, and when.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Its name; `None` where it was never numbered.
    pub id: Option<EventId>,
    /// The agent.
    pub agent: AgentId,
    /// The machine.
    pub host: &'a Host,
    /// The boot during which it happened.
    pub boot: BootId,
    /// When it happened, by the best clock that is known.
    pub time: Timestamp,
    /// When the collector had it.
    pub received: Option<Timestamp>,
}

/// Tells one event. For many, a [`Mapper`] does it with less work.
pub fn map(event: &Event, context: &Context<'_>, sink: &mut dyn Sink) {
    Mapper::default().map(event, context, sink);
}

/// Tells events one after the other and remembers which process has which uid: a batch names the
/// same few processes again and again, and each uid is a digest.
#[derive(Debug, Default)]
pub struct Mapper {
    uids: Uids,
}

impl Mapper {
    /// Tells one event.
    pub fn map(&mut self, event: &Event, context: &Context<'_>, sink: &mut dyn Sink) {
        self.uids.begin(context.agent, context.boot);
        let row = &Row { event, context, uids: &self.uids };
        head(row, &class::of(&event.body), sink);
        match &event.body {
            Body::ProcessLaunch(_)
            | Body::ProcessExit(_)
            | Body::CredentialChange(_)
            | Body::Ptrace(_) => process::activity(row, sink),
            Body::FileChange(_) | Body::Mount(_) => file::activity(row, sink),
            Body::Connection(_) | Body::Listen(_) | Body::DnsQuery(_) => {
                network::activity(row, sink);
            }
            Body::KernelLoad(_)
            | Body::LoginSession(_)
            | Body::LogRecord(_)
            | Body::Receipt(_)
            | Body::Health(_)
            | Body::Loss(_) => other::rest(row, sink),
        }
        flat::columns(row, sink);
    }
}

/// What every row begins with.
fn head(row: &Row<'_>, class: &class::Class, sink: &mut dyn Sink) {
    let Row { event, context, .. } = row;
    sink.long("activity_id", class.activity_id);
    sink.text("activity_name", &class.activity_name);
    sink.long("category_uid", class.category_uid());
    sink.long("class_uid", class.uid);
    sink.text("class_name", &class.name);
    sink.long("type_uid", class.uid * 100 + class.activity_id);
    sink.long("severity_id", class.severity_id);
    sink.long("status_id", class.status_id);
    sink.long("time", context.time.as_ms());
    sink.open("metadata");
    if let Some(id) = context.id {
        sink.text("uid", &id);
    }
    sink.text("version", &VERSION);
    sink.open("product");
    sink.text("name", &"Cordon");
    sink.text("vendor_name", &"Cordon");
    sink.text("version", &env!("CARGO_PKG_VERSION"));
    sink.close();
    if let Body::LogRecord(it) = &event.body {
        process::told("log_name", &it.source, sink);
        process::told("log_provider", &it.unit, sink);
    }
    if let Some(received) = context.received {
        sink.long("logged_time", received.as_ms());
    }
    sink.text("original_time", &event.realtime);
    sink.close();
    sink.open("device");
    sink.text("uid", &context.host.id);
    sink.text("hostname", &context.host.name);
    // 0: unknown. What kind of machine it is an agent does not find out.
    sink.long("type_id", 0);
    sink.open("os");
    sink.text("name", &context.host.os);
    // 200: Linux.
    sink.long("type_id", 200);
    sink.close();
    sink.text("boot_uid", &context.boot);
    sink.close();
}

#[cfg(test)]
mod tests;
