//! Sensors: what happens on the host becomes [`Observation`]s. The first stage of the upper road.
//!
//! In: the kernel, through whichever tier the host offers. Out: observations, in the order in which
//! the source gave them, through an [`Outbox`](outbox::Outbox) to enrichment.
//!
//! A sensor only emits: it never waits for the network, never numbers anything, never knows the
//! spool, and never decides what an observation means.
//!
//! # The contract
//! A sensor blocks, so it runs on a named thread of its own ([`outbox::run`]). Each call of
//! [`Sensor::sense`] has one of three outcomes: *data*, *nothing* (within the wait that was
//! allowed), or *broken* (an error: the sensor is not called again, a
//! [`LossCause::SensorDown`](cordon_shared::event::health::LossCause::SensorDown) is handed over and
//! the error goes to whoever may try the next tier). What a sensor could not keep it counts, and the
//! count is an observation too.
//!
//! # Where a source stands
//! Every observation says where its source stood right after it ([`Position`]). A source that can
//! read on from there after a crash (the ring buffers of the first tier, when pinned) keeps what it
//! gave until the spool has it: the spool's side calls [`Committed::advance`], the sensor's thread
//! sees it at its next call and releases the bytes. Such a source is its own buffer: when the queue
//! is full its thread waits. For any other source the newest observations are dropped and counted.
//! Between two agents such a source sees nothing, which is declared at the second one's start, as a
//! gap ([`Sensor::is_resumed`]).

pub mod ebpf;
pub mod file;
pub mod network;
pub mod outbox;
pub mod pace;
pub mod process;
pub mod procfs;
pub mod scope;
pub mod select;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cordon_shared::{
    error::{Classify, Kind},
    event::{
        file::{Action as FileAction, Identity},
        health,
        network::{Action, Direction, Transport},
        process::{DescriptorKind, Ending, ExecutableKind, Process},
    },
    id::ProcessKey,
    text::Text,
    time::Boottime,
};

/// What a sensor saw: unnumbered, unenriched, so it cannot be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Observation {
    /// When it happened, as the source says; when it was read, where the source does not say.
    pub at: Boottime,
    /// Where the source stood right after it.
    pub source: Position,
    /// What was seen.
    pub fact: Fact,
}

/// Where a source stood. Opaque to everybody but the sensor; ordered within one epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Position {
    /// Which making of the source: random, never 0 for a source that can resume.
    pub epoch: u64,
    /// How far.
    pub offset: u64,
}

impl Position {
    /// Of a source that cannot resume.
    pub const NONE: Self = Self { epoch: 0, offset: 0 };
}

/// What was seen.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// An exec, or a process that ran already when the sensor began.
    Launch(Box<Launch>),
    /// A process came to be, still running its parent's image. Makes no event: it keeps the
    /// ancestry right.
    Fork(Fork),
    /// The last thread of a process ended.
    Exit(Exit),
    /// A connection began, failed or ended.
    Connection(Box<Connection>),
    /// A socket began to listen.
    Listen(Listen),
    /// A file changed.
    FileChange(Box<FileChange>),
    /// Observations that were and are not here. A gap in which the sensor did not run is one of
    /// cause [`SensorDown`](health::LossCause::SensorDown) with a count that is not exact.
    Loss(health::Loss),
}

/// An exec, as far as the sensor's tier can know it.
#[derive(Clone, PartialEq, Debug)]
pub struct Launch {
    /// After the exec. `exe_sha256`, `user` and `container` are left to enrichment.
    pub process: Process,
    /// The file that was executed.
    pub exe_file: Option<Identity>,
    /// Where the image came from.
    pub exe_kind: ExecutableKind,
    /// Descriptors 0, 1 and 2; `None` when the tier does not know.
    pub descriptors: Option<[DescriptorKind; 3]>,
    /// Bytes of the arguments that did not fit into
    /// [`ARGV_BYTES_MAX`](cordon_shared::limit::ARGV_BYTES_MAX).
    pub argv_bytes_cut: u32,
    /// It ran already when the sensor began.
    pub is_running_at_start: bool,
}

/// A process came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fork {
    /// The new one.
    pub child: ProcessKey,
    /// Who forked it.
    pub parent: ProcessKey,
}

/// The last thread of a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Who.
    pub process: ProcessKey,
    /// How.
    pub ending: Ending,
}

/// A process that did something, as far as the tier can name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// As the initial pid namespace counts.
    pub pid: u32,
    /// Start time in `USER_HZ` ticks since boot; `None` where the tier has the pid alone, which may
    /// have been reused by the time it is looked up.
    pub start_ticks: Option<u64>,
    /// The kernel's short name at that moment; empty when the tier does not say.
    pub comm: Text,
}

impl Actor {
    /// The process's name on this boot, when the tier gave both halves.
    #[must_use]
    pub fn key(&self) -> Option<ProcessKey> {
        self.start_ticks.map(|start_ticks| ProcessKey { pid: self.pid, start_ticks })
    }
}

