//! Hands batches to lake and detection, each at its own pace.
//!
//! On the road: the journal's thread publishes each batch here as it is appended; a consumer pulls
//! from its own position. The newest batches wait decoded in memory, within [`RING_BATCHES_MAX`]
//! and [`RING_BYTES_MAX`]; a consumer that fell behind, or just started, gets the same batches
//! decoded again from the journal. It never waits for a consumer, and deletes from the journal only
//! what every consumer has released.

pub(super) mod gap;

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cordon_shared::{
    arrival::Arrival,
    seglog::{Entry, Gap, Index, Log, Reader, SeglogError},
};
use tracing::{error, warn};

use super::{host::Hosts, journal::JournalError, record, refused::Refusals};
use crate::metric::{Count, Level};

/// Decoded batches that wait in memory (chosen: a second of a busy fleet).
pub const RING_BATCHES_MAX: usize = 256;

/// Their raw bytes; decoded, they take about four times as much (chosen: an eighth of what the
/// collector may use).
pub const RING_BYTES_MAX: usize = 4 << 20;

/// Bytes that are read from the journal at once for a consumer that is behind.
const READ_BYTES_MAX: usize = 1 << 20;

/// How much of the journal a consumer may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// What is on disk for good: for the lake, whose rows must never be taken back.
    Durable,
    /// What was appended, too: for detection, which does not wait for the disk. After a crash the
    /// same position may hold another batch, or the same batch may have another position.
    Appended,
}

/// The newest batches, and how far everybody is.
#[derive(Debug)]
struct State {
    /// Positions rise, mostly by one.
    ring: VecDeque<Arc<Arrival>>,
    ring_bytes: usize,
    appended: u64,
    durable: u64,
    /// By consumer: below it the journal is not needed.
    released: Vec<(&'static str, u64)>,
    /// Records that nobody is to see: their batches are elsewhere in the journal.
    skipped: std::collections::HashSet<u64>,
    is_closed: bool,
}

/// The hub between the journal's thread and the consumers.
#[derive(Debug)]
pub struct Fanout {
    state: Mutex<State>,
    wake: Condvar,
    log: Log,
    hosts: Arc<Hosts>,
    refusals: Mutex<Refusals>,
}

impl Fanout {
    /// The hub of a journal that was just opened: all that is in it is durable.
    pub(super) fn new(log: Log, hosts: Arc<Hosts>, refusals: Refusals) -> Arc<Self> {
        let durable = log.durable().as_u64();
        let state = State {
            ring: VecDeque::new(),
            ring_bytes: 0,
            appended: durable,
            durable,
            released: Vec::new(),
            skipped: std::collections::HashSet::new(),
            is_closed: false,
        };
        let (state, refusals) = (Mutex::new(state), Mutex::new(refusals));
        Arc::new(Self { state, wake: Condvar::new(), log, hosts, refusals })
    }

    /// A view for one more consumer, which has everything below `released`.
    #[must_use]
    pub fn feed(self: &Arc<Self>, consumer: &'static str, sight: Sight, released: u64) -> Feed {
        self.lock().released.push((consumer, released));
        let reader = self.log.reader(Index::from_u64(released));
        Feed { fanout: Arc::clone(self), consumer, sight, reader }
    }

    /// The machines behind the agents.
    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// What was refused, and what could not be filed.
    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch that was just appended.
    pub(super) fn publish(&self, arrival: Arrival) {
        let mut state = self.lock();
        state.appended = arrival.position + 1;
        state.ring_bytes += arrival.header.body_raw_bytes();
        state.ring.push_back(Arc::new(arrival));
        while state.ring.len() > RING_BATCHES_MAX || state.ring_bytes > RING_BYTES_MAX {
            let Some(oldest) = state.ring.pop_front() else { break };
            state.ring_bytes -= oldest.header.body_raw_bytes();
        }
        drop(state);
        self.wake.notify_all();
    }

    /// Takes back batches that were lost before they were durable.
    pub(super) fn retract(&self, from: u64, until: u64) {
        let mut state = self.lock();
        state.ring.retain(|it| !(from..until).contains(&it.position));
        state.ring_bytes = state.ring.iter().map(|it| it.header.body_raw_bytes()).sum();
    }

