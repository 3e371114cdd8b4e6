//! How long to wait before the next try: doubled, capped, with full jitter. Pure.

use std::time::Duration;

use crate::entropy::Entropy;

/// The next delays of one thing that is tried again and again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// The first delay is at most `first`; none is longer than `cap`.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, failures: 0 }
    }

    /// The delay after one more failure: between half of the doubled delay and all of it, so that a
    /// fleet that lost its collector at one moment does not come back at one moment.
    pub fn next_delay(&mut self, entropy: &dyn Entropy) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let full = doubled.min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 4];
        entropy.fill(&mut random);
        let half = full / 2;
        half + half.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }

    /// Begins again after a success that lasted.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last reset.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;
    use crate::entropy::SeededEntropy;

    #[test]
    fn delays_double_stay_under_the_cap_and_never_come_down_to_nothing() {
        let entropy = SeededEntropy::new(1);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        let mut full = Duration::from_millis(100);
        for _ in 0..100 {
            let delay = backoff.next_delay(&entropy);
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
            full = (full * 2).min(Duration::from_secs(10));
        }
        backoff.reset();
        assert!(backoff.next_delay(&entropy) <= Duration::from_millis(100));
    }
}
