//! Runs the rules over what arrives, and hands what they find on: one thread.
//!
//! On the road: batches come in from the journal's feed as they are appended, without waiting for the
//! disk; detections, the incidents that they belong to and what is ordered about them go into the
//! store; receipts among the events close commands; notices go to those who watch now. It never
//! changes an event, never acknowledges one, and never waits for an agent.
//!
//! **How far it is.** The position in the store is one below which every batch is on disk in the
//! journal *and* its detections are in the store; it is kept in the transaction that gathers them, or
//! about once a second when there are none. After a crash the batches behind it are read again, maybe
//! at other places: a detection's name is made of rule and event, so what is derived again is known
//! and changes nothing, and the command that it called for was kept in the same transaction as the
//! detection. Only then is the journal released.
//!
//! **What cannot be kept.** When the state refuses what a page found, and not the disk, the page is
//! done piece by piece after [`DATA_TRIES`] tries: what is to blame is told and passed over, and the
//! rest goes on (F-49).
//!
//! **How it ends.** A stopping collector does not wait for what lies behind: the page in work is done,
//! or after a second not done at all, and the next start goes on from the position.

mod defect;
mod judge;
mod news;
mod page;
pub mod rules;
mod suppress;

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use cordon_shared::{
    backoff::Backoff,
    entropy::Entropy,
    time::{Boottime, Clock},
};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::{defect::Defects, judge::Docket, page::Found, rules::Rules};
use crate::{
    ingest::fanout::{Feed, Page},
    metric::{Count, Level, Time},
    notice::{Board, Trouble},
    response::{reconcile, ring::Ring, sign::Signer},
    store::{AUTOMATION, By, News, Repeats, Store, StoreError},
};

/// The consumer's name in the journal and the store.
pub const CONSUMER: &str = "detect";

/// Batches of one page (chosen: 4,096 events, so that a transaction stays within milliseconds).
const PAGE_BATCHES_MAX: usize = 16;

/// How long a page is waited for, and so how late at most the position is kept when nothing comes.
const PAGE_WAIT: Duration = Duration::from_millis(250);

/// How often the position is kept when nothing is found: a crash reads that much again (chosen).
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Between two tries of a store or journal that failed: first and longest (chosen).
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// The longest.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Tries of a page that cannot be kept before what is to blame is looked for (chosen: what passes has
/// passed by then).
const DATA_TRIES: u32 = 3;

/// How long a stopping collector still works on the page that it is in (chosen: a page takes a tenth
/// of it). What is then not done is not done at all, and is done by the next start.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// What the thread works with.
#[derive(Debug)]
pub struct Parts {
    /// The state.
    pub store: Store,
    /// The rules in force.
    pub rules: Arc<Rules>,
    /// The keyring in force.
    pub ring: Ring,
    /// Automation's key.
    pub signer: Signer,
    /// Who watches now.
    pub board: Board,
    /// Notified when a command was added to the outbox.
    pub wake: Arc<Notify>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Names incidents and commands.
    pub entropy: Arc<dyn Entropy>,
}

/// A page was not done; it comes again.
struct Undone;

/// Why it was not.
enum Failure {
    /// What was found is to blame: it will never be kept.
    Data(String),
    /// The database is; or the collector stops.
    Waits,
}

/// The thread's state.
#[derive(Debug)]
pub struct Watch {
    parts: Parts,
    runtime: Handle,
    stop: CancellationToken,
    /// Where to read on.
    position: u64,
    /// What is kept in the store.
    kept: u64,
    kept_at: Boottime,
    defects: Defects,
    /// Tries in a row of the page in work that failed for what is in it.
    broken: u32,
}

impl Watch {
    /// Reads on from `position`, as the store has it; `stop` says that the collector stops.
    #[must_use]
    pub fn new(parts: Parts, position: u64, runtime: Handle, stop: CancellationToken) -> Self {
        let kept_at = parts.clock.boottime();
        let defects = Defects::default();
        Self { parts, runtime, stop, position, kept: position, kept_at, defects, broken: 0 }
    }

