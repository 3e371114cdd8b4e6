//! Batches that are missing between those that can be read.
//!
//! A lost record says nothing of itself; its neighbours do: the numbers between the last event before
//! and the first one after it are lost, exactly those, when both are of one epoch.

use std::ops::Range;

use cordon_shared::{
    batch::Header,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Gap, GapCause, Index},
};

use crate::spool::Shed;

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
    pub(super) fn batch(&mut self, lane: Lane, next: &Header) -> Option<(Shed, Range<Index>)> {
        let before = self.before.replace((next.epoch(), next.last_seq()));
        let hole = self.hole.take()?;
        let shed = between(lane, before, next).unwrap_or(unknown(lane, hole.count));
        Some((shed, hole.from..hole.until))
    }

    /// Nothing more can be read for now: what was lost at the end, and its records.
    pub(super) fn end(&mut self, lane: Lane) -> Option<(Shed, Range<Index>)> {
        let hole = self.hole.take()?;
        Some((unknown(lane, hole.count), hole.from..hole.until))
    }
}

fn between(lane: Lane, before: Option<(Epoch, EventSeq)>, next: &Header) -> Option<Shed> {
    let (_, last_before) = before.filter(|(epoch, _)| *epoch == next.epoch())?;
    let first = last_before.checked_add(1)?;
    let count = next.first_seq().as_u64().checked_sub(first.as_u64()).filter(|it| *it > 0)?;
    let last = EventSeq::from_u64(next.first_seq().as_u64() - 1)?;
    let range = Some((next.epoch(), first, last));
    Some(Shed { lane, cause: LossCause::Corrupt, range, count })
}

/// So many records of which nothing is known.
pub(super) fn unknown(lane: Lane, records: u64) -> Shed {
    Shed { lane, cause: LossCause::Corrupt, range: None, count: records }
}
