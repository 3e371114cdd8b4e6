//! Files as the standard's object, and the class that is about them.

use super::{
    Row, Sink,
    process::{actor, told},
};
use crate::{
    digest::Sha256,
    event::{Body, file::Identity},
    text::Text,
    time::Timestamp,
};

/// `S_IFMT` and what it can say, inode(7).
const MODE_TYPE: u32 = 0o170_000;

#[expect(clippy::wildcard_enum_match_arm, reason = "`map` sends only these bodies here")]
pub(super) fn activity(row: &Row<'_>, sink: &mut dyn Sink) {
    match &row.event.body {
        Body::FileChange(it) => {
            actor(it.actor.as_deref(), row, sink);
            let told = if it.is_directory { Some(2) } else { None };
            let (identity, sha256) = (it.file.as_ref(), it.sha256);
            let now = Told { path: &it.path, identity, sha256, type_id: told };
            if it.path_before.is_empty() {
                file("file", &now, sink);
            } else {
                // What was looked at is the file under its new name; its type it had before.
                let type_id = told.or(identity.map(|it| type_id(it.mode)));
                let old = Told { path: &it.path_before, identity: None, sha256: None, type_id };
                file("file", &old, sink);
                file("file_result", &now, sink);
            }
            sink.long("count", i64::from(it.count));
        }
        Body::Mount(it) => {
            actor(it.actor.as_deref(), row, sink);
            let target = Told { path: &it.target, identity: None, sha256: None, type_id: Some(2) };
            file("file", &target, sink);
            told("cordon_mount_source", &it.source, sink);
            told("cordon_mount_type", &it.file_system, sink);
            sink.long("cordon_mount_flags", i64::try_from(it.flags).unwrap_or(i64::MAX));
        }
        _ => (),
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
        sink.open("owner");
        sink.text("uid", &identity.owner_uid);
        sink.close();
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
    if let Some(identity) = it.identity {
        sink.long("cordon_changed_time", Timestamp::as_ms(identity.ctime));
        sink.long("cordon_gid", i64::from(identity.owner_gid));
        sink.long("cordon_links", i64::from(identity.links));
        sink.long("cordon_mode", i64::from(identity.mode));
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
