//! The journal: durable before acknowledged (ST-1), each batch once (IG-1).
//!
//! On the road: one thread owns the writer. It takes what is queued, up to [`GROUP_BATCHES`] and
//! [`GROUP_BYTES`], judges each batch by its numbers, appends it and publishes it to the consumers;
//! then one `fdatasync` for all, then the acknowledgements. While that sync runs the next group
//! gathers, so that the group grows with the load and the cost of a sync is shared.
//!
//! When the disk is full or fails (F-7, F-8) it holds what it took, says [`Pressure::Stalled`],
//! takes no more than the log's buffer holds, and tries again every [`RETRY_EVERY`] until it works:
//! nothing is acknowledged meanwhile, nothing that was taken is dropped. Detection goes on with
//! what was appended.
//!
//! What is refused is kept aside (`ingest/refused.rs`) before it is answered, and answered in its
//! turn: an agent lets go of all that it sent before a refusal, so that must be on disk by then.
//!
//! The format of a record is in `record.rs`. Each segment begins with a snapshot of all positions
//! (`journal/preface.rs`), so that a start reads the newest segment only; only one that begins
//! while records are lost says of these only that they are written again: a snapshot would vouch for
//! them.

mod pending;
mod preface;
mod recover;

use std::{collections::VecDeque, path::Path, sync::Arc, thread, time::Duration};

use cordon_shared::{
    arrival::Arrival,
    entropy::Entropy,
    error::{Classify, Kind},
    limit,
    seglog::{Disk, Index, LogId, Options, SeglogError, Writer},
    time::Clock,
};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use self::{
    pending::{Pending, Place},
    recover::Found,
};
use super::{
    Ingest, Offer, Pressure, Submission,
    board::Board,
    dedupe::{Known, Source, Verdict},
    fanout::Fanout,
    host::Hosts,
    record,
    refused::{Refusals, RefusedError},
    validate::Checked,
};
use crate::metric::{Count, Level, Time};

/// Batches of one sync.
pub const GROUP_BATCHES: usize = limit::INGEST_QUEUE_BATCHES;

/// Bytes of one sync (chosen: a tenth of a second of a slow disk).
pub const GROUP_BYTES: usize = 8 << 20;

/// How often a disk that refused is tried again: recovery is seen well within 5 s (F-7).
pub const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Tries that a stopping collector still gives a disk that refuses: what is then not durable was
/// not acknowledged, and comes again.
const STOP_TRIES: u32 = 4;

/// Queued batches from which on the journal counts as behind, and down to which it stays so.
const BEHIND_FROM: usize = GROUP_BATCHES * 3 / 4;
const BEHIND_UNTIL: usize = GROUP_BATCHES / 4;

/// The journal, opened and not running yet.
#[derive(Debug)]
pub struct Journal {
    writer: Writer,
    known: Known,
    fanout: Arc<Fanout>,
    board: Arc<Board>,
    pressure: watch::Sender<Pressure>,
    queue: mpsc::Receiver<Submission>,
    clock: Arc<dyn Clock>,
    /// Judged, in order, waiting for the sync.
    pending: Pending,
    /// Taken from the queue, not judged: the log had no room.
    waiting: VecDeque<Submission>,
}

/// Why the journal does not open, or stalls.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] SeglogError),
    /// A refused batch could not be kept.
    #[error(transparent)]
    Refused(#[from] RefusedError),
}

impl Classify for JournalError {
    fn kind(&self) -> Kind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Refused(error) => error.kind(),
        }
    }
}

/// What it takes to open a journal.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The journal's directory. What is refused is kept beside it, in `refused`.
    pub dir: &'a Path,
    /// The positions that the consumers have on record.
    pub consumers: &'a [u64],
    /// The clock that syncs are measured by.
    pub clock: Arc<dyn Clock>,
    /// Names a new log.
    pub entropy: &'a dyn Entropy,
}

