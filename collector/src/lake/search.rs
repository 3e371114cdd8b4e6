//! Typed searches: filters over time, class and needles, within a budget.
//!
//! In: a [`Query`]. Out: rows as OCSF JSON, newest first unless asked otherwise, with a cursor for
//! the next page. Files are pruned by the catalog, row groups by statistics and Bloom filters
//! (`search/prune.rs`), rows by their columns (`search/needle.rs`); only the rows of the page are
//! read whole. Files that no better row can come from any more are not opened.
//!
//! The order is by time, then by the event's name, so that a cursor names one place whatever is
//! compacted between two pages. A search that outlives [`SCAN_TIME_MAX`] or [`SCAN_ROWS_MAX`] gives
//! what it found so far and says that it is partial: narrow the time, or name a class.
//!
//! It blocks, changes nothing and takes no lock that the filer needs.

mod needle;
mod page;
mod prune;
mod scan;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::ControlFlow,
    path::Path,
    time::Duration,
};

use cordon_shared::{
    id::EventId,
    time::{Boottime, Timestamp},
};
use tracing::{error, warn};

pub use self::needle::Filter;
use self::{
    needle::Needle,
    page::{Page, numbers},
    scan::{Opened, Part},
};
use super::{
    Lake, LakeError,
    catalog::{File, State},
    row::Row,
    schema,
};

/// Rows of a page.
pub const PAGE_ROWS_MAX: usize = 1_000;

/// How long a search may take (chosen: what a person waits for).
pub const SCAN_TIME_MAX: Duration = Duration::from_secs(10);

/// Rows that a search may hold against its needles (chosen: what that time allows).
pub const SCAN_ROWS_MAX: u64 = 50_000_000;

/// Files that may vanish under one search before it gives up on them (chosen: compactions that run
/// beside it).
const RETRIES_MAX: usize = 16;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// A place in the order of all rows: the row that a page ended with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cursor {
    time_ms: i64,
    id: EventId,
}

impl Cursor {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time_ms, id) = text.split_once('_')?;
        Some(Self { time_ms: time_ms.parse().ok()?, id: EventId::parse(id)? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.time_ms, self.id)
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Of these OCSF classes; of all when empty.
    pub classes: Vec<u32>,
    /// All of them hold.
    pub filters: Vec<Filter>,
    /// Which way.
    pub order: Order,
    /// Behind the page that ended here.
    pub after: Option<Cursor>,
    /// Rows of the page; 1 to [`PAGE_ROWS_MAX`], whatever is asked.
    pub limit: usize,
}

/// A page of rows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// In order.
    pub rows: Vec<Row>,
    /// Where the next page begins; none on the last, and none on one that is partial.
    pub next: Option<Cursor>,
    /// Whether the budget ended it, or a file was missing: there may be rows that it lacks.
    pub is_partial: bool,
}

/// How many rows there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// By OCSF class; classes without rows are not in it.
    pub classes: BTreeMap<u32, u64>,
    /// Whether there may be more.
    pub is_partial: bool,
}

impl Query {
    /// The first and last millisecond that a row of the page can have.
    fn span(&self) -> (i64, i64) {
        let mut first = self.since.map_or(i64::MIN, ceil_ms);
        let mut last = self.until.map_or(i64::MAX, |it| ceil_ms(it).saturating_sub(1));
        match (self.after, self.order) {
            (Some(after), Order::Newest) => last = last.min(after.time_ms),
            (Some(after), Order::Oldest) => first = first.max(after.time_ms),
            (None, _) => (),
        }
        (first, last)
    }

    fn is_of(&self, file: &File) -> bool {
        let (first, last) = self.span();
        (self.classes.is_empty() || self.classes.contains(&file.class))
            && file.time_max_ms >= first
            && file.time_min_ms <= last
    }

    fn needles(&self) -> Vec<Needle> {
        self.filters.iter().flat_map(Filter::needles).collect()
    }

    fn is_behind(&self, key: Cursor) -> bool {
        match (self.after, self.order) {
            (None, _) => true,
            (Some(after), Order::Newest) => key < after,
            (Some(after), Order::Oldest) => key > after,
        }
    }
}

fn ceil_ms(at: Timestamp) -> i64 {
    at.as_ms() + i64::from(at.as_ns().rem_euclid(1_000_000) != 0)
}

impl Lake {
    /// A page of what is looked for.
    ///
    /// # Errors
    /// [`LakeError`] when a file cannot be read.
    pub fn search(&self, query: &Query) -> Result<Found, LakeError> {
        self.with_state(|state, gone| {
            let mut page = Page::new(query);
            let mut budget = Budget::new(self);
            let is_whole = page.fill(self, state, gone, &mut budget)?;
            let mut found = page.read(self)?;
            found.is_partial = !is_whole;
            if found.is_partial {
                found.next = None;
            }
            Ok(found)
        })
        .map(|(found, is_whole)| Found { is_partial: found.is_partial || !is_whole, ..found })
    }

