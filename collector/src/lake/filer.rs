//! The filer: one thread that pulls what is durable from the journal and files it.
//!
//! On the road: between the journal's feed and the lake. It gathers for [`FLUSH_EVERY`], or until
//! [`HELD_ROWS_MAX`] or [`HELD_BYTES_MAX`] are reached, commits, and only then tells the journal that
//! it may forget. When the disk is full or fails (F-7), it holds what it has, pulls no more, and tries
//! again every [`RETRY_EVERY`]: the journal keeps the rest. It drops nothing; what the journal itself
//! has lost it counts.
//!
//! A batch that cannot be filed whatever is tried (F-49) is found after [`DATA_TRIES`] tries, set aside
//! as it came, and told; the others are filed. What the disk refuses is never set aside: it waits.
//!
//! It stops when the journal is closed and all of it is filed, or [`STOP_GRACE`] after it was closed,
//! or after [`STOP_TRIES`] tries that failed meanwhile: what is then not filed stays in the journal.

use std::{
    collections::BTreeSet,
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Duration,
};

use cordon_shared::{
    arrival::Arrival,
    time::{Boottime, Clock},
};
use tracing::{debug, error, info, warn};

use super::{Filed, Lake, LakeError};
use crate::{
    ingest::fanout::{Feed, Page},
    metric::{Count, Level, Time},
    notice::{Trouble, Troubles},
};

/// How long an event waits to be filed when few come (chosen: a search sees what is two seconds old,
/// and a day of silence between two events costs no file).
pub const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// Events of one commit (chosen: a third of a second at the rate that ingest must take).
pub const HELD_ROWS_MAX: usize = 64 << 10;

/// Raw bytes of the batches of one commit; decoded, they take about four times as much (chosen: half
/// of what the collector may use).
pub const HELD_BYTES_MAX: usize = 16 << 20;

/// Batches that are pulled at once.
const PAGE_BATCHES: usize = 64;

/// How often a disk that refused is tried again: recovery is seen well within 5 s (F-7).
pub const RETRY_EVERY: Duration = Duration::from_millis(500);

/// How long a stopping collector goes on filing what is in the journal (chosen: several commits, and
/// far below the 90 s that systemd waits). What is then left is filed by the next start.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Tries that a stopping collector still gives a disk that refuses.
const STOP_TRIES: u32 = 4;

/// Tries of what cannot be encoded before the batch to blame is looked for (chosen: a passing lack of
/// memory is over by then).
pub const DATA_TRIES: u32 = 3;

/// How batches are filed: [`Lake::file`], or a test's.
pub(super) type File = fn(&Lake, &[Arc<Arrival>], u64) -> Result<Filed, LakeError>;

/// The filer, ready to run.
#[derive(Debug)]
pub struct Filer {
    lake: Lake,
    feed: Feed,
    clock: Arc<dyn Clock>,
    held: Held,
    /// When the journal was seen to be closed.
    closed: Option<Boottime>,
    /// Files that could not be compacted.
    refused: BTreeSet<String>,
    /// Tries in a row that failed for what is held.
    broken: u32,
    troubles: Troubles,
    file: File,
}

/// What was pulled and is not filed.
#[derive(Debug, Default)]
struct Held {
    arrivals: Vec<Arc<Arrival>>,
    rows: usize,
    bytes: usize,
    /// Where to pull on.
    next: u64,
    /// When the first of it came.
    since: Boottime,
}

impl Held {
    fn take(&mut self, page: Page, now: Boottime) {
        if self.arrivals.is_empty() {
            self.since = now;
        }
        for it in &page.arrivals {
            self.rows += it.header.count();
            self.bytes += it.header.body_raw_bytes();
        }
        self.arrivals.extend(page.arrivals);
        self.next = page.next;
    }

    fn is_full(&self) -> bool {
        self.rows >= HELD_ROWS_MAX || self.bytes >= HELD_BYTES_MAX
    }

    fn is_due(&self, now: Boottime) -> bool {
        self.is_full() || (!self.arrivals.is_empty() && now.since(self.since) >= FLUSH_EVERY)
    }
}

impl Filer {
    /// A filer that goes on where the lake ends; the feed shows what is durable.
    #[must_use]
    pub fn new(lake: Lake, feed: Feed, clock: Arc<dyn Clock>) -> Self {
        let held = Held { next: lake.position(), ..Held::default() };
        let (refused, troubles) = (BTreeSet::new(), Troubles::default());
        Self {
            lake,
            feed,
            clock,
            held,
            closed: None,
            refused,
            broken: 0,
            troubles,
            file: Lake::file,
        }
    }

    /// Tells there what is wrong.
    #[must_use]
    pub fn telling(self, troubles: Troubles) -> Self {
        Self { troubles, ..self }
    }

    #[cfg(test)]
    pub(super) fn filing(self, file: File) -> Self {
        Self { file, ..self }
    }

