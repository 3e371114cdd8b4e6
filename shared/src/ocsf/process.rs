//! Processes as the standard's objects, and the class that is about them.

use std::fmt::Display;

use super::{
    Row, Sink,
    file::{Told, file},
};
use crate::{
    event::{
        Body,
        file::Identity,
        process::{Ancestor, Credentials, Ending, ExecutableKind, HashState, Launch, Process},
    },
    id::ProcessKey,
    text::Text,
};

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn activity(row: &Row<'_>, sink: &mut dyn Sink) {
    match &row.event.body {
        Body::ProcessLaunch(it) => launch(it, row, sink),
        Body::ProcessExit(it) => {
            actor_key(it.process.key, row, sink);
            whole(&it.process, row, sink);
            ending(it.ending, sink);
        }
        Body::CredentialChange(it) => {
            actor_key(it.process.key, row, sink);
            whole(&it.process, row, sink);
            credentials("cordon_credentials_before", &it.before, sink);
            credentials("cordon_credentials_after", &it.after, sink);
        }
        Body::Ptrace(it) => {
            actor(Some(&it.tracer), row, sink);
            whole(&it.target, row, sink);
            sink.long("cordon_ptrace_request", i64::try_from(it.request).unwrap_or(i64::MAX));
        }
        _ => (),
    }
}

fn launch(it: &Launch, row: &Row<'_>, sink: &mut dyn Sink) {
    match (it.parent.as_deref(), it.process.parent) {
        (None, Some(key)) => actor_key(key, row, sink),
        (parent, _) => actor(parent, row, sink),
    }
    sink.open("process");
    let ancestry = &it.ancestry;
    let more = More { file: it.exe_file.as_ref(), parent: it.parent.as_deref(), ancestry };
    process(&it.process, &more, row, sink);
    sink.close();
    // 3: exec.
    sink.long("launch_type_id", 3);
    if let Some([stdin, stdout, stderr]) = it.descriptors {
        sink.text("cordon_stdin", &stdin.as_str());
        sink.text("cordon_stdout", &stdout.as_str());
        sink.text("cordon_stderr", &stderr.as_str());
    }
    let kind = match it.exe_kind {
        ExecutableKind::File => "file",
        ExecutableKind::Deleted => "deleted",
        ExecutableKind::Memfd => "memfd",
    };
    sink.text("cordon_executable_kind", &kind);
    let hash_state = match it.hash_state {
        HashState::Known => "known",
        HashState::OverBudget => "over_budget",
        HashState::Vanished => "vanished",
        HashState::TooLarge => "too_large",
        HashState::Unreadable => "unreadable",
        HashState::NotTried => "not_tried",
    };
    sink.text("cordon_hash_state", &hash_state);
    sink.long("cordon_exec_count", i64::from(it.process.exec_count));
    sink.long("cordon_argv_bytes_cut", i64::from(it.argv_bytes_cut));
    sink.flag("cordon_is_running_at_start", it.is_running_at_start);
}

fn ending(it: Ending, sink: &mut dyn Sink) {
    match it {
        Ending::Code(code) => sink.long("exit_code", i64::from(code)),
        Ending::Signal { number, has_dumped_core } => {
            // As a shell tells it.
            sink.long("exit_code", 128 + i64::from(number));
            sink.long("cordon_exit_signal", i64::from(number));
            sink.flag("cordon_has_dumped_core", has_dumped_core);
        }
        Ending::Unknown => (),
    }
}

fn credentials(field: &'static str, it: &Credentials, sink: &mut dyn Sink) {
    sink.open(field);
    sink.long("uid", i64::from(it.uid));
    sink.long("euid", i64::from(it.euid));
    sink.long("gid", i64::from(it.gid));
    sink.long("egid", i64::from(it.egid));
    if it.auid != Credentials::UNSET {
        sink.long("auid", i64::from(it.auid));
    }
    if it.session != Credentials::UNSET {
        sink.long("session", i64::from(it.session));
    }
    sink.long("capabilities", i64::try_from(it.capabilities).unwrap_or(i64::MAX));
    sink.close();
}

