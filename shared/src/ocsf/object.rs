//! Processes and files as the standard's objects, and the two classes that are about them.

use std::fmt::Display;

use super::{Context, Sink};
use crate::{
    digest::Sha256,
    event::{
        Body,
        file::Identity,
        process::{Ancestor, Ending, ExecutableKind, HashState, Launch, Process},
    },
    text::Text,
    time::Timestamp,
};

/// `S_IFMT` and what it can say, inode(7).
const MODE_TYPE: u32 = 0o170_000;

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn process_activity(body: &Body, context: &Context<'_>, sink: &mut dyn Sink) {
    match body {
        Body::ProcessLaunch(it) => launch(it, context, sink),
        Body::ProcessExit(it) => {
            whole(&it.process, context, sink);
            if let Ending::Code(code) = it.ending {
                sink.long("exit_code", i64::from(code));
            } else if let Ending::Signal { number, .. } = it.ending {
                // As a shell tells it.
                sink.long("exit_code", 128 + i64::from(number));
            }
        }
        Body::CredentialChange(it) => whole(&it.process, context, sink),
        Body::Ptrace(it) => {
            actor(Some(&it.tracer), context, sink);
            whole(&it.target, context, sink);
        }
        _ => (),
    }
}

fn launch(it: &Launch, context: &Context<'_>, sink: &mut dyn Sink) {
    actor(it.parent.as_deref(), context, sink);
    sink.open("process");
    let ancestry = &it.ancestry;
    let more = More { file: it.exe_file.as_ref(), parent: it.parent.as_deref(), ancestry };
    process(&it.process, &more, context, sink);
    sink.close();
    // 3: exec.
    sink.long("launch_type_id", 3);
    if let Some([stdin, stdout, stderr]) = it.descriptors {
        sink.open("file_descriptors");
        sink.text("stdin", &stdin.as_str());
        sink.text("stdout", &stdout.as_str());
        sink.text("stderr", &stderr.as_str());
        sink.close();
    }
    let kind = match it.exe_kind {
        ExecutableKind::File => "file",
        ExecutableKind::Deleted => "deleted",
        ExecutableKind::Memfd => "memfd",
    };
    sink.text("executable_kind", &kind);
    let hash_state = match it.hash_state {
        HashState::Known => "known",
        HashState::OverBudget => "over_budget",
        HashState::Vanished => "vanished",
        HashState::TooLarge => "too_large",
        HashState::Unreadable => "unreadable",
        HashState::NotTried => "not_tried",
    };
    sink.text("hash_state", &hash_state);
    sink.long("exec_count", i64::from(it.process.exec_count));
    sink.long("argv_bytes_cut", i64::from(it.argv_bytes_cut));
    sink.flag("is_running_at_start", it.is_running_at_start);
}

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn file_activity(body: &Body, context: &Context<'_>, sink: &mut dyn Sink) {
    match body {
        Body::FileChange(it) => {
            actor(it.actor.as_deref(), context, sink);
            let told = if it.is_directory { Some(2) } else { None };
            file(
                "file",
                &Told {
                    path: &it.path,
                    identity: it.file.as_ref(),
                    sha256: it.sha256,
                    type_id: told,
                },
                sink,
            );
            if !it.path_before.is_empty() {
                let before =
                    Told { path: &it.path_before, identity: None, sha256: None, type_id: told };
                file("file_before", &before, sink);
            }
            sink.long("count", i64::from(it.count));
        }
        Body::Mount(it) => {
            actor(it.actor.as_deref(), context, sink);
            let target = Told { path: &it.target, identity: None, sha256: None, type_id: Some(2) };
            file("file", &target, sink);
            sink.text("mount_source", &it.source);
            sink.text("mount_type", &it.file_system);
        }
        _ => (),
    }
}

/// `actor.process`, when it is known.
pub(super) fn actor(process: Option<&Process>, context: &Context<'_>, sink: &mut dyn Sink) {
    if let Some(it) = process {
        sink.open("actor");
        whole(it, context, sink);
        sink.close();
    }
}

