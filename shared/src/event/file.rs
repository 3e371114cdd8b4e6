//! Files: create, open for write, write-close, rename, delete, attributes; mounts.

use std::sync::Arc;

use super::process::Process;
use crate::{digest::Sha256, text::Text, time::Timestamp};

/// What the kernel knows of a file at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Identity {
    /// Device number, as `stat(2)` encodes it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Type and permissions, as in `stat(2)`.
    pub mode: u32,
    /// Owner.
    pub owner_uid: u32,
    /// Group.
    pub owner_gid: u32,
    /// Names that lead to it.
    pub links: u32,
}

/// What happened to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It came to be.
    Create,
    /// Somebody opened it for writing.
    OpenWrite,
    /// Somebody who could write closed it.
    WriteClose,
    /// It has another name.
    Rename,
    /// A name of it went.
    Delete,
    /// Permissions, owner or times changed.
    Attributes,
}

/// A file changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// What happened.
    pub action: Action,
    /// Who did it.
    pub actor: Option<Arc<Process>>,
    /// Absolute path; after a rename the new one.
    pub path: Text,
    /// Of a rename: the old one.
    pub path_before: Text,
    /// The file, when it could still be looked at.
    pub file: Option<Identity>,
    /// Digest of the contents, when taken.
    pub sha256: Option<Sha256>,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Changes of the same kind that this one stands for, at least 1.
    pub count: u32,
}

/// A file system came or went.
#[derive(Clone, PartialEq, Debug)]
pub struct Mount {
    /// Who did it.
    pub actor: Option<Arc<Process>>,
    /// What was mounted.
    pub source: Text,
    /// Where.
    pub target: Text,
    /// Type, as in `/proc/filesystems`.
    pub file_system: Text,
    /// As in mount(2).
    pub flags: u64,
    /// It went.
    pub is_unmount: bool,
}
