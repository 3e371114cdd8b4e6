//! Each event once: which numbers of which epoch are in the journal already (IG-1).
//!
//! On the road: inside the journal's thread, before a batch is appended. Pure: no clock, no I/O.
//! Its state is what the journal's records say, so it is rebuilt from a snapshot at the head of a
//! segment and the records after it.
//!
//! What it decides about a batch, by its numbers `first..=last`:
//!
//! | the journal has | verdict |
//! |---|---|
//! | none of them | `Fresh`; when numbers before them are missing that never came, they are a gap |
//! | all of them | `Repeat`: acknowledged again, not stored (F-18) |
//! | some of them | `Refused`: no agent of ours seals a number twice; storing would double, acknowledging would lose |
//!
//! An acknowledgement is cumulative, and agents send in order; so what is acknowledged of an epoch
//! goes up to the end of the last batch that *came*, which may be less than the last that is
//! stored: a journal that lost a record before it was durable (a torn write, then a crash) may hold
//! a later one. Until the agent has sent on from there, the later one is stored and not vouched for.
//!
//! Memory is bounded: [`EPOCHS_MAX`] epochs a lane, those forgotten first that were longest not
//! added to; [`RANGES_MAX`] ranges an epoch, below which a late batch is refused rather than
//! guessed about. An agent has at most `limit::CREDIT_BATCHES` batches under way, so that neither
//! is met by one that keeps the protocol.

use std::collections::HashMap;

use cordon_shared::{
    batch::Header,
    digest::Sha256,
    id::{AgentId, Epoch, Lane},
};

use super::board::Position;

mod snapshot;

/// Epochs of one lane that are remembered.
pub const EPOCHS_MAX: usize = 64;

/// Ranges of stored numbers of one epoch: one more than gaps that a late batch may still fill.
pub const RANGES_MAX: usize = 32;

/// What is to be done with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Store it. `missing` numbers before it never came.
    Fresh {
        /// How many.
        missing: u64,
    },
    /// It is here: acknowledge it again. False when it is certain that other bytes were stored
    /// under the same numbers.
    Repeat {
        /// Whether it is the same, as far as can be told.
        is_same: bool,
    },
    /// Neither store nor acknowledge it.
    Refused {
        /// Which rule it breaks.
        reason: &'static str,
    },
}

/// Stored numbers, first and last.
type Range = (u64, u64);

/// What the journal holds of one epoch of one lane.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stored {
    lane: Lane,
    epoch: Epoch,
    /// Numbers below are not judged any more.
    floor: u64,
    /// Ascending, apart from each other, never empty.
    ranges: Vec<Range>,
    /// Every number of the agent's up to this one is stored; 0 when that is sure of none.
    solid: u64,
    /// Of the batch that ends there.
    digest: Sha256,
}

/// How a batch that is added became known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Its agent sent it, after all that came before it.
    Agent,
    /// It was read back from a journal that has lost records.
    Damaged,
}

