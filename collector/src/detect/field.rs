//! What a rule can name: the fields of Sigma's Linux taxonomy, over an event of ours or over JSON.

use std::{borrow::Cow, collections::BTreeMap};

use cordon_shared::{
    event::{Body, Event, file, network, process},
    text::Text,
};
use serde_json::Value as Json;

use super::rule::Source;

/// Something with named fields.
pub trait Fields {
    /// The field's text; nothing when it is not there.
    fn get(&self, field: &str) -> Option<Cow<'_, str>>;
}

/// The log source that an event belongs to; nothing when rules cannot look at it.
#[must_use]
pub fn source(event: &Event) -> Option<Source> {
    match &event.body {
        Body::ProcessLaunch(launch) if !launch.is_running_at_start => Some(Source::ProcessCreation),
        Body::FileChange(change) => match change.action {
            file::Action::Create | file::Action::WriteClose | file::Action::Rename => {
                Some(Source::FileEvent)
            }
            file::Action::OpenWrite | file::Action::Delete | file::Action::Attributes => None,
        },
        Body::Connection(connection) => match connection.action {
            network::Action::Connect | network::Action::Accept => Some(Source::NetworkConnection),
            network::Action::Close | network::Action::Fail => None,
        },
        Body::ProcessLaunch(_)
        | Body::ProcessExit(_)
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
        };
        own.or_else(|| of_process(actor(self)?, field))
    }
}

fn of_process<'a>(process: &'a process::Process, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "Image" => text(&process.exe),
        "CommandLine" => owned(&process.command_line()),
        "CurrentDirectory" => text(&process.cwd),
        "User" => text(&process.user),
        "ProcessId" => Some(process.key.pid.to_string().into()),
        "LogonId" => process.credentials.map(|it| it.session.to_string().into()),
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
        "ParentCommandLine" => owned(&launch.parent.as_ref()?.command_line()),
        "ParentProcessId" => Some(launch.parent.as_ref()?.key.pid.to_string().into()),
        "StdinKind" => descriptor(0),
        "StdoutKind" => descriptor(1),
        "StderrKind" => descriptor(2),
        _ => None,
    }
}

fn of_file<'a>(change: &'a file::Change, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "TargetFilename" => text(&change.path),
        "SourceFilename" => text(&change.path_before),
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

fn text(text: &Text) -> Option<Cow<'_, str>> {
    match text.as_plain() {
        Some("") => None,
        Some(plain) => Some(plain.into()),
        None => owned(text),
    }
}

fn owned(text: &Text) -> Option<Cow<'static, str>> {
    (!text.is_empty()).then(|| text.to_string().into())
}

impl Fields for BTreeMap<String, Json> {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        match BTreeMap::get(self, field)? {
            Json::String(it) => Some(it.as_str().into()),
            Json::Number(it) => Some(it.to_string().into()),
            Json::Bool(it) => Some(it.to_string().into()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }
}
