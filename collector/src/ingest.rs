//! From a checked batch to a durable, acknowledged one, once; then on to lake and detection.
//!
//! On the road: batches that [`validate`] opened come in through [`Ingest`]; acknowledgements go
//! back after the `fdatasync` that covers them; [`fanout::Feed`] hands the same batches on, in
//! journal order.
//!
//! It never drops what it took, never acknowledges what is not on disk, and never looks at what an
//! event says. What it refuses it keeps aside, and it answers each session in the order in which
//! its batches came: a refusal never overtakes what was sent before it.
//!
//! - **ST-1**: `n` is acknowledged only when everything up to `n` is on disk (`journal.rs`).
//! - **IG-1**: an event reaches lake and detection at most once (`dedupe.rs`).

pub mod validate;

pub mod dedupe;

pub mod record;

pub mod refused;

pub mod journal;

pub mod board;

pub mod host;

pub mod fanout;

use std::sync::Arc;

use bytes::Bytes;
use cordon_shared::{
    batch::Header,
    id::{AgentId, Epoch, Lane},
    time::Timestamp,
};
use tokio::sync::{mpsc, watch};

use self::{board::Board, host::Hosts, validate::Checked};

/// A batch on its way into the journal, with what the session knows of it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who sent it: from the certificate.
    pub agent: AgentId,
    /// The batch.
    pub offer: Offer,
    /// When it came.
    pub received: Timestamp,
    /// What the collector's wall clock showed when the batch's boot began.
    pub boot_epoch: Timestamp,
    /// Whether the session measured `boot_epoch`; else it is what the host believed.
    pub is_corrected: bool,
    /// Where the outcome goes. Its bound covers what one session may have under way, so that the
    /// journal never waits for a session; what finds no room was nobody's to wait for.
    pub reply: mpsc::Sender<Outcome>,
}

/// A batch as its session judged it.
#[derive(Clone, Debug)]
pub enum Offer {
    /// Every event of it was checked.
    Checked(Checked),
    /// It broke a rule. It goes the same way, so that its answer comes after those of the batches
    /// before it: an agent lets go of all that came before a refusal.
    Refused {
        /// Lane, epoch, numbers.
        header: Header,
        /// The batch as it came.
        bytes: Bytes,
        /// Field and rule.
        reason: String,
    },
}

impl Submission {
    /// Lane, epoch, numbers.
    #[must_use]
    pub fn header(&self) -> &Header {
        match &self.offer {
            Offer::Checked(batch) => batch.header(),
            Offer::Refused { header, .. } => header,
        }
    }

    /// The batch as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match &self.offer {
            Offer::Checked(batch) => batch.sealed().bytes(),
            Offer::Refused { bytes, .. } => bytes,
        }
    }

    /// What the collector writes before the batch.
    fn head(&self) -> record::Head {
        record::Head {
            agent: self.agent,
            received: self.received,
            boot_epoch: self.boot_epoch,
            is_corrected: self.is_corrected,
        }
    }
}

/// What became of a submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Everything of the epoch up to and with `seq` is on disk (ST-1).
    Stored {
        /// The lane.
        lane: Lane,
        /// The epoch.
        epoch: Epoch,
        /// The last number that is on disk.
        seq: u64,
        /// Whether this batch was here before, and whether it was another then.
        repeat: Repeat,
    },
    /// It will never be stored. It was kept aside, as far as there is room.
    Refused {
        /// Which batch.
        header: Header,
        /// Which rule it broke.
        reason: String,
    },
}

/// Whether a batch was here before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// It was not.
    First,
    /// It was, and is the same as far as can be told.
    Same,
    /// It was, with other bytes under the same numbers: one of the two sides lost its memory.
    Differs,
}

/// How the journal keeps up: what the credit of every session goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pressure {
    /// It waits for batches.
    Open,
    /// Batches wait for it.
    Behind,
    /// The disk takes nothing: no acknowledgement until it does (F-7, F-8).
    Stalled,
}

/// The way into the journal. Cheap to clone; the journal ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Submission>,
    pressure: watch::Receiver<Pressure>,
    board: Arc<Board>,
    hosts: Arc<Hosts>,
}

/// The journal's thread has ended: the collector stops.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the journal is closed")]
pub struct Closed;

impl Ingest {
    /// A place in the queue; waits while `limit::INGEST_QUEUE_BATCHES` are queued.
    ///
    /// # Errors
    /// [`Closed`] when the collector stops.
    ///
    /// # Cancel safety
    /// Safe: a dropped future has taken no place.
    pub async fn reserve(&self) -> Result<mpsc::Permit<'_, Submission>, Closed> {
        self.queue.reserve().await.or(Err(Closed))
    }

    /// How the journal keeps up; the newest value counts.
    #[must_use]
    pub fn pressure(&self) -> watch::Receiver<Pressure> {
        self.pressure.clone()
    }

    /// What is durable of each agent.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The machines behind the agents.
    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }
}
