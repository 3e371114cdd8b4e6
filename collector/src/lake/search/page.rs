//! A page on its way: the best rows so far, by key and place; read whole only when it is known which
//! they are.
//!
//! It holds one row more than the page, so that the search knows whether there is a next page, and
//! which files can no longer bring a better row.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};

use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use cordon_shared::id::{AgentId, Epoch, EventId, EventSeq, Lane};

use super::{
    Budget, Cursor, Found, Order, PAGE_ROWS_MAX, Query,
    needle::Needle,
    scan::{Opened, Part},
};
use crate::lake::{
    Lake, LakeError,
    catalog::{File, State},
    schema,
};

/// A page on its way.
pub(super) struct Page<'a> {
    query: &'a Query,
    limit: usize,
    /// One more than the page holds, so that it is known whether there is a next.
    best: BTreeMap<Cursor, Place>,
    /// Those that a row of the page may lie in. They are not held open: a page of rows from a
    /// thousand files would use up the collector's descriptors.
    files: Vec<Arc<File>>,
}

/// Where a row of the page lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: usize,
    group: usize,
    row: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(query: &'a Query) -> Self {
        let limit = query.limit.clamp(1, PAGE_ROWS_MAX);
        Self { query, limit, best: BTreeMap::new(), files: Vec::new() }
    }

    /// Looks through the files; false when the budget ended it.
    pub(super) fn fill(
        &mut self,
        lake: &Lake,
        state: &State,
        gone: &BTreeSet<String>,
        budget: &mut Budget<'_>,
    ) -> Result<bool, LakeError> {
        let needles = self.query.needles();
        let mut files: Vec<&Arc<File>> =
            state.files.values().filter(|it| self.query.is_of(it)).collect();
        match self.query.order {
            Order::Newest => files.sort_by_key(|it| Reverse(it.time_max_ms)),
            Order::Oldest => files.sort_by_key(|it| it.time_min_ms),
        }
        for file in files {
            if !self.wants((file.time_min_ms, file.time_max_ms)) {
                break;
            }
            if gone.contains(&file.path()) {
                continue;
            }
            // A file costs its footer even when it holds nothing.
            if budget.spend(0).is_break() {
                return Ok(false);
            }
            let opened = lake.open_file(file)?;
            if self.scan(&opened, &needles, budget)?.is_break() {
                return Ok(false);
            }
            let at = self.files.len();
            if self.best.values().any(|it| it.file == at) {
                self.files.push(Arc::clone(file));
            }
        }
        Ok(true)
    }

    fn scan(
        &mut self,
        opened: &Opened,
        needles: &[Needle],
        budget: &mut Budget<'_>,
    ) -> Result<ControlFlow<()>, LakeError> {
        let this = RefCell::new(self);
        let wanted = |span| this.borrow().wants(span);
        let mut each = |part: Part| {
            let rows = part.batch.num_rows();
            this.borrow_mut().take(&part);
            budget.spend(rows)
        };
        opened.scan(needles, wanted, &mut each)
    }

    /// Whether a row of that span of time can still get on the page.
    fn wants(&self, (least, most): (i64, i64)) -> bool {
        let (first, last) = self.query.span();
        let is_in = least <= last && most >= first;
        let is_better = self.worst().is_none_or(|worst| match self.query.order {
            Order::Newest => most >= worst.time_ms,
            Order::Oldest => least <= worst.time_ms,
        });
        is_in && is_better
    }

    /// The row that leaves the page when a better one comes; none while there is room.
    fn worst(&self) -> Option<Cursor> {
        if self.best.len() <= self.limit {
            return None;
        }
        let worst = match self.query.order {
            Order::Newest => self.best.first_key_value(),
            Order::Oldest => self.best.last_key_value(),
        };
        worst.map(|(key, _)| *key)
    }

    fn take(&mut self, part: &Part) {
        let Some(times) = numbers(&part.batch, schema::TIME) else { return };
        let file = self.files.len();
        for (row, _) in part.matching.iter().enumerate().filter(|(_, matches)| **matches) {
            let time_ms = times.value(row);
            if !self.wants((time_ms, time_ms)) {
                continue;
            }
            let Some(id) = event_id(&part.batch, row) else { continue };
            let key = Cursor { time_ms, id };
            if !self.query.is_behind(key) {
                continue;
            }
            self.best.insert(key, Place { file, group: part.group, row: part.first + row });
            if self.best.len() > self.limit + 1 {
                match self.query.order {
                    Order::Newest => drop(self.best.pop_first()),
                    Order::Oldest => drop(self.best.pop_last()),
                }
            }
        }
    }

    /// Reads the rows of the page whole.
    pub(super) fn read(mut self, lake: &Lake) -> Result<Found, LakeError> {
        let mut keys: Vec<Cursor> = self.best.keys().copied().collect();
        if self.query.order == Order::Newest {
            keys.reverse();
        }
        let is_more = keys.len() > self.limit;
        keys.truncate(self.limit);
        let next = keys.last().copied().filter(|_| is_more);
        let mut places: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for place in keys.iter().filter_map(|it| self.best.get(it)) {
            let groups = places.entry(place.file).or_default();
            groups.entry(place.group).or_default().push(place.row);
        }
        let mut read = BTreeMap::new();
        for (file, mut groups) in places {
            groups.values_mut().for_each(|rows| rows.sort_unstable());
            let Some(lies_in) = self.files.get(file) else { continue };
            for ((group, row), whole) in lake.open_file(lies_in)?.rows(&groups)? {
                read.insert((file, group, row), whole);
            }
        }
        let rows = keys.iter().filter_map(|it| {
            let Place { file, group, row } = self.best.remove(it)?;
            read.remove(&(file, group, row))
        });
        Ok(Found { rows: rows.collect(), next, is_partial: false })
    }
}

/// A column of numbers.
pub(super) fn numbers<'a>(batch: &'a RecordBatch, column: &str) -> Option<&'a Int64Array> {
    batch.column_by_name(column)?.as_any().downcast_ref()
}

fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let column: &StringArray = batch.column_by_name(column)?.as_any().downcast_ref()?;
    column.is_valid(row).then(|| column.value(row))
}

/// The name of the event in a row.
fn event_id(batch: &RecordBatch, row: usize) -> Option<EventId> {
    let [agent, epoch, lane, seq] = schema::ORDER;
    Some(EventId {
        agent: AgentId::parse(text(batch, agent, row)?)?,
        epoch: Epoch::parse(text(batch, epoch, row)?)?,
        lane: Lane::parse(text(batch, lane, row)?)?,
        seq: EventSeq::from_u64(u64::try_from(numbers(batch, seq)?.value(row)).ok()?)?,
    })
}
