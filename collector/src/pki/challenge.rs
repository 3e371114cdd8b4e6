//! The number that a renewal signs, so that an old renewal cannot be played again.
//!
//! Beside the road: nothing is kept of it. It proves itself by a key that lives as long as this
//! process, and is good for [`LIFETIME`]:
//!
//! ```text
//!  0  8  issued: nanoseconds of the collector's boot time, big-endian
//!  8 16  random
//! 24 32  HMAC-SHA256 over the 24 bytes before, by this process's key
//! ```

use std::{fmt, time::Duration};

use aws_lc_rs::hmac;
use cordon_shared::{
    entropy::Entropy,
    time::{Boottime, Clock},
};

/// How long a challenge is good (chosen: a slow host on a slow line).
pub const LIFETIME: Duration = Duration::from_secs(60);

const HEAD_BYTES: usize = 24;

/// Length of a challenge.
pub const CHALLENGE_BYTES: usize = HEAD_BYTES + 32;

/// Makes challenges and knows its own.
pub struct Challenger {
    key: hmac::Key,
}

impl Challenger {
    /// One that knows no challenge yet.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) }
    }

    /// A new challenge.
    #[must_use]
    pub fn make(&self, clock: &dyn Clock, entropy: &dyn Entropy) -> Vec<u8> {
        let mut bytes = clock.boottime().as_ns().to_be_bytes().to_vec();
        let mut random = [0; 16];
        entropy.fill(&mut random);
        bytes.extend_from_slice(&random);
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        bytes
    }

    /// Whether it is one of this process's, and not too old.
    #[must_use]
    pub fn is_good(&self, challenge: &[u8], clock: &dyn Clock) -> bool {
        let Some((head, tag)) = challenge.split_first_chunk::<HEAD_BYTES>() else { return false };
        let Some((issued, _)) = head.split_first_chunk::<8>() else { return false };
        let issued = Boottime::from_ns(u64::from_be_bytes(*issued));
        hmac::verify(&self.key, head, tag).is_ok() && clock.boottime().since(issued) <= LIFETIME
    }
}

impl fmt::Debug for Challenger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenger(..)")
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        entropy::SeededEntropy,
        time::{ClockSample, FakeClock},
    };

    use super::*;

    #[test]
    fn a_challenge_is_good_for_a_minute_and_here_only() {
        let (clock, entropy) = (FakeClock::at(ClockSample::default()), SeededEntropy::new(1));
        let (ours, other) = (Challenger::new(&entropy), Challenger::new(&entropy));
        let challenge = ours.make(&clock, &entropy);
        assert_eq!(challenge.len(), CHALLENGE_BYTES);
        assert!(ours.is_good(&challenge, &clock));
        assert!(!other.is_good(&challenge, &clock));
        clock.advance(LIFETIME);
        assert!(ours.is_good(&challenge, &clock));
        clock.advance(Duration::from_nanos(1));
        assert!(!ours.is_good(&challenge, &clock));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_refused() {
        let (clock, entropy) = (FakeClock::at(ClockSample::default()), SeededEntropy::new(2));
        let ours = Challenger::new(&entropy);
        let challenge = ours.make(&clock, &entropy);
        for cut in 0..challenge.len() {
            assert!(!ours.is_good(&challenge[..cut], &clock));
        }
        for bit in 0..challenge.len() * 8 {
            let mut changed = challenge.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!ours.is_good(&changed, &clock), "bit {bit}");
        }
    }
}
