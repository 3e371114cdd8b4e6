//! The pace of a sensor that reads again and again: what it waits for, and what it has not handed
//! over yet.
//!
//! Between two reads it sleeps at most as long as the contract of [`Sensor`](super::Sensor) allows.
//! What one read brought is handed over in batches before the next read, so at most one read's worth
//! is held.

use std::{collections::VecDeque, time::Duration};

use cordon_shared::time::{Boottime, Clock};

use super::{Observation, Outcome, outbox::OBSERVATIONS_PER_BATCH};

/// When to read, and what was read.
#[derive(Debug)]
pub struct Pace {
    period: Duration,
    next_read: Boottime,
    ready: VecDeque<Observation>,
}

impl Pace {
    /// Reads every `period`, for the first time at once.
    #[must_use]
    pub fn new(period: Duration, now: Boottime) -> Self {
        Self { period, next_read: now, ready: VecDeque::new() }
    }

    /// Whether it is time to read: everything is handed over, and the period is over. When it is not
    /// over, this sleeps until it is, at most `wait`, and says no.
    pub fn is_due(&mut self, clock: &dyn Clock, wait: Duration) -> bool {
        if !self.ready.is_empty() {
            return false;
        }
        let now = clock.boottime();
        if now < self.next_read {
            std::thread::park_timeout(self.next_read.since(now).min(wait));
            return false;
        }
        self.next_read = now.saturating_add(self.period);
        true
    }

    /// Takes in what a read saw.
    pub fn push(&mut self, observation: Observation) {
        self.ready.push_back(observation);
    }

    /// Hands over a batch of what waits.
    pub fn hand_over(&mut self, into: &mut Vec<Observation>) -> Outcome {
        let count = self.ready.len().min(OBSERVATIONS_PER_BATCH);
        into.extend(self.ready.drain(..count));
        if count > 0 { Outcome::Data } else { Outcome::Nothing }
    }
}