impl Journal {
    /// Opens the journal and learns from it which numbers it holds.
    ///
    /// # Errors
    /// [`JournalError`]: the collector does not start.
    pub fn open(opening: Opening<'_>) -> Result<(Self, Ingest, Arc<Fanout>), JournalError> {
        let mut id = [0; 16];
        opening.entropy.fill(&mut id);
        let consumers = opening.consumers.iter().copied();
        let options = Options {
            needed_from: Index::from_u64(consumers.clone().min().unwrap_or(0)),
            next_min: Index::from_u64(consumers.max().unwrap_or(0)),
            ..Options::journal(LogId::from_bytes(id))
        };
        let refusals =
            Refusals::open(Arc::clone(&opening.disk), &opening.dir.with_file_name("refused"))?;
        let (writer, recovery) = Writer::open(opening.disk, opening.dir, &options)?;
        let Found { known, skipped } = recover::read(&writer, &recovery)?;
        recover::report(&recovery, &skipped);
        let hosts = Arc::new(Hosts::default());
        let board = Arc::new(Board::default());
        board.fill(&known);
        let fanout = Fanout::new(writer.log(), Arc::clone(&hosts), refusals);
        skipped.into_iter().for_each(|it| fanout.skip(it));
        let (sender, queue) = mpsc::channel(limit::INGEST_QUEUE_BATCHES);
        let (pressure, pressure_seen) = watch::channel(Pressure::Open);
        let ingest =
            Ingest { queue: sender, pressure: pressure_seen, board: Arc::clone(&board), hosts };
        let journal = Self {
            writer,
            known,
            fanout: Arc::clone(&fanout),
            board,
            pressure,
            queue,
            clock: opening.clock,
            pending: Pending::default(),
            waiting: VecDeque::new(),
        };
        Ok((journal, ingest, fanout))
    }

    /// Runs on a thread of its own until the last [`Ingest`] is dropped and all is synced.
    ///
    /// # Errors
    /// What the system says when it has no thread.
    pub fn start(self) -> std::io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name("journal".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        // However it ends, a panic included: who reads the journal must not wait for more.
        let _closing = Closing(Arc::clone(&self.fanout));
        let mut tries_left = STOP_TRIES;
        loop {
            if *self.pressure.borrow() == Pressure::Stalled {
                // Nobody unparks it: this is a pause between two tries.
                thread::park_timeout(RETRY_EVERY);
                // Also while it is not empty: what does not fit into the log stays in it.
                tries_left -= u32::from(self.queue.is_closed());
            } else {
                match self.queue.blocking_recv() {
                    Some(submission) => self.waiting.push_back(submission),
                    None => break,
                }
            }
            self.commit();
            if tries_left == 0 {
                let unsynced = self.pending.len() + self.waiting.len();
                error!(unsynced, "the journal ends before its disk took these batches");
                break;
            }
        }
    }

    /// One group: gather, append, sync, acknowledge.
    fn commit(&mut self) {
        let done = self.append_group().and_then(|()| Ok(self.sync()?));
        let pressure = match done {
            Ok(()) => self.queue_pressure(),
            Err(error) => {
                Count::SyncFailures.add(1);
                if *self.pressure.borrow() != Pressure::Stalled {
                    error!("the journal stalls, nothing is acknowledged until it goes on: {error}");
                }
                Pressure::Stalled
            }
        };
        let before = self.pressure.send_replace(pressure);
        if before == Pressure::Stalled && pressure != Pressure::Stalled {
            info!("the journal goes on");
        }
        Level::JournalPressure.set(match pressure {
            Pressure::Open => 0,
            Pressure::Behind => 1,
            Pressure::Stalled => 2,
        });
    }

    fn queue_pressure(&self) -> Pressure {
        let queued = self.queue.len();
        Level::JournalQueue.set(u64::try_from(queued).unwrap_or(u64::MAX));
        let was_behind = *self.pressure.borrow() == Pressure::Behind;
        let bound = if was_behind { BEHIND_UNTIL } else { BEHIND_FROM };
        if queued >= bound { Pressure::Behind } else { Pressure::Open }
    }

