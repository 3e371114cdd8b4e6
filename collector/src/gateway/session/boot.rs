//! When the host booted, by the collector's clock: what corrects an event's time.
//!
//! Beside the road: pure. A message that was sent at boot time *b* and came at *t* says that the
//! host booted at *t − b* or a little before: the little is its way here, which is never negative.
//! So of the newest samples the earliest answer is the best. A host's wall clock plays no part, and
//! a collector whose own clock was set follows within [`SAMPLES`] heartbeats.

use cordon_shared::time::{Boottime, Timestamp};

/// Newest samples that count: half a minute of heartbeats.
const SAMPLES: usize = 10;

/// Estimates one boot's beginning.
#[derive(Clone, Debug)]
pub(super) struct BootEpoch {
    samples: Vec<i64>,
}

impl BootEpoch {
    /// From the hello.
    pub(super) fn new(received: Timestamp, sent: Boottime) -> Self {
        let mut epoch = Self { samples: Vec::with_capacity(SAMPLES) };
        epoch.note(received, sent);
        epoch
    }

    /// From a heartbeat.
    pub(super) fn note(&mut self, received: Timestamp, sent: Boottime) {
        if self.samples.len() == SAMPLES {
            self.samples.remove(0);
        }
        let boottime = i64::try_from(sent.as_ns()).unwrap_or(i64::MAX);
        self.samples.push(received.as_ns().saturating_sub(boottime));
    }

    /// What the collector's clock showed when the host booted.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_ns(self.samples.iter().copied().min().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(epoch: &mut BootEpoch, received: i64, sent: u64) {
        epoch.note(Timestamp::from_ns(received), Boottime::from_ns(sent));
    }

    #[test]
    fn the_fastest_way_here_counts() {
        let mut epoch = BootEpoch::new(Timestamp::from_ns(1_070), Boottime::from_ns(50));
        assert_eq!(epoch.at(), Timestamp::from_ns(1_020));
        note(&mut epoch, 1_165, 160);
        assert_eq!(epoch.at(), Timestamp::from_ns(1_005));
        note(&mut epoch, 1_400, 300);
        assert_eq!(epoch.at(), Timestamp::from_ns(1_005));
    }

    #[test]
    fn f_13_a_clock_that_was_set_is_followed() {
        let mut epoch = BootEpoch::new(Timestamp::from_ns(1_000), Boottime::from_ns(0));
        for beat in 1..=10 {
            note(&mut epoch, 9_000 + 10 * beat, 10 * beat.unsigned_abs());
        }
        assert_eq!(epoch.at(), Timestamp::from_ns(9_000));
    }

    #[test]
    fn an_absurd_boottime_does_not_overflow() {
        let epoch = BootEpoch::new(Timestamp::from_ns(i64::MIN), Boottime::from_ns(u64::MAX));
        assert_eq!(epoch.at(), Timestamp::from_ns(i64::MIN));
    }
}
