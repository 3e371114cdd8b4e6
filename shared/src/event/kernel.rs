//! Code that enters the kernel: modules and BPF programs.

use std::sync::Arc;

use super::process::Process;
use crate::{digest::Sha256, text::Text};

/// What was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// A kernel module.
    Module,
    /// A BPF program.
    BpfProgram,
}

/// Code entered the kernel.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// Who loaded it.
    pub actor: Option<Arc<Process>>,
    /// What kind.
    pub object: Object,
    /// Its name.
    pub name: Text,
    /// The file that it came from, when there was one.
    pub path: Text,
    /// Digest of that file.
    pub sha256: Option<Sha256>,
}