    /// Judges and appends what waits and what is queued, within the bounds of a group.
    fn append_group(&mut self) -> Result<(), JournalError> {
        // First what was lost, or a later batch would be on disk before an earlier one.
        self.append_again()?;
        let mut bytes = 0;
        for _ in 0..GROUP_BATCHES {
            let next = self.waiting.pop_front().or_else(|| self.queue.try_recv().ok());
            let Some(submission) = next else { return Ok(()) };
            bytes += submission.bytes().len();
            match self.append(&submission) {
                Ok(place) => self.pending.push(submission, place),
                Err(error) => {
                    self.waiting.push_front(submission);
                    return Err(error);
                }
            }
            if bytes >= GROUP_BYTES {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Judges one batch, and appends it if it is new.
    fn append(&mut self, submission: &Submission) -> Result<Place, JournalError> {
        let batch = match &submission.offer {
            Offer::Checked(batch) => batch,
            Offer::Refused { reason, .. } => return self.refuse(submission, reason),
        };
        let (agent, header, digest) = (submission.agent, batch.header(), batch.digest());
        match self.known.judge(agent, header, digest) {
            Verdict::Refused { reason } => self.refuse(submission, reason),
            Verdict::Repeat { is_same } => {
                Count::Repeats.add(1);
                self.known.repeat(agent, header, digest);
                Ok(Place::Known { is_same })
            }
            Verdict::Fresh { missing } => {
                let index = self.write(submission)?;
                Count::MissingEvents.add(missing);
                self.known.add(agent, header, digest, Source::Agent);
                self.publish(submission, batch, index);
                Ok(Place::At(index))
            }
        }
    }

    fn refuse(&mut self, submission: &Submission, reason: &str) -> Result<Place, JournalError> {
        self.fanout.refusals().keep(submission)?;
        Count::Refused.add(1);
        Ok(Place::Aside { reason: reason.to_owned() })
    }

    fn write(&mut self, submission: &Submission) -> Result<Index, SeglogError> {
        let batch = submission.bytes();
        let written = match self.writer.is_rotation_due(record::HEAD_BYTES + batch.len()) {
            true => self.rotate(),
            false => Ok(()),
        };
        let head = submission.head().to_bytes();
        let written = written.and_then(|()| self.writer.append_parts(&[&head, batch]));
        if let Err(SeglogError::Lost { from, until }) = written {
            self.lose(from, until);
        }
        written
    }

    /// Begins the next segment, with a snapshot of what is in the log.
    fn rotate(&mut self) -> Result<(), SeglogError> {
        if self.pending.first_lost().is_some() {
            // Some of what is known is in no log: a snapshot would vouch for it over a crash.
            return self.writer.rotate(&preface::encode_skipped(&self.fanout.skipped()));
        }
        self.writer.rotate(&preface::encode(&self.known, &self.fanout.skipped()))
    }

    fn publish(&self, submission: &Submission, batch: &Checked, index: Index) {
        self.fanout.publish(Arrival {
            position: index.as_u64(),
            agent: submission.agent,
            host: self.fanout.hosts().get(submission.agent),
            received: submission.received,
            boot_epoch: submission.boot_epoch,
            is_corrected: submission.is_corrected,
            header: *batch.header(),
            contents: Arc::clone(batch.contents()),
        });
    }

    /// Makes all that was appended durable, then answers (ST-1).
    fn sync(&mut self) -> Result<(), SeglogError> {
        let began = self.clock.boottime();
        loop {
            self.append_again()?;
            match self.writer.sync() {
                Ok(durable) => {
                    Time::JournalSync.note(self.clock.boottime().since(began));
                    self.fanout.advance(durable.as_u64());
                    self.pending.answer(&self.known, &self.board, self.clock.now());
                    return Ok(());
                }
                Err(SeglogError::Lost { from, until }) => self.lose(from, until),
                Err(error) => return Err(error),
            }
        }
    }

    /// Records were lost before they were durable (F-8). Their batches are still here, since none
    /// was acknowledged.
    fn lose(&mut self, from: Index, until: Index) {
        warn!(%from, %until, "a failed sync lost records, which are written again");
        self.fanout.retract(from.as_u64(), until.as_u64());
        // Whatever of them turns up on the disk after all was written again elsewhere.
        (from.as_u64()..until.as_u64()).for_each(|it| self.fanout.skip(it));
        self.pending.lose(&(from..until));
    }

    /// Appends once more what was lost. Nothing is answered before this is done.
    fn append_again(&mut self) -> Result<(), SeglogError> {
        while let Some((at, submission)) = self.pending.first_lost() {
            let submission = submission.clone();
            let index = self.write(&submission)?;
            if let Offer::Checked(batch) = &submission.offer {
                self.publish(&submission, batch, index);
            }
            self.pending.found(at, index);
        }
        Ok(())
    }
}

/// Tells the readers, when it is dropped, that nothing more will come.
struct Closing(Arc<Fanout>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests;
