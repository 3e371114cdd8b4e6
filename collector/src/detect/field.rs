//! What a rule can name: the fields of Sigma's Linux taxonomy, over an event of ours or over JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use cordon_shared::{
    event::{Body, Event, file, login, network, process},
    text::Text,
};
use serde_json::Value as Json;

use super::rule::Source;

/// Something with named fields.
pub trait Fields {
    /// The field's text; nothing when it is not there, or null.
    fn get(&self, field: &str) -> Option<Cow<'_, str>>;

    /// Whether the field is there, whatever it holds.
    fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// The text of every field, one after the other.
    fn each(&self, visit: &mut dyn FnMut(&str));
}

/// Names that rules may use of our own events, those of the process first.
pub(super) const NAMES: &[&str] = &[
    "Image",
    "CommandLine",
    "CurrentDirectory",
    "User",
    "ProcessId",
    "LogonId",
    "sha256",
    "ContainerId",
    "ParentImage",
    "ParentCommandLine",
    "ParentUser",
    "ParentProcessId",
    "StdinKind",
    "StdoutKind",
    "StderrKind",
    "ExecutableKind",
    "TargetFilename",
    "SourceFilename",
    "FileAction",
    "DestinationIp",
    "DestinationPort",
    "SourceIp",
    "SourcePort",
    "Protocol",
    "Initiated",
];

/// The log sources that an event belongs to; none when rules cannot look at it.
#[must_use]
pub fn sources(event: &Event) -> &'static [Source] {
    match &event.body {
        Body::ProcessLaunch(launch) if !launch.is_running_at_start => {
            &[Source::ProcessCreation, Source::Linux]
        }
        Body::FileChange(change) => match change.action {
            file::Action::Create | file::Action::WriteClose | file::Action::Rename => {
                &[Source::FileEvent, Source::Linux]
            }
            file::Action::OpenWrite | file::Action::Delete | file::Action::Attributes => &[],
        },
        Body::Connection(connection) => match connection.action {
            network::Action::Connect | network::Action::Accept => {
                &[Source::NetworkConnection, Source::Linux]
            }
            network::Action::Close | network::Action::Fail => &[],
        },
        Body::LogRecord(record) => {
            let name = if record.unit.is_empty() { &record.source } else { &record.unit };
            log_sources(&shown(name.as_bytes()))
        }
        Body::ProcessLaunch(_)
        | Body::ProcessExit(_)
        | Body::CredentialChange(_)
        | Body::Ptrace(_)
        | Body::Mount(_)
        | Body::Listen(_)
        | Body::DnsQuery(_)
        | Body::KernelLoad(_)
        | Body::LoginSession(_)
        | Body::Receipt(_)
        | Body::Health(_)
        | Body::Loss(_) => &[],
    }
}

/// By the program that wrote the line, else by the log in which it stood.
pub(super) fn log_sources(name: &str) -> &'static [Source] {
    match name.strip_suffix(".service").unwrap_or(name) {
        "audit" | "auditd" => &[Source::Auditd, Source::Linux],
        "ssh" | "sshd" => &[Source::Sshd, Source::Auth, Source::Linux],
        "sudo" => &[Source::Sudo, Source::Auth, Source::Linux],
        "auth" | "login" | "su" | "systemd-logind" => &[Source::Auth, Source::Linux],
        "cron" | "crond" | "CRON" => &[Source::Cron, Source::Syslog, Source::Linux],
        "clamav" | "clamav-daemon" | "clamd" => &[Source::Clamav, Source::Syslog, Source::Linux],
        "guacamole" | "guacd" => &[Source::Guacamole, Source::Syslog, Source::Linux],
        "vsftpd" => &[Source::Vsftpd, Source::Syslog, Source::Linux],
        _ => &[Source::Syslog, Source::Linux],
    }
}

/// The process that an event is about.
#[must_use]
pub fn actor(event: &Event) -> Option<&process::Process> {
    match &event.body {
        Body::ProcessLaunch(launch) => Some(&launch.process),
        Body::FileChange(change) => change.actor.as_deref(),
        Body::Connection(connection) => connection.actor.as_deref(),
        Body::ProcessExit(_)
        | Body::CredentialChange(_)
        | Body::Ptrace(_)
        | Body::Mount(_)
        | Body::Listen(_)
        | Body::DnsQuery(_)
        | Body::KernelLoad(_)
        | Body::LoginSession(_)
        | Body::LogRecord(_)
        | Body::Receipt(_)
        | Body::Health(_)
        | Body::Loss(_) => None,
    }
}

