//! Batches that were judged and are not answered yet, in the order in which they came.
//!
//! On the road: between appending and the answer. It knows where each batch is, so that what the
//! log loses is appended again before anything is answered (F-8).

use std::ops::Range;

use cordon_shared::{seglog::Index, time::Timestamp};

use crate::{
    ingest::{
        Outcome, Repeat, Submission,
        board::{Board, Position},
        dedupe::Known,
    },
    metric::{Count, Time},
};

/// Where a judged batch is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// It was in the journal before it came; whether it is the same as far as can be told.
    Known {
        /// False when it is certain that other bytes are stored under its numbers.
        is_same: bool,
    },
    /// It was appended there.
    At(Index),
    /// It was appended and lost before it was durable: to be appended again.
    Lost,
    /// It was refused, and is kept aside.
    Aside {
        /// Which rule it broke.
        reason: String,
    },
}

#[derive(Debug)]
struct Judged {
    submission: Submission,
    place: Place,
}

/// Batches that were judged and are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Pending(Vec<Judged>);

impl Pending {
    pub(super) fn push(&mut self, submission: Submission, place: Place) {
        self.0.push(Judged { submission, place });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The log has lost these records.
    pub(super) fn lose(&mut self, lost: &Range<Index>) {
        for it in &mut self.0 {
            match it.place {
                Place::At(index) if lost.contains(&index) => it.place = Place::Lost,
                Place::At(_) | Place::Known { .. } | Place::Lost | Place::Aside { .. } => (),
            }
        }
    }

    /// The first batch that is in no log any more.
    pub(super) fn first_lost(&self) -> Option<(usize, &Submission)> {
        let at = self.0.iter().position(|it| it.place == Place::Lost)?;
        Some((at, &self.0.get(at)?.submission))
    }

    /// Batch `at` was appended again.
    pub(super) fn found(&mut self, at: usize, index: Index) {
        if let Some(it) = self.0.get_mut(at) {
            it.place = Place::At(index);
        }
    }

    /// Answers all, in order. Everything that was appended is durable now (ST-1).
    pub(super) fn answer(&mut self, known: &Known, board: &Board, now: Timestamp) {
        let positions: Vec<_> = self.0.iter().map(|it| it.position(known)).collect();
        let durable = self.0.iter().zip(&positions);
        board.advance(durable.filter_map(|(it, at)| Some((it.submission.agent, at.as_ref()?))));
        for (it, position) in self.0.drain(..).zip(positions) {
            it.count(now);
            let outcome = it.outcome(position);
            // A session that is gone learns it from its next welcome.
            drop(it.submission.reply.try_send(outcome));
        }
    }
}

impl Judged {
    /// How far the batch's epoch got; nothing for what is not stored.
    fn position(&self, known: &Known) -> Option<Position> {
        match self.place {
            Place::Aside { .. } => None,
            Place::Known { .. } | Place::At(_) | Place::Lost => {
                known.position(self.submission.agent, self.submission.header())
            }
        }
    }

    fn outcome(&self, position: Option<Position>) -> Outcome {
        let header = *self.submission.header();
        let repeat = match &self.place {
            Place::Known { is_same: true } => Repeat::Same,
            Place::Known { is_same: false } => Repeat::Differs,
            Place::At(_) | Place::Lost => Repeat::First,
            Place::Aside { reason } => return Outcome::Refused { header, reason: reason.clone() },
        };
        match position {
            Some(Position { lane, epoch, seq, .. }) => {
                // Not past this batch, though more of its group may be stored: between the two a
                // refusal may stand, of which the agent must hear first.
                let seq = seq.min(header.last_seq().as_u64());
                Outcome::Stored { lane, epoch, seq, repeat }
            }
            // It is on disk, and nothing can be said of what came before it. No agent that keeps
            // the protocol has so many epochs under way.
            None => Outcome::Refused { header, reason: "too many epochs at once".to_owned() },
        }
    }

    fn count(&self, now: Timestamp) {
        if let Place::At(_) = self.place {
            Count::Batches.add(1);
            Count::Events.add(u64::try_from(self.submission.header().count()).unwrap_or(0));
            Count::BatchBytes.add(u64::try_from(self.submission.bytes().len()).unwrap_or(0));
        }
        Time::Ack.note(now.since(self.submission.received));
    }
}
