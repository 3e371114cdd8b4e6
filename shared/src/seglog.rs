//! The segment log: numbered records on disk, which the agent's spool and the collector's journal
//! are both built on.
//!
//! On the road: opaque payloads come in ([`Writer`]), the same payloads go out in the same order
//! ([`Reader`]), and are deleted when the owner says that all below an index is acknowledged
//! ([`Log::trim`]). Positions of consumers that must outlive the process are kept in a [`Ledger`],
//! or by the consumer itself. It never looks into a payload, never runs a thread, never waits,
//! knows neither clock nor network, and touches files through [`Disk`] alone. The bytes are
//! described in `format.rs`.
//!
//! Constraints as numbers: a record is 1 byte to [`RECORD_BYTES_MAX`]; a segment is
//! [`SEGMENT_BYTES_MIN`] or more and is ended before it would pass `segment_bytes_max`; at most
//! [`BUFFER_BYTES_MAX`] wait in memory to be written; a reader holds one chunk of
//! [`CHUNK_BYTES`] or one record.
//!
//! What each step promises:
//!
//! | step | survives |
//! |---|---|
//! | [`Writer::append`] | nothing yet: the record waits in memory |
//! | [`Writer::flush`] | `kill -9` of this process; readers see the record |
//! | [`Writer::sync`] | loss of power: only now may anyone be told that it is kept |
//!
//! - **SP-1**: a record is deleted only after its acknowledgement: only [`Log::trim`] deletes, only
//!   whole segments below the index that the owner names, never the newest segment.
//! - **SP-2**: records come in index order, each at most once per reader; what is missing comes in
//!   its place as a [`Gap`] with its range and cause. A gap is a loss to be counted.
//! - **SP-3**: a torn tail is cut at open and never handed out.
//! - Whatever [`Writer::open`] finds in order is made durable before it returns, so that nothing
//!   is handed out which a loss of power could take back.
//! - An index names one record for ever, as long as [`Options::next_min`] is told the highest
//!   position that any consumer has on record.
//!
//! Damage (F-9 to F-12): a flipped bit or an unreadable block costs exactly the records it hit. A
//! record with a whole header and end mark but a wrong payload is *corrupt*: counted by index. One
//! that ends early, with nothing whole after it, is *torn*: it was never durable. A missing,
//! emptied or foreign file is reported with its range; no damaged file is ever deleted.
//!
//! A failed `fdatasync` (F-8): the kernel may have dropped the pages and call the next sync a
//! success, so the segment is abandoned at its last durable record. The writer itself reads what
//! was flushed after it, checks it, writes it to a *new* file and syncs that; so the caller need
//! not keep or repeat records and no index changes its meaning. Until this has worked, `sync`
//! fails and the log stays readable. The same distrust holds over a restart: each record says
//! up to where all was durable when it was written, and [`Writer::open`] writes what came after
//! that point once more before it syncs it. Stated limit: none of this helps against a disk that
//! says "synced" and lies.

mod candidate;
mod disk;
mod format;
mod ledger;
mod log;
mod open;
mod reader;
mod recovery;
mod segment;
#[cfg(any(test, feature = "test-support"))]
mod sim_disk;
mod successor;
#[cfg(test)]
mod tests;
mod writer;

use std::{fmt, io, path::PathBuf};

use bytes::Bytes;

use crate::error::{Classify, Kind};

#[cfg(any(test, feature = "test-support"))]
pub use self::sim_disk::{Errno, Fault, Op, SimDisk};
pub use self::{
    disk::{Disk, DiskFile, Mode, RealDisk},
    ledger::{Ledger, LedgerState},
    log::{Log, SegmentSpan, Trimmed},
    reader::Reader,
    recovery::{Damage, DamagedFile, Preface, Recovery, Torn},
    writer::Writer,
};

/// Payload of one record: a sealed batch of 1 MiB, its header, and what the journal puts before it.
pub const RECORD_BYTES_MAX: usize = (1 << 20) + (4 << 10);

/// Smallest `segment_bytes_max` (chosen for tests; a segment has one record or more, however large).
pub const SEGMENT_BYTES_MIN: u64 = 1 << 10;

/// A segment of the collector's journal (chosen: a second of a full disk's writing, so that
/// rotation costs nothing and recovery reads little).
pub const JOURNAL_SEGMENT_BYTES: u64 = 64 << 20;

/// A segment of the agent's spool (chosen: small, since the newest segment is never deleted).
pub const SPOOL_SEGMENT_BYTES: u64 = 8 << 20;

/// A preface (the journal's positions of 10,000 agents in 3 lanes take a quarter of it).
pub const PREFACE_BYTES_MAX: usize = 8 << 20;

/// Segments with a preface that [`Log::trim`] keeps whatever it is told: should the newest preface
/// be damaged, the one before it and the records since then give the same state.
pub const PREFACES_KEPT: usize = 2;

/// A consumer's name in a [`Ledger`].
pub const LEDGER_NAME_BYTES_MAX: usize = 64;

/// Consumers in one [`Ledger`] (chosen: it is for stages of the road, not for agents).
pub const LEDGER_NAMES_MAX: usize = 64;