    /// One event, by its name.
    ///
    /// # Errors
    /// As [`Lake::search`].
    pub fn get(&self, id: EventId) -> Result<Option<Row>, LakeError> {
        let query = Query { filters: vec![Filter::Id(id)], limit: 1, ..Query::default() };
        Ok(self.search(&query)?.rows.pop())
    }

    /// How many rows there are of each class. The page's limit and cursor count for nothing.
    ///
    /// # Errors
    /// As [`Lake::search`].
    pub fn count_by_class(&self, query: &Query) -> Result<Counted, LakeError> {
        let query = Query { after: None, ..query.clone() };
        let counted = self.with_state(|state, gone| {
            let mut counted = Counted::default();
            let mut budget = Budget::new(self);
            for file in state.files.values().filter(|it| query.is_of(it)) {
                let Some(rows) = count(self, &query, file, gone, &mut budget)? else {
                    counted.is_partial = true;
                    break;
                };
                if rows > 0 {
                    *counted.classes.entry(file.class).or_default() += rows;
                }
            }
            Ok(counted)
        });
        counted.map(|(it, is_whole)| Counted { is_partial: it.is_partial || !is_whole, ..it })
    }

    /// Runs a search on what counts now, and again when a file was replaced meanwhile. A file that
    /// the catalog names and that is gone or damaged is left out: then the second value is false
    /// (F-9).
    pub(super) fn with_state<T>(
        &self,
        run: impl Fn(&State, &BTreeSet<String>) -> Result<T, LakeError>,
    ) -> Result<(T, bool), LakeError> {
        let mut gone = BTreeSet::new();
        for _ in 0..RETRIES_MAX {
            let state = self.0.seen.load_full();
            match run(&state, &gone) {
                Err(LakeError::Absent { path }) => {
                    let now = self.0.seen.load_full();
                    if now.files.contains_key(&path) {
                        warn!(path, "a file of the lake is gone: searches are partial");
                        gone.insert(path);
                    }
                }
                Err(LakeError::Damaged { path, source }) => {
                    let below = path.strip_prefix(&self.0.dir).ok().and_then(Path::to_str);
                    let Some(below) = below.filter(|it| state.files.contains_key(*it)) else {
                        return Err(LakeError::Damaged { path, source });
                    };
                    error!(path = below, %source, "a file of the lake is damaged: searches are partial");
                    gone.insert(below.to_owned());
                }
                done => return Ok((done?, gone.is_empty())),
            }
        }
        Err(LakeError::Unsettled)
    }

    fn open_file(&self, file: &File) -> Result<Opened, LakeError> {
        let path = file.path();
        Opened::open(&*self.0.disk, self.0.dir.join(&path))
            .map_err(|error| if error.is_absent() { LakeError::Absent { path } } else { error })
    }
}

/// How much more a search may do.
struct Budget<'a> {
    lake: &'a Lake,
    began: Boottime,
    rows: u64,
}

impl<'a> Budget<'a> {
    fn new(lake: &'a Lake) -> Self {
        Self { lake, began: lake.0.clock.boottime(), rows: 0 }
    }

    fn spend(&mut self, rows: usize) -> ControlFlow<()> {
        self.rows += rows as u64;
        let took = self.lake.0.clock.boottime().since(self.began);
        if self.rows > SCAN_ROWS_MAX || took > SCAN_TIME_MAX {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// The rows of one file that a search counts; none when the budget is spent.
fn count(
    lake: &Lake,
    query: &Query,
    file: &File,
    gone: &BTreeSet<String>,
    budget: &mut Budget<'_>,
) -> Result<Option<u64>, LakeError> {
    let (first, last) = query.span();
    let needles = query.needles();
    if needles.is_empty() && file.time_min_ms >= first && file.time_max_ms <= last {
        return Ok(Some(file.rows));
    }
    if gone.contains(&file.path()) {
        return Ok(Some(0));
    }
    if budget.spend(0).is_break() {
        return Ok(None);
    }
    let mut rows = 0;
    let mut each = |part: Part| {
        let Some(times) = numbers(&part.batch, schema::TIME) else {
            return ControlFlow::Continue(());
        };
        let in_span = times.iter().map(|it| it.is_some_and(|it| (first..=last).contains(&it)));
        let counted = in_span.zip(&part.matching).filter(|(is_in, matches)| *is_in && **matches);
        rows += counted.count() as u64;
        budget.spend(part.batch.num_rows())
    };
    let wanted = |(least, most)| least <= last && most >= first;
    let flow = lake.open_file(file)?.scan(&needles, wanted, &mut each)?;
    Ok(flow.is_continue().then_some(rows))
}