    /// Runs on a thread of its own until the journal is closed.
    ///
    /// # Errors
    /// What the system says when it has no thread.
    pub fn start(self) -> io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name("filer".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        self.feed.release(self.held.next);
        let unfiled = self.feed.unfiled();
        if unfiled > 0 {
            self.troubles.begin(Trouble::SetAside, unfiled);
        }
        let mut tries_left = STOP_TRIES;
        loop {
            let is_read = self.pull();
            let is_done = self.feed.is_done(self.held.next);
            let is_filed = self.held.next == self.lake.position();
            if is_done && is_filed {
                break;
            }
            if self.is_late() {
                info!(from = self.lake.position(), "filing goes on here at the next start");
                break;
            }
            let is_well = if !is_done && !self.held.is_due(self.clock.boottime()) {
                if is_filed {
                    self.compact();
                }
                is_read
            } else if self.flush() {
                if self.closed.is_none() {
                    self.compact();
                }
                true
            } else {
                false
            };
            if is_well {
                self.troubles.end(Trouble::LakeWaits);
                continue;
            }
            tries_left -= u32::from(self.feed.is_closed());
            if tries_left == 0 {
                let batches = self.held.arrivals.len();
                error!(batches, "the filer ends before all is filed: the journal keeps the rest");
                break;
            }
            // Nobody unparks it: this is a pause between two tries.
            thread::park_timeout(RETRY_EVERY);
        }
    }

    /// Whether a stopping collector has waited long enough.
    fn is_late(&mut self) -> bool {
        let now = self.clock.boottime();
        self.feed.is_closed() && now.since(*self.closed.get_or_insert(now)) >= STOP_GRACE
    }

    /// Takes in what the journal has, unless as much is held as may be; whether it could be read.
    fn pull(&mut self) -> bool {
        if self.held.is_full() {
            return true;
        }
        let age = self.clock.boottime().since(self.held.since);
        let wait = if self.held.arrivals.is_empty() {
            FLUSH_EVERY
        } else {
            FLUSH_EVERY.saturating_sub(age)
        };
        match self.feed.next(self.held.next, PAGE_BATCHES, wait) {
            Ok(page) => {
                for gap in &page.gaps {
                    error!(from = %gap.from, until = %gap.until, cause = gap.cause.as_str(),
                        "these batches will never be in the lake: the journal has lost them");
                    Count::LakeGaps.add(gap.records());
                }
                self.held.take(page, self.clock.boottime());
                true
            }
            Err(error) => {
                if self.troubles.begin(Trouble::LakeWaits, 1) {
                    warn!("the filer cannot read the journal, which is tried again: {error}");
                }
                false
            }
        }
    }

    /// Commits what is held; whether it is filed now.
    fn flush(&mut self) -> bool {
        let began = self.clock.boottime();
        let mut done = self.commit(&self.held.arrivals, self.held.next);
        if done.as_ref().is_err_and(LakeError::is_of_data) {
            self.broken += 1;
            if self.broken >= DATA_TRIES {
                done = self.commit_apart(&self.held.arrivals, self.held.next);
            }
        }
        match done {
            Ok(filed) => {
                Time::LakeCommit.note(self.clock.boottime().since(began));
                self.count(filed);
                self.broken = 0;
                self.held = Held { next: self.held.next, ..Held::default() };
                self.feed.release(self.held.next);
                true
            }
            Err(error) => {
                Count::LakeFailures.add(1);
                // It is tried twice a second: said once, and counted.
                if self.troubles.begin(Trouble::LakeWaits, 1) {
                    warn!("nothing is filed until this works: {}", error.chain());
                }
                false
            }
        }
    }

    /// Files batches; an encoder that breaks is an error.
    fn commit(&self, arrivals: &[Arc<Arrival>], position: u64) -> Result<Filed, LakeError> {
        // Whatever was cut off, the lake is as it was, or the batches are filed: it knows which.
        let done =
            panic::catch_unwind(AssertUnwindSafe(|| (self.file)(&self.lake, arrivals, position)));
        done.unwrap_or(Err(LakeError::Broken))
    }

    /// Files batches by halves, down to the one that cannot be filed, which is set aside.
    fn commit_apart(&self, arrivals: &[Arc<Arrival>], position: u64) -> Result<Filed, LakeError> {
        let error = match self.commit(arrivals, position) {
            Err(error) if error.is_of_data() => error,
            done => return done,
        };
        if let [it] = arrivals {
            error!(agent = %it.agent, position = it.position, first = %it.header.first_seq(),
                "a batch cannot be filed: {}", error.chain());
            self.set_aside(it)?;
            return self.commit(&[], position);
        }
        let (before, after) = arrivals.split_at(arrivals.len() / 2);
        let Some(border) = after.first() else { return Err(error) };
        let (before, after) =
            (self.commit_apart(before, border.position)?, self.commit_apart(after, position)?);
        Ok(before.and(after))
    }

    fn set_aside(&self, it: &Arrival) -> Result<(), LakeError> {
        let kept = self.feed.set_aside(it.position);
        kept.map_err(|error| LakeError::Unkept(Box::new(error)))?;
        Count::LakeSetAside.add(1);
        self.troubles.begin(Trouble::SetAside, self.feed.unfiled());
        Ok(())
    }

    /// Compacts once: filing waits for it no longer than one merge takes.
    fn compact(&mut self) {
        let began = self.clock.boottime();
        match self.lake.compact(&mut self.refused) {
            Ok(true) => {
                Count::LakeCompactions.add(1);
                Time::LakeCompaction.note(self.clock.boottime().since(began));
            }
            Ok(false) => (),
            Err(error) => {
                Count::LakeFailures.add(1);
                warn!("files of the lake stay small: {}", error.chain());
            }
        }
    }

    fn count(&self, filed: Filed) {
        Count::LakeRows.add(filed.rows);
        Count::LakeFiles.add(filed.files);
        Count::LakeBytes.add(filed.bytes);
        Level::LakePosition.set(self.held.next);
        let now = self.clock.now();
        for it in &self.held.arrivals {
            Time::LakeLag.note(now.since(it.received));
        }
        debug!(rows = filed.rows, files = filed.files, position = self.held.next, "filed");
    }
}