impl Fields for Event {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        let own = match &self.body {
            Body::ProcessLaunch(launch) => of_launch(launch, field),
            Body::FileChange(change) => of_file(change, field),
            Body::Connection(connection) => of_connection(connection, field),
            Body::LogRecord(record) => of_record(record, field),
            Body::ProcessExit(_)
            | Body::CredentialChange(_)
            | Body::Ptrace(_)
            | Body::Mount(_)
            | Body::Listen(_)
            | Body::DnsQuery(_)
            | Body::KernelLoad(_)
            | Body::LoginSession(_)
            | Body::Receipt(_)
            | Body::Health(_)
            | Body::Loss(_) => None,
        };
        own.or_else(|| of_process(actor(self)?, field))
    }

    fn each(&self, visit: &mut dyn FnMut(&str)) {
        if let Body::LogRecord(record) = &self.body {
            visit(&shown(record.message.as_bytes()));
            return record.fields.iter().for_each(|(_, it)| visit(&shown(it.as_bytes())));
        }
        for it in NAMES.iter().filter_map(|name| self.get(name)) {
            visit(&it);
        }
    }
}

fn of_process<'a>(process: &'a process::Process, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "Image" => text(&process.exe),
        "CommandLine" => command_line(process),
        "CurrentDirectory" => text(&process.cwd),
        "User" => text(&process.user),
        "ProcessId" => Some(process.key.pid.to_string().into()),
        "LogonId" => process.credentials.map(|it| it.session.to_string().into()),
        "ContainerId" => text(&process.container),
        "sha256" | "Hashes" => process.exe_sha256.map(|it| it.to_string().into()),
        _ => None,
    }
}

fn of_launch<'a>(launch: &'a process::Launch, field: &str) -> Option<Cow<'a, str>> {
    let descriptor = |index: usize| {
        let kinds = launch.descriptors.as_ref()?;
        kinds.get(index).map(|kind| Cow::Borrowed(kind.as_str()))
    };
    match field {
        "ParentImage" => text(&launch.parent.as_ref()?.exe),
        "ParentCommandLine" => command_line(launch.parent.as_ref()?),
        "ParentUser" => text(&launch.parent.as_ref()?.user),
        "ParentProcessId" => Some(launch.parent.as_ref()?.key.pid.to_string().into()),
        "StdinKind" => descriptor(0),
        "StdoutKind" => descriptor(1),
        "StderrKind" => descriptor(2),
        "ExecutableKind" => Some(match launch.exe_kind {
            process::ExecutableKind::File => "file".into(),
            process::ExecutableKind::Deleted => "deleted".into(),
            process::ExecutableKind::Memfd => "memfd".into(),
        }),
        _ => None,
    }
}

fn of_file<'a>(change: &'a file::Change, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "TargetFilename" => text(&change.path),
        "SourceFilename" => text(&change.path_before),
        "FileAction" => match change.action {
            file::Action::Create => Some("create".into()),
            file::Action::WriteClose => Some("write".into()),
            file::Action::Rename => Some("rename".into()),
            // Rules are not asked about these.
            file::Action::OpenWrite | file::Action::Delete | file::Action::Attributes => None,
        },
        _ => None,
    }
}

fn of_connection<'a>(it: &'a network::Connection, field: &str) -> Option<Cow<'a, str>> {
    let is_ours = it.direction != Some(network::Direction::Inbound);
    let (from, to) = if is_ours { (it.local, it.remote) } else { (it.remote, it.local) };
    match field {
        "DestinationIp" => Some(to.ip().to_string().into()),
        "DestinationPort" => Some(to.port().to_string().into()),
        "SourceIp" => Some(from.ip().to_string().into()),
        "SourcePort" => Some(from.port().to_string().into()),
        "Protocol" => Some(it.transport.as_str().into()),
        "Initiated" => Some(is_ours.to_string().into()),
        _ => None,
    }
}

fn of_record<'a>(record: &'a login::LogRecord, field: &str) -> Option<Cow<'a, str>> {
    let named = record.fields.iter().find(|(name, _)| name.as_bytes() == field.as_bytes());
    match (named, field) {
        (Some((_, value)), _) => text(value),
        (None, "message") => text(&record.message),
        (None, "unit") => text(&record.unit),
        (None, _) => None,
    }
}

fn command_line(process: &process::Process) -> Option<Cow<'_, str>> {
    match process.argv.as_slice() {
        [] => None,
        [one] => text(one),
        _ => {
            let line = process.command_line();
            Some(shown(line.as_bytes()).into_owned().into())
        }
    }
}

fn text(text: &Text) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then(|| shown(text.as_bytes()))
}

/// Bytes as rules see them: UTF-8 as it is, the backslash too, every other byte as `\xNN`. Unlike
/// the lake's texts two may look the same; a rule that looks for a backslash finds it.
#[must_use]
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing into a string cannot fail.
            let _written = write!(shown, "\\x{byte:02x}");
        }
    }
    shown.into()
}

impl Fields for BTreeMap<String, Json> {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        match BTreeMap::get(self, field)? {
            Json::String(it) => Some(it.as_str().into()),
            Json::Null => None,
            // Lists and objects as they are written.
            other @ (Json::Number(_) | Json::Bool(_) | Json::Array(_) | Json::Object(_)) => {
                Some(other.to_string().into())
            }
        }
    }

    fn has(&self, field: &str) -> bool {
        self.contains_key(field)
    }

    fn each(&self, visit: &mut dyn FnMut(&str)) {
        for it in self.keys().filter_map(|name| Fields::get(self, name)) {
            visit(&it);
        }
    }
}