    /// Hides a record whose batch is elsewhere in the journal (IG-1).
    pub(super) fn skip(&self, position: u64) {
        self.lock().skipped.insert(position);
    }

    /// The records that are hidden and not trimmed yet, rising.
    pub(super) fn skipped(&self) -> Vec<u64> {
        let oldest = self.log.oldest().as_u64();
        let mut state = self.lock();
        state.skipped.retain(|it| *it >= oldest);
        let mut skipped: Vec<u64> = state.skipped.iter().copied().collect();
        drop(state);
        skipped.sort_unstable();
        skipped
    }

    /// Everything below `durable` is on disk now.
    pub(super) fn advance(&self, durable: u64) {
        let mut state = self.lock();
        state.durable = durable;
        state.appended = state.appended.max(durable);
        let appended = state.appended;
        drop(state);
        self.wake.notify_all();
        Level::JournalAppended.set(appended);
        Level::JournalDurable.set(durable);
    }

    /// Empties the ring, so that consumers read from the disk.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.lock().ring.clear();
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self, sight: Sight) -> u64 {
        match sight {
            Sight::Durable => self.durable,
            Sight::Appended => self.appended,
        }
    }

    /// What the ring has from `position` on; nothing when it begins later.
    fn page(&self, position: u64, sight: Sight, batches_max: usize) -> Option<Page> {
        let end = self.end(sight);
        let oldest = self.ring.front()?.position;
        if position < oldest || position >= end {
            return None;
        }
        let from = self.ring.partition_point(|it| it.position < position);
        let seen = self.ring.iter().skip(from).take_while(|it| it.position < end);
        let arrivals: Vec<_> = seen.take(batches_max).cloned().collect();
        let next = arrivals.last().map_or(end, |it| it.position + 1);
        Some(Page { arrivals, next, gaps: Vec::new() })
    }
}

/// A consumer's view of the journal. One per consumer and thread; all calls block.
#[derive(Debug)]
pub struct Feed {
    fanout: Arc<Fanout>,
    consumer: &'static str,
    sight: Sight,
    reader: Reader,
}

/// What a consumer gets at once.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In journal order.
    pub arrivals: Vec<Arc<Arrival>>,
    /// Where to go on: behind the last of `arrivals`, and behind what is lost.
    pub next: u64,
    /// What the journal has lost between the position asked for and `next`.
    pub gaps: Vec<Gap>,
}

impl Page {
    fn empty(position: u64) -> Self {
        Self { next: position, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.gaps.is_empty()
    }
}

impl Feed {
    /// Up to `batches_max` batches from `position` on. When none is there it waits up to `wait`
    /// for one; an empty page then means that time is up or the collector stops.
    ///
    /// # Errors
    /// [`SeglogError`] when the journal cannot be read: call again later from the same position.
    pub fn next(
        &mut self,
        position: u64,
        batches_max: usize,
        wait: Duration,
    ) -> Result<Page, SeglogError> {
        let end = {
            let state = self.fanout.lock();
            let waits = |state: &mut State| !state.is_closed && position >= state.end(self.sight);
            let waited = self.fanout.wake.wait_timeout_while(state, wait, waits);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if let Some(page) = state.page(position, self.sight, batches_max) {
                return Ok(page);
            }
            state.end(self.sight)
        };
        if position >= end {
            return Ok(Page::empty(position));
        }
        self.read(position, end, batches_max)
    }