/// A connection began, failed or ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Connection {
    /// What became of it.
    pub action: Action,
    /// The process that connected or accepted; `None` when it did so before the sensor began.
    pub actor: Option<Actor>,
    /// Protocol.
    pub transport: Transport,
    /// Who asked, when known.
    pub direction: Option<Direction>,
    /// This side; IPv4 inside IPv6 is shown as IPv4.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// The same for all observations of one connection on one boot; 0 when not known.
    pub flow: u64,
    /// On close: payload bytes that this side sent, each counted once.
    pub bytes_sent: u64,
    /// On close: payload bytes that this side received.
    pub bytes_received: u64,
    /// On close and fail: since it was asked for or accepted; zero when that was not seen.
    pub duration: Duration,
}

/// A socket began to listen.
#[derive(Clone, PartialEq, Debug)]
pub struct Listen {
    /// Who called listen(2).
    pub actor: Option<Actor>,
    /// Protocol.
    pub transport: Transport,
    /// Where.
    pub local: SocketAddr,
}

/// A file changed.
#[derive(Clone, PartialEq, Debug)]
pub struct FileChange {
    /// What happened.
    pub action: FileAction,
    /// Who did it.
    pub actor: Option<Actor>,
    /// Absolute path; after a rename the new one.
    pub path: Text,
    /// Of a rename: the old one.
    pub path_before: Text,
    /// The file, when it could still be looked at.
    pub file: Option<Identity>,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Changes of the same kind that this one stands for, at least 1.
    pub count: u32,
}

/// Whether a call of [`Sensor::sense`] saw anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// At least one observation was appended.
    Data,
    /// Nothing happened within the wait.
    Nothing,
}

/// A source of observations, driven by one thread.
pub trait Sensor: Send + fmt::Debug {
    /// Which sensor it is, on whatever tier.
    fn kind(&self) -> health::Sensor;

    /// Waits at most `wait` for something to happen, then appends what there is, oldest first, up to
    /// [`OBSERVATIONS_PER_BATCH`](outbox::OBSERVATIONS_PER_BATCH). Never sleeps past `wait`: that is
    /// how long a stop may take.
    ///
    /// # Errors
    /// [`SensorError`] when the source is broken. What was appended before stands.
    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError>;

    /// Whether its source ran before it was opened, and tells by itself what was missed meanwhile.
    fn is_resumed(&self) -> bool {
        false
    }

    /// Whether its source goes on without it, for the next agent to read.
    fn outlives_agent(&self) -> bool {
        false
    }

    /// The handle by which the spool's side says what it has. `None`: the source cannot resume.
    fn committed(&self) -> Option<Arc<Committed>> {
        None
    }
}

/// How far the spool has a resumable source's observations. Shared by the spool's side, which
/// advances it, and the sensor's thread, which releases what lies before it.
#[derive(Debug)]
pub struct Committed {
    epoch: u64,
    offset: AtomicU64,
}

impl Committed {
    /// Begins at `start`.
    #[must_use]
    pub fn new(start: Position) -> Self {
        Self { epoch: start.epoch, offset: AtomicU64::new(start.offset) }
    }

    /// Says that the spool durably has everything up to and with `position`.
    ///
    /// A position of another epoch, or one that lies further back, changes nothing: batches may be
    /// confirmed in any order.
    pub fn advance(&self, position: Position) {
        if position.epoch == self.epoch {
            self.offset.fetch_max(position.offset, Ordering::AcqRel);
        }
    }

    /// How far.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.offset.load(Ordering::Acquire) }
    }
}

/// Why a tier cannot be had, or broke.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// This host does not offer it, whoever asks: take the next tier.
    #[error("{0}")]
    Unsupported(String),
    /// This host may offer it, but not to us: take the next tier, and say what is missing.
    #[error("{0}")]
    Forbidden(String),
    /// It worked and does not any more: report, and try again or take the next tier.
    #[error("failed to {doing}")]
    Broken {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

impl Classify for SensorError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unsupported(_) => Kind::NotFound,
            Self::Forbidden(_) => Kind::Forbidden,
            Self::Broken { .. } => Kind::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Committed, Position};

    #[track_caller]
    fn check(confirmed: &[(u64, u64)], offset: u64) {
        let committed = Committed::new(Position { epoch: 7, offset: 100 });
        for &(epoch, offset) in confirmed {
            committed.advance(Position { epoch, offset });
        }
        assert_eq!(committed.position(), Position { epoch: 7, offset });
    }

    #[test]
    fn a_later_position_moves_it_on() {
        check(&[(7, 150)], 150);
    }

    #[test]
    fn an_earlier_position_moves_nothing_back() {
        check(&[(7, 150), (7, 120)], 150);
    }

    #[test]
    fn a_position_of_another_making_of_the_source_is_ignored() {
        check(&[(8, 900), (0, 900)], 100);
    }
}
