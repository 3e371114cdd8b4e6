//! What the spool gives up, and what becomes of a batch.

use cordon_shared::{
    batch::Header,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
};

/// Numbered events that are no longer here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shed {
    /// Whose.
    pub lane: Lane,
    /// Why.
    pub cause: LossCause,
    /// Which; `None` when damage left no header to read them from.
    pub range: Option<(Epoch, EventSeq, EventSeq)>,
    /// How many events, or records when no header was left.
    pub count: u64,
}

impl Shed {
    /// A batch that is given up.
    pub(super) fn of(header: &Header, cause: LossCause) -> Self {
        let range = Some((header.epoch(), header.first_seq(), header.last_seq()));
        let count = u64::try_from(header.count()).unwrap_or(u64::MAX);
        Self { lane: header.lane(), cause, range, count }
    }

    /// Takes `more` in when it goes on from here; says whether it did.
    pub(super) fn extend(&mut self, more: &Self) -> bool {
        if (self.lane, self.cause) != (more.lane, more.cause) {
            return false;
        }
        match (&mut self.range, more.range) {
            (Some((epoch, _, end)), Some((next, first, last)))
                if *epoch == next && end.checked_add(1) == Some(first) =>
            {
                *end = last;
            }
            (None, None) => (),
            (Some(_) | None, _) => return false,
        }
        self.count = self.count.saturating_add(more.count);
        true
    }
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is on disk, and survives `kill -9`.
    Spooled,
    /// It is lost, and owed a declaration.
    Lost,
}
