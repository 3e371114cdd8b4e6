//! A snapshot: what a host said of itself at one moment, sealed, so that whoever reads it later can
//! tell whether it is still what was taken.
//!
//! In: entries that the agent took. Out: a container (an archive that `tar --zstd` opens, see
//! [`container`]) and its [`Manifest`], which the agent signs with its receipt key. Whoever has both
//! and the public half checks them anywhere ([`check`]), without a collector.
//!
//! It reads no host and opens no file. An entry's name is never made of what a host says.

pub mod container;

pub mod check;

use std::fmt;

use crate::{
    command::action::SnapshotProfile,
    digest::Sha256,
    id::{AgentId, BootId, CommandId, IncidentId, SnapshotId},
    time::ClockSample,
};

/// Letters of an entry's name (chosen: fits into the name field of a tar header, 100 bytes).
pub const NAME_CHARS_MAX: usize = 64;

/// Name of an entry: small letters, digits, `_`, `-` and `.`, beginning with a letter. So it is a file
/// name that no program takes for a path, an option or a hidden file.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryName(String);

impl EntryName {
    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_good =
            |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-.".contains(&it);
        let begins = text.bytes().next().is_some_and(|it| it.is_ascii_lowercase());
        let is_name = begins && text.len() <= NAME_CHARS_MAX && text.bytes().all(is_good);
        is_name.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// All that there is is there; nothing, when the host has no such thing.
    Taken,
    /// A part of it is there.
    Cut,
    /// Nothing of it is there.
    Missed,
}

impl Outcome {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Cut => "cut",
            Self::Missed => "missed",
        }
    }
}

/// One thing that was to be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name in the container.
    pub name: EntryName,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was cut, missed or is empty; for people.
    pub reason: String,
    /// Of what is in the container; 0 when it was missed.
    pub size_bytes: u64,
    /// Of the same; absent when it was missed.
    pub sha256: Option<Sha256>,
    /// Of its frame in the container; 0 when it was missed.
    pub packed_bytes: u64,
}

/// What is in a container, and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Its name.
    pub snapshot: SnapshotId,
    /// The command that asked for it.
    pub command: CommandId,
    /// Whose word this is.
    pub agent: AgentId,
    /// The incident that the command belongs to.
    pub incident: Option<IncidentId>,
    /// The host, as it calls itself.
    pub host_name: String,
    /// During which boot.
    pub boot: BootId,
    /// How much was asked for.
    pub profile: SnapshotProfile,
    /// When the first entry was begun.
    pub began: ClockSample,
    /// When the container was closed.
    pub ended: ClockSample,
    /// In the order in which they were taken.
    pub entries: Vec<Entry>,
    /// Of the container.
    pub size_bytes: u64,
    /// Of the container.
    pub sha256: Sha256,
}

#[cfg(test)]
mod tests;
