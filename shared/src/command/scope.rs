//! How long, under which conditions, and on what ground.

use std::time::Duration;

use crate::{
    digest::Sha256,
    id::{EventId, ProcessKey},
    text::Text,
};

/// What the end of a lease does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeaseEnd {
    /// What was done is undone.
    Release,
    /// It stays, and people are called.
    Hold,
}

/// How long what a command does lasts, and what its end does: decided when it is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// As long as it is not renewed.
    pub duration: Duration,
    /// What its end does.
    pub end: LeaseEnd,
    /// The longest that an unreachable collector can stretch it.
    pub duration_max: Duration,
}

/// What must be true of an operand before anything is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Precondition {
    /// The process runs this executable.
    ProcessIs {
        /// Which process.
        process: ProcessKey,
        /// Digest of its executable; `None` asks for its start time alone.
        exe_sha256: Option<Sha256>,
    },
    /// The file is this one.
    FileIs(FileIs),
}

/// A file, bound to its inode and contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileIs {
    /// Absolute path, opened without following links.
    pub path: Text,
    /// Device number as stat(2) has it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Digest of the contents.
    pub sha256: Sha256,
}

/// What automation must show: an event of this agent's own journal, and the rule that a person armed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Citation {
    /// The event.
    pub event: EventId,
    /// The rule that matched it.
    pub rule: String,
    /// SHA-256 of the rule's text, as a person signed it.
    pub rule_sha256: Sha256,
}

/// A refusal that the signer has thought about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Override {
    /// The host's root file system is on the network.
    NetworkRoot,
    /// The host votes in a cluster.
    ClusterQuorum,
    /// The host runs a Kubernetes control plane.
    ControlPlane,
    /// The file belongs to a package.
    PackagedFile,
}