    /// Reads on from the journal, not past `end`.
    fn read(&mut self, position: u64, end: u64, batches_max: usize) -> Result<Page, SeglogError> {
        if self.reader.position().as_u64() != position {
            self.reader.rewind(Index::from_u64(position));
        }
        let entries = self.reader.next_batch(batches_max, READ_BYTES_MAX)?;
        let mut page = Page::empty(position);
        for entry in entries {
            match entry {
                Entry::Record(record) if record.index.as_u64() >= end => break,
                Entry::Record(record) => {
                    let at = record.index.as_u64();
                    page.next = at + 1;
                    if self.fanout.lock().skipped.contains(&at) {
                        continue;
                    }
                    match self.decode(at, &record.payload) {
                        Some(arrival) => page.arrivals.push(Arc::new(arrival)),
                        None => page.gaps.push(gap::at(record.index)),
                    }
                }
                Entry::Gap(gap) => {
                    page.next = gap.until.as_u64();
                    for gap in gap::without(&gap, &self.fanout.skipped()) {
                        warn!(consumer = self.consumer, from = %gap.from, until = %gap.until,
                            cause = gap.cause.as_str(), "the journal has lost records");
                        Count::JournalLost.add(gap.records());
                        page.gaps.push(gap);
                    }
                }
            }
        }
        if page.is_empty() {
            // It was appended and is not flushed yet: the ring has moved on, so wait for the sync.
            let state = self.fanout.lock();
            let waits = |state: &mut State| !state.is_closed && state.durable <= position;
            let waited = self.fanout.wake.wait_timeout_while(state, UNFLUSHED_WAIT, waits);
            drop(waited);
        }
        Ok(page)
    }

    fn decode(&self, position: u64, payload: &Bytes) -> Option<Arrival> {
        let (head, sealed) = match record::decode(payload) {
            Ok(it) => it,
            Err(error) => {
                error!(position, "a journal record cannot be used: {error}");
                return None;
            }
        };
        let contents = match sealed.open() {
            Ok(it) => it,
            Err(error) => {
                error!(position, "a journal record cannot be opened: {error}");
                return None;
            }
        };
        Some(Arrival {
            position,
            agent: head.agent,
            host: self.fanout.hosts.get(head.agent),
            received: head.received,
            boot_epoch: head.boot_epoch,
            is_corrected: head.is_corrected,
            header: *sealed.header(),
            contents: Arc::new(contents),
        })
    }

    /// Below it the journal is on disk.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.fanout.lock().durable
    }

    /// Whether the journal has ended: nothing more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.fanout.lock().is_closed
    }

    /// Whether the collector stops and all that is durable was handed out below `position`.
    #[must_use]
    pub fn is_done(&self, position: u64) -> bool {
        let state = self.fanout.lock();
        state.is_closed && position >= state.durable
    }

    /// Says that everything below `position` is durable with this consumer. The journal forgets
    /// what all consumers have released.
    pub fn release(&self, position: u64) {
        let released = {
            let mut state = self.fanout.lock();
            for (consumer, released) in &mut state.released {
                if *consumer == self.consumer {
                    *released = position.max(*released);
                }
            }
            state.released.iter().map(|(_, released)| *released).min().unwrap_or(0)
        };
        match self.fanout.log.trim(Index::from_u64(released)) {
            Ok(_) => Level::JournalBytes.set(self.fanout.log.bytes_used()),
            Err(error) => warn!("failed to trim the journal, which is tried again: {error}"),
        }
    }

    /// Keeps the batch at this position aside, durably and as it came, since its consumer cannot do
    /// anything with it (F-49).
    ///
    /// # Errors
    /// [`JournalError`] when it could not be kept: the journal must not forget it.
    pub fn set_aside(&self, position: u64) -> Result<(), JournalError> {
        let mut reader = self.fanout.log.reader(Index::from_u64(position));
        match reader.next_entry()? {
            Some(Entry::Record(record)) if record.index.as_u64() == position => {
                Ok(self.fanout.refusals().set_aside(position, &record.payload)?)
            }
            // What the journal does not have any more cannot be kept, and was told as a loss.
            Some(Entry::Record(_) | Entry::Gap(_)) | None => Ok(()),
        }
    }

    /// How many batches that were acknowledged lie aside.
    #[must_use]
    pub fn unfiled(&self) -> u64 {
        self.fanout.refusals().unfiled()
    }

    /// How much this feed shows.
    #[must_use]
    pub fn sight(&self) -> Sight {
        self.sight
    }
}

/// How long a reader waits for a record that was appended and is neither in the ring nor flushed
/// (chosen: a slow sync).
const UNFLUSHED_WAIT: Duration = Duration::from_millis(50);
