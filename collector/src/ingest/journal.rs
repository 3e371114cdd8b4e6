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
//! The format of a record is in `record.rs`. Each segment begins with a snapshot of all positions,
//! so that a start reads the newest segment only.

use std::{collections::VecDeque, path::Path, sync::Arc, thread, time::Duration};

use cordon_shared::{
    arrival::Arrival,
    entropy::Entropy,
    limit,
    seglog::{Disk, Entry, Index, LogId, Options, Recovery, SeglogError, Writer},
    time::Clock,
};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::{
    Ingest, Outcome, Pressure, Repeat, Submission,
    board::{Board, Position},
    dedupe::{Known, Source, Verdict},
    fanout::Fanout,
    host::Hosts,
    record::{self, Head},
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

/// A batch that was judged and not answered yet.
#[derive(Debug)]
struct Pending {
    submission: Submission,
    place: Place,
    repeat: Repeat,
}

/// Where a judged batch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// It was in the journal before it came.
    Known,
    /// It was appended there.
    At(Index),
    /// It was appended and lost before it was durable: to be appended again.
    Lost,
}

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
    pending: Vec<Pending>,
    /// Taken from the queue, not judged: the log had no room.
    waiting: VecDeque<Submission>,
}

/// What it takes to open a journal.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The journal's directory.
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
    /// [`SeglogError`]: the collector does not start.
    pub fn open(opening: Opening<'_>) -> Result<(Self, Ingest, Arc<Fanout>), SeglogError> {
        let mut id = [0; 16];
        opening.entropy.fill(&mut id);
        let consumers = opening.consumers.iter().copied();
        let options = Options {
            needed_from: Index::from_u64(consumers.clone().min().unwrap_or(0)),
            next_min: Index::from_u64(consumers.max().unwrap_or(0)),
            ..Options::journal(LogId::from_bytes(id))
        };
        let (writer, recovery) = Writer::open(opening.disk, opening.dir, &options)?;
        report(&recovery);
        let mut twice = Vec::new();
        let known = recover(&writer, &recovery, &mut twice)?;
        let hosts = Arc::new(Hosts::default());
        let board = Arc::new(Board::default());
        board.fill(&known);
        let fanout = Fanout::new(writer.log(), Arc::clone(&hosts));
        twice.into_iter().for_each(|it| fanout.skip(it));
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
            pending: Vec::new(),
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
        let mut tries_left = STOP_TRIES;
        loop {
            if *self.pressure.borrow() == Pressure::Stalled {
                // Nobody unparks it: this is a pause between two tries.
                thread::park_timeout(RETRY_EVERY);
                if self.queue.is_closed() && self.queue.is_empty() {
                    tries_left -= 1;
                }
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
        self.fanout.close();
    }

    /// One group: gather, append, sync, acknowledge.
    fn commit(&mut self) {
        let done = self.append_group().and_then(|()| self.sync());
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
    fn append_group(&mut self) -> Result<(), SeglogError> {
        // First what was lost, or a later batch would be on disk before an earlier one.
        self.append_again()?;
        let mut bytes = 0;
        for _ in 0..GROUP_BATCHES {
            let next = self.waiting.pop_front().or_else(|| self.queue.try_recv().ok());
            let Some(submission) = next else { return Ok(()) };
            bytes += submission.batch.sealed().bytes().len();
            if let Err((submission, error)) = self.append(submission) {
                self.waiting.push_front(*submission);
                return Err(error);
            }
            if bytes >= GROUP_BYTES {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Judges one batch and appends it if it is new. Gives it back when the log has no room.
    fn append(&mut self, submission: Submission) -> Result<(), (Box<Submission>, SeglogError)> {
        let header = *submission.batch.header();
        let digest = submission.batch.digest();
        match self.known.judge(submission.agent, &header, digest) {
            Verdict::Refused { reason } => {
                Count::Refused.add(1);
                answer(&submission, Outcome::Refused { header, reason });
                Ok(())
            }
            Verdict::Repeat { is_same } => {
                Count::Repeats.add(1);
                self.known.repeat(submission.agent, &header, digest);
                let repeat = if is_same { Repeat::Same } else { Repeat::Differs };
                let place = Place::Known;
                self.pending.push(Pending { submission, place, repeat });
                Ok(())
            }
            Verdict::Fresh { missing } => match self.write(&submission) {
                Ok(index) => {
                    Count::MissingEvents.add(missing);
                    self.known.add(submission.agent, &header, digest, Source::Agent);
                    self.publish(&submission, index);
                    let (place, repeat) = (Place::At(index), Repeat::First);
                    self.pending.push(Pending { submission, place, repeat });
                    Ok(())
                }
                Err(error) => {
                    if let SeglogError::Lost { from, until } = error {
                        self.lose(from, until);
                    }
                    Err((Box::new(submission), error))
                }
            },
        }
    }

    fn write(&mut self, submission: &Submission) -> Result<Index, SeglogError> {
        let head = Head {
            agent: submission.agent,
            received: submission.received,
            boot_epoch: submission.boot_epoch,
            is_corrected: submission.is_corrected,
        };
        let batch = submission.batch.sealed().bytes();
        if self.writer.is_rotation_due(record::HEAD_BYTES + batch.len()) {
            self.writer.rotate(&self.known.to_bytes())?;
        }
        self.writer.append_parts(&[&head.to_bytes(), batch])
    }

    fn publish(&self, submission: &Submission, index: Index) {
        self.fanout.publish(Arrival {
            position: index.as_u64(),
            agent: submission.agent,
            host: self.fanout.hosts().get(submission.agent),
            received: submission.received,
            boot_epoch: submission.boot_epoch,
            is_corrected: submission.is_corrected,
            header: *submission.batch.header(),
            contents: Arc::clone(submission.batch.contents()),
        });
    }

    /// Makes all that was appended durable, then acknowledges it (ST-1).
    fn sync(&mut self) -> Result<(), SeglogError> {
        let began = self.clock.boottime();
        loop {
            self.append_again()?;
            match self.writer.sync() {
                Ok(durable) => {
                    Time::JournalSync.note(self.clock.boottime().since(began));
                    self.fanout.advance(durable.as_u64());
                    self.acknowledge();
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
        for it in &mut self.pending {
            match it.place {
                Place::At(index) if (from..until).contains(&index) => it.place = Place::Lost,
                Place::At(_) | Place::Known | Place::Lost => (),
            }
        }
    }

    /// Appends once more what was lost. Nothing is acknowledged before this is done.
    fn append_again(&mut self) -> Result<(), SeglogError> {
        for at in 0..self.pending.len() {
            if self.pending[at].place != Place::Lost {
                continue;
            }
            let pending = std::mem::take(&mut self.pending);
            let written = self.write(&pending[at].submission);
            self.pending = pending;
            let index = match written {
                Ok(index) => index,
                Err(SeglogError::Lost { from, until }) => {
                    self.lose(from, until);
                    return Err(SeglogError::Lost { from, until });
                }
                Err(error) => return Err(error),
            };
            self.publish(&self.pending[at].submission, index);
            self.pending[at].place = Place::At(index);
        }
        Ok(())
    }

    fn acknowledge(&mut self) {
        let mut durable = Vec::with_capacity(self.pending.len());
        for it in &self.pending {
            let agent = it.submission.agent;
            let Some(position) = self.known.position(agent, it.submission.batch.header()) else {
                continue;
            };
            durable.push((agent, position));
        }
        self.board.advance(durable.iter().map(|(agent, position)| (*agent, position)));
        let now = self.clock.now();
        for (it, (_, Position { lane, epoch, seq, .. })) in self.pending.drain(..).zip(durable) {
            if it.repeat == Repeat::First {
                let header = it.submission.batch.header();
                let bytes = it.submission.batch.sealed().bytes().len();
                Count::Batches.add(1);
                Count::Events.add(u64::try_from(header.count()).unwrap_or(0));
                Count::BatchBytes.add(u64::try_from(bytes).unwrap_or(0));
            }
            Time::Ack.note(now.since(it.submission.received));
            answer(&it.submission, Outcome::Stored { lane, epoch, seq, repeat: it.repeat });
        }
    }
}

/// Tells the session; one that is gone learns it from its next welcome.
fn answer(submission: &Submission, outcome: Outcome) {
    drop(submission.reply.try_send(outcome));
}

/// Says what opening found. Damage is no reason not to start: it is a loss to be shown.
fn report(recovery: &Recovery) {
    if let Some(torn) = recovery.torn {
        info!(at = %torn.at, bytes = torn.bytes, "the journal's torn end was cut");
    }
    for gap in &recovery.gaps {
        error!(from = %gap.from, until = %gap.until, cause = gap.cause.as_str(),
            "the journal has lost records");
        Count::JournalLost.add(gap.records());
    }
    for file in &recovery.damaged {
        error!(path = %file.path.display(), damage = ?file.damage, "a journal segment is damaged");
    }
    for path in &recovery.strangers {
        warn!(path = %path.display(), "a file in the journal's directory is none of its own");
    }
}

/// Learns which numbers the journal holds: from the newest snapshot and the records after it, or
/// from all records when there is no whole snapshot.
/// Records that hold a batch for the second time go to `twice`: nobody is to see them (IG-1).
fn recover(
    writer: &Writer,
    recovery: &Recovery,
    twice: &mut Vec<u64>,
) -> Result<Known, SeglogError> {
    let preface = recovery.preface.as_ref();
    let snapshot = preface.and_then(|it| Some((it.first, Known::from_bytes(&it.bytes)?)));
    let (from, mut known) = snapshot.unwrap_or((recovery.oldest, Known::default()));
    let mut reader = writer.log().reader(from);
    let mut source = Source::Agent;
    loop {
        let entries = reader.next_batch(GROUP_BATCHES, GROUP_BYTES)?;
        if entries.is_empty() {
            return Ok(known);
        }
        for entry in entries {
            let Entry::Record(found) = entry else {
                source = Source::Damaged;
                continue;
            };
            match record::decode(&found.payload) {
                Ok((head, sealed)) => {
                    let digest = cordon_shared::digest::Sha256::of(sealed.bytes());
                    let header = sealed.header();
                    match known.judge(head.agent, header, digest) {
                        Verdict::Fresh { .. } => known.add(head.agent, header, digest, source),
                        Verdict::Repeat { .. } | Verdict::Refused { .. } => {
                            error!(index = %found.index, "the journal holds a batch twice");
                            twice.push(found.index.as_u64());
                        }
                    }
                }
                Err(error) => {
                    source = Source::Damaged;
                    error!(index = %found.index, "a record cannot be used: {error}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