/// Bytes that wait in memory before `append` writes them out by itself (chosen: one large write).
pub const BUFFER_BYTES_MAX: usize = 2 << 20;

/// Bytes that a reader asks the disk for at once (chosen: four batches of 60 KiB).
pub const CHUNK_BYTES: usize = 256 << 10;

/// Number of a record in its log. The first is 0.
///
/// As a position it says what comes next: everything below it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(u64);

impl Index {
    /// The first record's.
    pub const ZERO: Self = Self(0);

    /// Takes a number that was given out by [`Index::as_u64`].
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, to be stored.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The index `count` records later; stays at the largest number, which no disk can reach.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// Records from `earlier` up to, not including, this one; 0 when there are none.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Random name of one log, in each of its segments.
///
/// It tells a stray file from our own, and it seeds the checksums of record headers, so that bytes
/// planted in a payload cannot pass for a record when a reader looks for the next one after damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId([u8; 16]);

impl LogId {
    /// Takes 16 bytes as they are; give random ones.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The log's name if the directory holds none yet: 16 random bytes.
    pub new_log_id: LogId,
    /// A segment is ended before it would grow past this; at least [`SEGMENT_BYTES_MIN`].
    pub segment_bytes_max: u64,
    /// The lowest position that any consumer has on record: what is missing from here on is
    /// reported as a gap at open. `Index::ZERO` when there is none.
    pub needed_from: Index,
    /// The highest position that any consumer has on record: the log goes on at this index or
    /// later, even if the directory was emptied (F-12). `Index::ZERO` when there is none.
    pub next_min: Index,
}

impl Options {
    /// As the collector's journal is opened when no consumer has a position yet.
    #[must_use]
    pub const fn journal(new_log_id: LogId) -> Self {
        Self {
            new_log_id,
            segment_bytes_max: JOURNAL_SEGMENT_BYTES,
            needed_from: Index::ZERO,
            next_min: Index::ZERO,
        }
    }

    /// As a lane of the agent's spool is opened when no position is on record yet.
    #[must_use]
    pub const fn spool(new_log_id: LogId) -> Self {
        Self { segment_bytes_max: SPOOL_SEGMENT_BYTES, ..Self::journal(new_log_id) }
    }
}

/// What a reader meets at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record as it was appended.
    Record(Record),
    /// Records that are not there: a loss to be counted.
    Gap(Gap),
}

/// A record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub index: Index,
    /// Its bytes, 1 to [`RECORD_BYTES_MAX`]; they share one read's buffer.
    pub payload: Bytes,
}

/// Records that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first that is missing.
    pub from: Index,
    /// The first after it that may be there again.
    pub until: Index,
    /// Why.
    pub cause: GapCause,
}

impl Gap {
    /// How many records are missing.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.until.since(self.from)
    }
}

/// Why records are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapCause {
    /// Their bytes fail the checksum.
    Corrupt,
    /// The disk refused to give their bytes.
    Unreadable,
    /// Their segment is gone, empty, or another log's.
    Missing,
    /// They were trimmed before this reader came to them.
    Trimmed,
}

impl GapCause {
    /// The name that logs and metrics carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Trimmed => "trimmed",
        }
    }
}

/// Why the log refused. After each of them the log is as it was before the call, save what a
/// variant says, and the call may be made again.
#[derive(Debug, thiserror::Error)]
pub enum SeglogError {
    /// The caller's bytes have a size that is not taken; they were not appended.
    #[error("{what} of {bytes} bytes is refused: 1 to {bytes_max} are taken")]
    Size {
        /// `record` or `preface`.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// An option is out of bounds.
    #[error("`{option}` must be {want}")]
    Options {
        /// Which.
        option: &'static str,
        /// What would be taken.
        want: &'static str,
    },
    /// The disk has no room: make some, or wait; nothing that was appended before is lost.
    #[error("no room on the disk to {doing} `{path}`")]
    Full {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk failed: report degraded and try again; nothing that was appended before is lost.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A sync failed and the records after the last durable one cannot be read back whole: they
    /// are gone, and will be met as a gap. None of them was ever reported durable.
    #[error("records {from} to {until} were lost before they were durable")]
    Lost {
        /// The first that is gone: all below it is durable.
        from: Index,
        /// The first after them.
        until: Index,
    },
    /// A segment was written by a newer release: this one must not touch the log.
    #[error("segment `{path}` has format {version}, which this release does not know")]
    Version {
        /// The segment.
        path: PathBuf,
        /// What it says.
        version: u16,
    },
    /// Another process has the log open.
    #[error("`{path}` is in use by another process")]
    Locked {
        /// The log's directory.
        path: PathBuf,
    },
}

impl SeglogError {
    /// Sorts a failure of the system by what the caller does next.
    fn disk(doing: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let is_full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if is_full {
            Self::Full { doing, path, source }
        } else {
            Self::Disk { doing, path, source }
        }
    }
}

impl Classify for SeglogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Size { .. } => Kind::TooLarge,
            Self::Options { .. } => Kind::BadInput,
            Self::Full { .. } | Self::Locked { .. } => Kind::Busy,
            Self::Disk { .. } => Kind::Unavailable,
            Self::Lost { .. } => Kind::Corrupt,
            Self::Version { .. } => Kind::Conflict,
        }
    }
}
