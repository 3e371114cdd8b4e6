//! Durations counted in buckets: percentiles of millions in a few kilobytes, exact to 1/32.

use std::time::Duration;

/// Buckets of each doubling: a value is known to 1/32 of itself.
const STEPS: u64 = 32;
/// Doublings from one microsecond on: 2^32 us are more than an hour.
const DOUBLINGS: u64 = 32;

/// How often each duration was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = usize::try_from(STEPS * (DOUBLINGS + 1)).unwrap_or(0);
        Self { counts: vec![0; buckets], total: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(us)) {
            *count += 1;
        }
        self.total += 1;
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
        self.total += other.total;
    }

    /// How many were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that so many of a thousand stay at or below; nothing when there are none.
    #[must_use]
    pub fn per_mille(&self, share: u64) -> Option<Duration> {
        let rank = (self.total * share).div_ceil(1_000).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_micros(upper_us(at)))
    }
}

/// Below 64 us each has its own bucket; above, each doubling has [`STEPS`].
fn bucket(us: u64) -> usize {
    let doubling = us.max(1).ilog2().saturating_sub(STEPS.ilog2());
    let at = u64::from(doubling) * STEPS + (us >> doubling);
    usize::try_from(at.min(STEPS * (DOUBLINGS + 1) - 1)).unwrap_or(0)
}

/// The largest that a bucket takes.
fn upper_us(bucket: usize) -> u64 {
    let at = bucket as u64;
    let doubling = (at / STEPS).saturating_sub(1);
    ((at - doubling * STEPS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Histogram, bucket, upper_us};

    #[test]
    fn every_value_is_in_a_bucket_that_is_at_most_a_thirty_second_wide() {
        let mut values: Vec<u64> = (0..5_000).collect();
        values.extend((12..32).flat_map(|it| [(1 << it) - 1, 1 << it, (1 << it) + 1]));
        for us in values {
            let upper = upper_us(bucket(us));
            assert!(upper >= us && upper - us <= us / 32, "{us} is in a bucket up to {upper}");
        }
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut histogram = Histogram::default();
        for us in 1..=100 {
            histogram.add(Duration::from_micros(us));
        }
        assert_eq!(histogram.per_mille(500), Some(Duration::from_micros(50)));
        assert_eq!(histogram.per_mille(990).map(|it| it.as_micros() >= 99), Some(true));
        assert_eq!(Histogram::default().per_mille(500), None);
    }
}