    /// Runs on a thread of its own until the collector stops, or the journal has ended and all of it
    /// was read.
    ///
    /// # Errors
    /// What the system says when it has no thread.
    pub fn start(mut self, mut feed: Feed) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("watch".to_owned()).spawn(move || self.run(&mut feed))
    }

    fn run(&mut self, feed: &mut Feed) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        while !self.stop.is_cancelled() && !self.has_all(feed) {
            let done = match feed.next(self.position, PAGE_BATCHES_MAX, PAGE_WAIT) {
                Ok(page) => self.work(feed, &page),
                Err(error) => {
                    error!("the journal cannot be read, which is tried again: {error}");
                    Err(Undone)
                }
            };
            match done {
                Ok(()) => backoff.reset(),
                Err(Undone) => self.pause(backoff.next_delay(&*self.parts.entropy)),
            }
        }
        self.leave(feed);
    }

    /// Whether the journal has ended, and all of it was read and is kept.
    fn has_all(&self, feed: &Feed) -> bool {
        feed.is_done(self.position) && self.position.min(feed.durable()) <= self.kept
    }

    /// Waits, unless the collector stops.
    fn pause(&self, delay: Duration) {
        let stopped = async { tokio::time::timeout(delay, self.stop.cancelled()).await };
        // Both outcomes end the pause.
        drop(self.runtime.block_on(stopped));
    }

    /// Keeps how far it came: the next start reads on there, and nothing behind it was released.
    fn leave(&mut self, feed: &Feed) {
        let safe = self.position.min(feed.durable());
        if safe <= self.kept {
            return;
        }
        let keeping = self.parts.store.keep_position(CONSUMER, safe);
        match self.runtime.block_on(async { tokio::time::timeout(STOP_GRACE, keeping).await }) {
            Ok(Ok(())) => self.keep(safe),
            Ok(Err(error)) => warn!("the next start reads some of the journal again: {error}"),
            Err(_late) => warn!("the next start reads some of the journal again: no time"),
        }
    }

    /// One page: all of it is done, or it comes again.
    fn work(&mut self, feed: &Feed, page: &Page) -> Result<(), Undone> {
        let engine = self.parts.rules.engine();
        let judge = |arrival: &_, id, event: &_| engine.judge(arrival, id, event);
        let found = page::read(&page.arrivals, judge, &*self.parts.clock);
        self.runtime.block_on(self.defects.tell_rules(&self.parts, &engine));
        // Below it every batch is on disk, and its detections are in the store after this page.
        let safe = page.next.min(feed.durable());
        let is_last = feed.is_done(page.next);
        match self.attempt(&found, safe, is_last) {
            Ok(()) => (),
            Err(Failure::Waits) => return Err(Undone),
            Err(Failure::Data(_)) if self.broken + 1 < DATA_TRIES => {
                self.broken += 1;
                return Err(Undone);
            }
            Err(Failure::Data(_)) => self.salvage(&found, safe)?,
        }
        self.broken = 0;
        self.parts.board.troubles().end(Trouble::WatchWaits);
        Count::WatchedEvents.add(found.events);
        if self.parts.board.is_read() {
            news::events(&self.parts.board, &page.arrivals);
        }
        self.position = page.next;
        if self.kept == safe {
            feed.release(safe);
        }
        Ok(())
    }

    /// Does what is to be done about what was found: all of it, or nothing of what matters.
    fn attempt(&mut self, found: &Found, safe: u64, is_last: bool) -> Result<(), Failure> {
        let (runtime, stop) = (self.runtime.clone(), self.stop.clone());
        // What is dropped in the middle is a transaction that does not come to be.
        let handling = async {
            tokio::select! {
                biased;
                handled = self.handle(found, safe, is_last) => Some(handled),
                () = grace(&stop) => None,
            }
        };
        let handled = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(handling)));
        let (error, is_of_data) = match handled {
            Ok(Some(Ok(()))) => return Ok(()),
            Ok(Some(Err(error))) => (error.to_string(), error.is_of_data()),
            Ok(None) => {
                info!("a page is left to the next start");
                return Err(Failure::Waits);
            }
            Err(_panic) => ("a defect".to_owned(), true),
        };
        Count::StoreFailures.add(1);
        if self.parts.board.troubles().begin(Trouble::WatchWaits, 1) {
            warn!("failed to keep what was found, which is tried again: {error}");
        }
        Err(if is_of_data { Failure::Data(error) } else { Failure::Waits })
    }

    /// Does a page piece by piece: each receipt, and what each rule found about one process.
    fn salvage(&mut self, found: &Found, safe: u64) -> Result<(), Undone> {
        // The position stays until all is done: a crash in between does the page again.
        for piece in found.pieces() {
            match self.attempt(&piece, self.kept, false) {
                Ok(()) => (),
                Err(Failure::Waits) => return Err(Undone),
                // What everything rests on is no piece's fault.
                Err(Failure::Data(_))
                    if self.runtime.block_on(self.parts.ring.current()).is_err() =>
                {
                    return Err(Undone);
                }
                Err(Failure::Data(why)) => {
                    let telling = defect::tell_passed_over(&self.parts, &piece, &why);
                    self.runtime.block_on(telling);
                }
            }
        }
        let nothing = Found::default();
        self.attempt(&nothing, safe, true).map_err(|_failed| Undone)
    }

    async fn handle(&mut self, found: &Found, safe: u64, is_last: bool) -> Result<(), StoreError> {
        // Before the position moves: a receipt that was passed over would never come again.
        for claim in &found.claims {
            let now = self.parts.clock.now();
            if let Some(receipt) = reconcile::close(&self.parts.store, claim, now).await? {
                news::receipt(&self.parts.board, claim, &receipt);
            }
        }
        let is_due = self.parts.clock.boottime().since(self.kept_at) >= KEEP_EVERY;
        if !found.repeats.is_empty() {
            self.gather(&found.repeats, safe).await?;
        } else if safe > self.kept && (is_due || is_last) {
            self.parts.store.keep_position(CONSUMER, safe).await?;
            self.keep(safe);
        }
        Ok(())
    }

    fn keep(&mut self, safe: u64) {
        self.kept = self.kept.max(safe);
        self.kept_at = self.parts.clock.boottime();
        Level::WatchPosition.set(self.kept);
    }

    /// Detections, incidents, commands and position: one transaction.
    async fn gather(&mut self, found: &[Repeats], safe: u64) -> Result<(), StoreError> {
        let parts = &mut self.parts;
        let now = parts.clock.now();
        let mut docket = Docket::open(parts, now).await?;
        let found = docket.admit(found).await?;
        let by = By { principal: AUTOMATION.to_owned(), at: now };
        let store = docket.store().clone();
        let gathered = store.gather(&found, (CONSUMER, safe), &by, &mut docket).await?;
        let issued = docket.close();
        self.keep(safe);
        if !issued.is_empty() {
            self.parts.wake.notify_one();
            Count::CommandsIssued.add(u64::try_from(issued.len()).unwrap_or(u64::MAX));
        }
        let done = self.parts.clock.now();
        for (detection, gathered) in found.iter().map(|it| &it.first).zip(&gathered) {
            match gathered.news {
                News::Nothing => continue,
                News::Suppressed => {
                    Count::Suppressed.add(1);
                    continue;
                }
                News::Repeated => (),
                News::Joined | News::Opened => {
                    Count::Detections.add(1);
                    Time::Detection.note(done.since(detection.at));
                }
            }
            if gathered.news == News::Opened {
                Count::Incidents.add(1);
                self.parts.board.opened(detection, gathered.incident);
            }
            self.parts.board.found(detection, gathered.detection, gathered.incident);
        }
        issued.iter().for_each(|it| news::command(&self.parts.board, it));
        Ok(())
    }
}

/// Ends [`STOP_GRACE`] after the collector was told to stop.
async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

#[cfg(test)]
mod tests;
