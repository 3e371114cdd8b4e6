//! What opening a log found, and what it had to mend.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Gap, Index, LogId};

/// What [`super::Writer::open`] found: the caller logs it, counts its gaps, and goes on.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The log's name.
    pub log_id: LogId,
    /// Whether the directory held no segment at all: a first start, or everything was taken away
    /// (then there is a gap up to [`super::Options::next_min`]).
    pub is_new: bool,
    /// The first record that is there; `next` when there is none.
    pub oldest: Index,
    /// The index that the next record gets. All that is there below it is durable.
    pub next: Index,
    /// What was cut from the end of the newest segment.
    pub torn: Option<Torn>,
    /// What is missing in the newest segment, and between segments from
    /// [`super::Options::needed_from`] on. Damage inside older segments is met when they are read.
    pub gaps: Vec<Gap>,
    /// Segments that could not be used as they were, and why.
    pub damaged: Vec<DamagedFile>,
    /// Files in the directory that are none of the log's; left alone.
    pub strangers: Vec<PathBuf>,
    /// The newest preface that is whole: its owner's state before record `first`. Read the log
    /// from `first` on to bring it up to `next`.
    pub preface: Option<Preface>,
}

/// The owner's bytes at the head of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preface {
    /// The first record of its segment.
    pub first: Index,
    /// As they were given to [`super::Writer::rotate`].
    pub bytes: Bytes,
}

/// An end of a segment that was never finished: cut, never handed out (SP-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The index that the unfinished record would have had.
    pub at: Index,
    /// Bytes that were cut.
    pub bytes: u64,
}

/// A segment that could not be used as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// The file; it is kept.
    pub path: PathBuf,
    /// Why.
    pub damage: Damage,
}

/// Why a segment could not be used as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// Shorter than a header: begun and never made durable, or cut from outside. Its records, if
    /// it had any, are a gap.
    Empty,
    /// Both copies of its header are damaged; its records were read all the same.
    Header,
    /// Its preface is damaged; its records are not touched by that.
    Preface,
    /// It belongs to another log; its records are not read.
    OtherLog,
    /// The disk does not let it be opened or read.
    Unreadable,
}