fn whole(it: &Process, context: &Context<'_>, sink: &mut dyn Sink) {
    sink.open("process");
    process(it, &More::default(), context, sink);
    sink.close();
}

/// What only a launch knows of its process.
#[derive(Default)]
struct More<'a> {
    file: Option<&'a Identity>,
    parent: Option<&'a Process>,
    ancestry: &'a [Ancestor],
}

fn process(it: &Process, more: &More<'_>, context: &Context<'_>, sink: &mut dyn Sink) {
    identity(it, more.file, context, sink);
    if let Some(credentials) = &it.credentials {
        sink.long("auid", i64::from(credentials.auid));
        sink.long("euid", i64::from(credentials.euid));
        sink.long("egid", i64::from(credentials.egid));
    }
    told("working_directory", &it.cwd, sink);
    if let Some(credentials) = &it.credentials {
        sink.open("session");
        sink.text("uid", &credentials.session);
        sink.close();
    }
    if let Some(pid) = it.namespace_pid {
        sink.long("namespace_pid", i64::from(pid));
    }
    told("cgroup", &it.cgroup, sink);
    if !it.container.is_empty() {
        sink.open("container");
        sink.text("uid", &it.container);
        sink.close();
    }
    if let Some(parent) = more.parent {
        sink.open("parent_process");
        identity(parent, None, context, sink);
        sink.close();
    } else if let Some(key) = it.parent {
        sink.open("parent_process");
        sink.long("pid", i64::from(key.pid));
        sink.text("uid", &key.uid(context.agent, context.boot));
        sink.close();
    }
    if !more.ancestry.is_empty() {
        sink.list("ancestry");
        for step in more.ancestry {
            sink.item();
            sink.long("pid", i64::from(step.key.pid));
            sink.text("uid", &step.key.uid(context.agent, context.boot));
            told("path", &step.exe, sink);
            sink.close();
        }
        sink.close();
    }
}

/// What a process and a parent are both told by.
fn identity(it: &Process, exe: Option<&Identity>, context: &Context<'_>, sink: &mut dyn Sink) {
    sink.long("pid", i64::from(it.key.pid));
    sink.text("uid", &it.key.uid(context.agent, context.boot));
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

/// What is known of a file.
pub(super) struct Told<'a> {
    pub(super) path: &'a Text,
    pub(super) identity: Option<&'a Identity>,
    pub(super) sha256: Option<Sha256>,
    /// The standard's type where the mode does not tell it.
    pub(super) type_id: Option<i64>,
}

pub(super) fn file(field: &'static str, it: &Told<'_>, sink: &mut dyn Sink) {
    sink.open(field);
    let name = it.path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    sink.text("name", &Text::from(name));
    sink.text("path", it.path);
    let by_mode = it.identity.map(|identity| type_id(identity.mode));
    sink.long("type_id", by_mode.or(it.type_id).unwrap_or(0));
    if let Some(identity) = it.identity {
        sink.long("size", i64::try_from(identity.size_bytes).unwrap_or(i64::MAX));
        sink.text("uid", &format_args!("{:x}:{}", identity.device, identity.inode));
        sink.long("mode", i64::from(identity.mode));
        sink.long("modified_time", Timestamp::as_ms(identity.mtime));
    }
    if let Some(sha256) = it.sha256 {
        sink.list("hashes");
        sink.item();
        // 3: SHA-256.
        sink.long("algorithm_id", 3);
        sink.text("algorithm", &"SHA-256");
        sink.text("value", &sha256);
        sink.close();
        sink.close();
    }
    sink.close();
}

/// The standard's file types: 1 regular, 2 folder, 3 character device, 4 block device, 5 socket,
/// 6 pipe, 7 symbolic link.
fn type_id(mode: u32) -> i64 {
    match mode & MODE_TYPE {
        0o100_000 => 1,
        0o040_000 => 2,
        0o020_000 => 3,
        0o060_000 => 4,
        0o140_000 => 5,
        0o010_000 => 6,
        0o120_000 => 7,
        _ => 0,
    }
}
