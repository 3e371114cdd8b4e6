//! Our own OCSF rows, as rules see them: what `cordon event search` and `cordon-agent run` print.
//!
//! The same names give the same texts as of the event that a row was made of ([`super::field`]), so a
//! replay over stored rows finds what the road found. Texts of a row write every backslash as `\x5c`;
//! rules see it as it was.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value as Json;

use super::{
    field::{Fields, NAMES, log_sources},
    rule::Source,
};

/// What the session of a login is where there is none: `AUDIT_SID_UNSET` of linux/audit.h.
const SESSION_UNSET: &str = "4294967295";

/// A row of ours.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    kind: Kind,
    row: &'a BTreeMap<String, Json>,
}

/// What rules can look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Launch,
    File,
    Connection,
    Log,
    Other,
}

impl<'a> Row<'a> {
    /// The row, when it is one of ours.
    #[must_use]
    pub fn recognise(row: &'a BTreeMap<String, Json>) -> Option<Self> {
        let is_ocsf = row.get("class_uid").is_some_and(Json::is_u64)
            && row.get("metadata").is_some_and(Json::is_object);
        let kind = match row.get("cordon_kind")?.as_str()? {
            "process_launch" => Kind::Launch,
            "file_change" => Kind::File,
            "connection" => Kind::Connection,
            "log_record" => Kind::Log,
            _ => Kind::Other,
        };
        is_ocsf.then_some(Self { kind, row })
    }

    /// The log sources that it belongs to; none when rules cannot look at it.
    #[must_use]
    pub fn sources(&self) -> &'static [Source] {
        let is_at_start = self.row.get("cordon_is_running_at_start") == Some(&Json::Bool(true));
        // Activities of the standard's classes 1001 and 4001, as `shared::ocsf` writes them.
        match (self.kind, self.row.get("activity_id").and_then(Json::as_u64)) {
            (Kind::Launch, _) if !is_at_start => &[Source::ProcessCreation, Source::Linux],
            (Kind::File, Some(1 | 3 | 5)) => &[Source::FileEvent, Source::Linux],
            (Kind::Connection, Some(1)) => &[Source::NetworkConnection, Source::Linux],
            (Kind::Log, _) => {
                let name = self.at(&["metadata", "log_provider"]);
                let name = name.or_else(|| self.at(&["metadata", "log_name"]));
                log_sources(&name.unwrap_or_default())
            }
            (Kind::Launch | Kind::File | Kind::Connection | Kind::Other, _) => &[],
        }
    }

    /// A text or a number below these names, as rules see it.
    fn at(&self, path: &[&str]) -> Option<Cow<'a, str>> {
        let (first, rest) = path.split_first()?;
        text(rest.iter().try_fold(self.row.get(*first)?, |it, name| it.get(name))?)
    }

    /// The process that it is about.
    fn process(&self, path: &[&str]) -> Option<Cow<'a, str>> {
        let above: &[&str] = match self.kind {
            Kind::Launch => &["process"],
            Kind::File | Kind::Connection | Kind::Log | Kind::Other => &["actor", "process"],
        };
        self.at(&[above, path].concat())
    }

    /// The parent of a process that was launched.
    fn parent(&self, path: &[&str]) -> Option<Cow<'a, str>> {
        let is_launch = self.kind == Kind::Launch;
        is_launch.then(|| self.at(&[&["actor", "process"], path].concat()))?
    }

    fn of_log(&self, field: &str) -> Option<Cow<'a, str>> {
        let fields = self.row.get("cordon_log_fields").and_then(Json::as_array);
        let is_it = |it: &&Json| it.get("name").and_then(text).is_some_and(|name| name == field);
        match (fields.into_iter().flatten().find(is_it), field) {
            (Some(it), _) => it.get("value").and_then(text),
            (None, "message") => self.at(&["message"]),
            (None, "unit") => self.at(&["metadata", "log_provider"]),
            (None, _) => None,
        }
    }

    fn of_process(&self, field: &str) -> Option<Cow<'a, str>> {
        match field {
            "Image" => self.process(&["file", "path"]),
            "CommandLine" => self.process(&["cmd_line"]),
            "CurrentDirectory" => self.process(&["working_directory"]),
            "User" => self.process(&["user", "name"]),
            "ProcessId" => self.process(&["pid"]),
            "LogonId" => {
                let known = self.process(&["user", "uid"]);
                let unset = known.map(|_| SESSION_UNSET.into());
                self.process(&["session", "uid"]).or(unset)
            }
            "ContainerId" => self.process(&["container", "uid"]),
            "sha256" | "Hashes" => self.at(&["cordon_exe_sha256"]),
            "ParentImage" => self.parent(&["file", "path"]),
            "ParentCommandLine" => self.parent(&["cmd_line"]),
            "ParentUser" => self.parent(&["user", "name"]),
            "ParentProcessId" => self.parent(&["pid"]),
            _ => None,
        }
    }

    fn of_file(&self, field: &str) -> Option<Cow<'a, str>> {
        match field {
            "TargetFilename" => self.at(&["cordon_file_path"]),
            "SourceFilename" => self.at(&["cordon_file_path_before"]),
            "FileAction" => match self.row.get("activity_id")?.as_u64()? {
                1 => Some("create".into()),
                3 => Some("write".into()),
                5 => Some("rename".into()),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_connection(&self, field: &str) -> Option<Cow<'a, str>> {
        match field {
            "DestinationIp" => self.at(&["dst_endpoint", "ip"]),
            "DestinationPort" => self.at(&["dst_endpoint", "port"]),
            "SourceIp" => self.at(&["src_endpoint", "ip"]),
            "SourcePort" => self.at(&["src_endpoint", "port"]),
            "Protocol" => self.at(&["connection_info", "protocol_name"]),
            "Initiated" => {
                let is_inbound = self.at(&["connection_info", "direction_id"])? == "1";
                Some(if is_inbound { "false" } else { "true" }.into())
            }
            _ => None,
        }
    }

    fn of_launch(&self, field: &str) -> Option<Cow<'a, str>> {
        match field {
            "StdinKind" => self.at(&["cordon_stdin"]),
            "StdoutKind" => self.at(&["cordon_stdout"]),
            "StderrKind" => self.at(&["cordon_stderr"]),
            "ExecutableKind" => self.at(&["cordon_executable_kind"]),
            _ => None,
        }
    }
}

impl Fields for Row<'_> {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        let own = match self.kind {
            Kind::Launch => self.of_launch(field),
            Kind::File => self.of_file(field),
            Kind::Connection => self.of_connection(field),
            Kind::Log => return self.of_log(field),
            Kind::Other => return None,
        };
        own.or_else(|| self.of_process(field))
    }

    fn each(&self, visit: &mut dyn FnMut(&str)) {
        if self.kind == Kind::Log {
            visit(&self.at(&["message"]).unwrap_or_default());
            let fields = self.row.get("cordon_log_fields").and_then(Json::as_array);
            let values = fields.into_iter().flatten().filter_map(|it| it.get("value"));
            return values.filter_map(text).for_each(|it| visit(&it));
        }
        for it in NAMES.iter().filter_map(|name| self.get(name)) {
            visit(&it);
        }
    }
}

fn text(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(it) if it.is_empty() => None,
        Json::String(it) if it.contains("\\x5c") => Some(it.replace("\\x5c", "\\").into()),
        Json::String(it) => Some(it.as_str().into()),
        Json::Number(it) => Some(it.to_string().into()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}