impl Stored {
    fn last(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.1)
    }

    fn position(&self) -> Position {
        let whole = self.ranges.iter().find(|it| it.0 <= self.solid && self.solid <= it.1);
        Position {
            lane: self.lane,
            epoch: self.epoch,
            seq: self.solid,
            whole_from: whole.map_or(self.solid + 1, |it| it.0),
            digest: self.digest,
        }
    }

    fn judge(&self, header: &Header, digest: Sha256) -> Verdict {
        let (first, last) = (header.first_seq().as_u64(), header.last_seq().as_u64());
        let touched = self.ranges.iter().find(|range| range.0 <= last && first <= range.1);
        match touched {
            Some(range) if range.0 <= first && last <= range.1 => {
                let is_same = last != self.solid || digest == self.digest;
                Verdict::Repeat { is_same }
            }
            Some(_) => Verdict::Refused { reason: "some of its numbers are stored already" },
            None if first < self.floor => {
                Verdict::Refused { reason: "it is too old to tell whether it is stored already" }
            }
            None => Verdict::Fresh { missing: first.saturating_sub(self.last() + 1) },
        }
    }

    /// All up to the end of this batch is stored.
    fn vouch(&mut self, header: &Header, digest: Sha256) {
        let last = header.last_seq().as_u64();
        if last > self.solid {
            (self.solid, self.digest) = (last, digest);
        }
    }

    /// Adds numbers that none of the ranges touches.
    fn add(&mut self, header: &Header, digest: Sha256, source: Source) {
        let (first, last) = (header.first_seq().as_u64(), header.last_seq().as_u64());
        let follows = self.solid == self.last() && first == self.solid + 1;
        if source == Source::Agent || follows {
            self.vouch(header, digest);
        }
        let at = self.ranges.partition_point(|range| range.0 < first);
        self.ranges.insert(at, (first, last));
        // Join with the neighbours that it closes up to, the later one first.
        for at in [at + 1, at] {
            if let Some(before) = at.checked_sub(1)
                && let (Some(&left), Some(&right)) = (self.ranges.get(before), self.ranges.get(at))
                && left.1 + 1 == right.0
            {
                self.ranges[before].1 = right.1;
                self.ranges.remove(at);
            }
        }
        if self.ranges.len() > RANGES_MAX {
            let oldest = self.ranges.remove(0);
            self.floor = oldest.1 + 1;
        }
    }
}

/// What the journal holds, by agent. In each agent's list the one added to last comes last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    agents: HashMap<AgentId, Vec<Stored>>,
}

impl Known {
    /// What is to be done with a batch.
    #[must_use]
    pub fn judge(&self, agent: AgentId, header: &Header, digest: Sha256) -> Verdict {
        match self.stored(agent, header) {
            Some(stored) => stored.judge(header, digest),
            None => Verdict::Fresh { missing: header.first_seq().as_u64() - 1 },
        }
    }

    /// Notes a batch that was appended; [`Known::judge`] said that it is fresh.
    pub fn add(&mut self, agent: AgentId, header: &Header, digest: Sha256, source: Source) {
        let epochs = self.agents.entry(agent).or_default();
        let (lane, epoch) = (header.lane(), header.epoch());
        let found = epochs.iter().position(|it| it.lane == lane && it.epoch == epoch);
        let mut stored = match found {
            Some(at) => epochs.remove(at),
            None => Stored { lane, epoch, floor: 0, ranges: Vec::new(), solid: 0, digest },
        };
        stored.add(header, digest, source);
        epochs.push(stored);
        if epochs.iter().filter(|it| it.lane == lane).count() > EPOCHS_MAX
            && let Some(oldest) = epochs.iter().position(|it| it.lane == lane)
        {
            epochs.remove(oldest);
        }
    }

    /// Notes that an agent sent a batch again, and so, before it, all that comes before it.
    pub fn repeat(&mut self, agent: AgentId, header: &Header, digest: Sha256) {
        let (lane, epoch) = (header.lane(), header.epoch());
        let epochs = self.agents.get_mut(&agent).into_iter().flatten();
        for stored in epochs.filter(|it| it.lane == lane && it.epoch == epoch) {
            stored.vouch(header, digest);
        }
    }

    /// How far the epoch of a batch got; nothing when the epoch is not known.
    #[must_use]
    pub fn position(&self, agent: AgentId, header: &Header) -> Option<Position> {
        self.stored(agent, header).map(Stored::position)
    }

    /// How far each epoch of each agent got, in each lane the newest epoch last.
    pub fn positions(&self) -> impl Iterator<Item = (AgentId, Position)> {
        self.agents.iter().flat_map(|(agent, epochs)| {
            let solid = epochs.iter().filter(|it| it.solid > 0);
            solid.map(|it| (*agent, it.position()))
        })
    }

    fn stored(&self, agent: AgentId, header: &Header) -> Option<&Stored> {
        let epochs = self.agents.get(&agent)?;
        epochs.iter().find(|it| it.lane == header.lane() && it.epoch == header.epoch())
    }
}

#[cfg(test)]
mod tests;
