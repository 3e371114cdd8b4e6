//! What is durable of each agent, for all to see: the positions that a welcome carries.
//!
//! Beside the road: the journal's thread writes here after each sync, never before (ST-1); sessions
//! read. It never says more than what would survive a loss of power now.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use cordon_shared::{
    digest::Sha256,
    id::{AgentId, Epoch, Lane},
};

use super::dedupe;

/// How far an epoch of a lane got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The lane.
    pub lane: Lane,
    /// The epoch.
    pub epoch: Epoch,
    /// The last number that is durable.
    pub seq: u64,
    /// Every number from this one up to `seq` is durable. The one before it is not: it was lost on
    /// its way here, or refused.
    pub whole_from: u64,
    /// SHA-256 of the sealed batch that ended there.
    pub digest: Sha256,
}

/// What is durable of each agent.
#[derive(Debug, Default)]
pub struct Board(RwLock<HashMap<AgentId, Vec<Position>>>);

impl Board {
    /// Takes what the journal holds at start: all of it is durable.
    pub(super) fn fill(&self, known: &dedupe::Known) {
        let mut board = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (agent, position) in known.positions() {
            board.entry(agent).or_default().push(position);
        }
    }

    /// Takes what has become durable. The newest epoch of a lane is its last entry.
    pub(super) fn advance<'a>(&self, durable: impl Iterator<Item = (AgentId, &'a Position)>) {
        let mut board = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (agent, position) in durable {
            let positions = board.entry(agent).or_default();
            let same = |it: &Position| it.lane == position.lane && it.epoch == position.epoch;
            let before = positions.iter().position(same).map(|at| positions.remove(at));
            match before {
                // A late batch that filled a gap does not set the epoch back.
                Some(before) if before.seq > position.seq => positions.push(before),
                Some(_) | None => positions.push(*position),
            }
            let lane = position.lane;
            let epochs = positions.iter().filter(|it| it.lane == lane).count();
            if epochs > dedupe::EPOCHS_MAX
                && let Some(oldest) = positions.iter().position(|it| it.lane == lane)
            {
                positions.remove(oldest);
            }
        }
    }

    /// What is durable of this agent, in each lane the newest epoch last.
    #[must_use]
    pub fn positions(&self, agent: AgentId) -> Vec<Position> {
        let board = self.0.read().unwrap_or_else(PoisonError::into_inner);
        board.get(&agent).cloned().unwrap_or_default()
    }
}