/// `actor.process`, when it is known.
pub(super) fn actor(process: Option<&Process>, row: &Row<'_>, sink: &mut dyn Sink) {
    if let Some(it) = process {
        sink.open("actor");
        whole(it, row, sink);
        sink.close();
    }
}

/// `actor.process` where its name is all that is to be told.
fn actor_key(key: ProcessKey, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.open("actor");
    sink.open("process");
    named(key, row, sink);
    sink.close();
    sink.close();
}

fn named(key: ProcessKey, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.long("pid", i64::from(key.pid));
    sink.text("uid", &row.uid(key));
}

fn whole(it: &Process, row: &Row<'_>, sink: &mut dyn Sink) {
    sink.open("process");
    process(it, &More::default(), row, sink);
    sink.close();
}

/// What only a launch knows of its process.
#[derive(Default)]
struct More<'a> {
    file: Option<&'a Identity>,
    parent: Option<&'a Process>,
    ancestry: &'a [Ancestor],
}

fn process(it: &Process, more: &More<'_>, row: &Row<'_>, sink: &mut dyn Sink) {
    identity(it, more.file, row, sink);
    if let Some(credentials) = &it.credentials {
        sink.open("group");
        sink.text("uid", &credentials.gid);
        sink.close();
        if credentials.auid != Credentials::UNSET {
            sink.long("auid", i64::from(credentials.auid));
        }
        sink.long("euid", i64::from(credentials.euid));
        sink.long("egid", i64::from(credentials.egid));
    }
    told("working_directory", &it.cwd, sink);
    if let Some(credentials) = &it.credentials
        && credentials.session != Credentials::UNSET
    {
        sink.open("session");
        sink.text("uid", &credentials.session);
        sink.close();
    }
    if let Some(pid) = it.namespace_pid {
        sink.long("namespace_pid", i64::from(pid));
    }
    if !it.container.is_empty() {
        sink.open("container");
        sink.text("uid", &it.container);
        sink.close();
    }
    if let Some(parent) = more.parent {
        sink.open("parent_process");
        identity(parent, None, row, sink);
        sink.close();
    } else if let Some(key) = it.parent {
        sink.open("parent_process");
        named(key, row, sink);
        sink.close();
    }
    if !more.ancestry.is_empty() {
        sink.list("ancestry");
        for step in more.ancestry {
            sink.item();
            named(step.key, row, sink);
            told("path", &step.exe, sink);
            sink.close();
        }
        sink.close();
    }
    if let Some(credentials) = &it.credentials {
        let capabilities = i64::try_from(credentials.capabilities).unwrap_or(i64::MAX);
        sink.long("cordon_capabilities", capabilities);
    }
    told("cordon_cgroup", &it.cgroup, sink);
}

/// What a process and a parent are both told by.
fn identity(it: &Process, exe: Option<&Identity>, row: &Row<'_>, sink: &mut dyn Sink) {
    named(it.key, row, sink);
    told("name", &it.comm, sink);
    if !it.argv.is_empty() {
        sink.text("cmd_line", &it.command_line());
    }
    if !it.exe.is_empty() {
        let told = Told { path: &it.exe, identity: exe, sha256: it.exe_sha256, type_id: Some(1) };
        file("file", &told, sink);
    }
    if let Some(credentials) = &it.credentials {
        user(&credentials.uid, &it.user, sink);
    }
}

pub(super) fn user(uid: &dyn Display, name: &Text, sink: &mut dyn Sink) {
    sink.open("user");
    sink.text("uid", uid);
    told("name", name, sink);
    sink.close();
}

/// Text that is known.
pub(super) fn told(field: &'static str, value: &Text, sink: &mut dyn Sink) {
    if !value.is_empty() {
        sink.text(field, value);
    }
}
