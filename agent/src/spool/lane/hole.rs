//! Batches that are missing between those that can be read.
//!
//! A lost record says nothing of itself; its neighbours do: the numbers between the last event before
//! and the first one after it are lost, exactly those, when both are of one epoch. Where an epoch ends
//! in the hole, its high-water mark says which its last event was.

use std::ops::Range;

use cordon_shared::{
    batch::Header,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Gap, GapCause, Index},
};

use crate::spool::{
    Shed,
    marks::{LaneMarks, Mark},
};

/// Records that are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Hole {
    count: u64,
    from: Index,
    until: Index,
}

/// What was read last, and what has been missing since.
#[derive(Debug, Default)]
pub(super) struct Holes {
    before: Option<(Epoch, EventSeq)>,
    hole: Option<Hole>,
}

impl Holes {
    /// Reading begins right after this batch.
    pub(super) fn after(acked: Option<Mark>) -> Self {
        Self { before: acked.map(|it| (it.epoch, it.last)), hole: None }
    }

    /// A gap of the log.
    pub(super) fn gap(&mut self, gap: &Gap) {
        if gap.cause != GapCause::Trimmed {
            self.widen(gap.from, gap.until);
        }
    }

    /// A record that is no batch.
    pub(super) fn unreadable(&mut self, index: Index) {
        self.widen(index, index.plus(1));
    }

    fn widen(&mut self, from: Index, until: Index) {
        let count = until.since(from);
        let before = self.hole.unwrap_or(Hole { count: 0, from, until });
        self.hole = Some(Hole { count: before.count.saturating_add(count), until, ..before });
    }

    /// A batch that can be read: what was lost just before it, and its records.
    pub(super) fn batch(&mut self, lane: Lane, next: &Header, marks: &LaneMarks) -> Vec<Missing> {
        let before = self.before.replace((next.epoch(), next.last_seq()));
        let Some(hole) = self.hole.take() else { return Vec::new() };
        missing(lane, before, hole, marks, Some(next))
    }

    /// Nothing more can be read for now: what was lost at the end, and its records.
    pub(super) fn end(&mut self, lane: Lane, marks: &LaneMarks) -> Vec<Missing> {
        let Some(hole) = self.hole.take() else { return Vec::new() };
        // Whatever comes next is of a later epoch.
        missing(lane, self.before.take(), hole, marks, None)
    }
}

/// What is missing, and its records.
type Missing = (Shed, Range<Index>);

/// Goes through the epochs that end in the hole, then to `next`.
fn missing(
    lane: Lane,
    mut before: Option<(Epoch, EventSeq)>,
    hole: Hole,
    marks: &LaneMarks,
    next: Option<&Header>,
) -> Vec<Missing> {
    let (mut from, mut lost) = (hole.from, Vec::new());
    for (at, mark) in marks.durable.iter().enumerate() {
        let is_next = next.is_some_and(|it| it.epoch() == mark.epoch);
        if is_next || mark.end <= from || mark.end > hole.until {
            continue;
        }
        // Where the forgotten epochs end and the oldest one that is kept begins, nobody knows.
        let goes_on = before.is_some_and(|it| it.0 == mark.epoch);
        let is_known = goes_on || at > 0 || !marks.is_full();
        let first = first_missing(before, mark.epoch, from).filter(|_| is_known);
        let shed = first.and_then(|it| exactly(lane, mark.epoch, it, mark.last));
        lost.push((shed.unwrap_or(unknown(lane, mark.end.since(from))), from..mark.end));
        (before, from) = (Some((mark.epoch, mark.last)), mark.end);
    }
    if from == hole.until {
        return lost;
    }
    // An epoch that ended in the hole before any of its marks was not counted out.
    let is_known =
        |it: &&Header| from > hole.from || before.is_some_and(|(epoch, _)| epoch == it.epoch());
    let shed = next.filter(is_known).and_then(|next| {
        let first = first_missing(before, next.epoch(), from)?;
        let last = EventSeq::from_u64(next.first_seq().as_u64().checked_sub(1)?)?;
        exactly(lane, next.epoch(), first, last)
    });
    // Without numbers: as many as records that are missing.
    let count = if lost.is_empty() { hole.count } else { hole.until.since(from) };
    lost.push((shed.unwrap_or(unknown(lane, count)), from..hole.until));
    lost
}

/// The first event of `epoch` that is missing from the record `from` on.
fn first_missing(before: Option<(Epoch, EventSeq)>, epoch: Epoch, from: Index) -> Option<EventSeq> {
    match before {
        Some((same, last)) if same == epoch => last.checked_add(1),
        Some(_) => Some(EventSeq::FIRST),
        None => (from == Index::ZERO).then_some(EventSeq::FIRST),
    }
}

fn exactly(lane: Lane, epoch: Epoch, first: EventSeq, last: EventSeq) -> Option<Shed> {
    let count = (last.as_u64() + 1).checked_sub(first.as_u64()).filter(|it| *it > 0)?;
    let range = Some((epoch, first, last));
    Some(Shed { lane, cause: LossCause::Corrupt, range, count })
}

/// So many records of which nothing is known.
pub(super) fn unknown(lane: Lane, records: u64) -> Shed {
    Shed { lane, cause: LossCause::Corrupt, range: None, count: records }
}
