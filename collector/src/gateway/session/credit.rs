//! How much one agent may have under way: pure.
//!
//! Beside the road: the journal's pressure sets what is granted; what is under way is counted here.
//! An agent that sends more than it was granted is not read from until some of it is answered, so
//! that the bound holds whatever it does.

use std::collections::VecDeque;

use cordon_shared::{limit, wire::session::Credit};

use crate::ingest::Pressure;

/// Granted while batches wait for the journal: a quarter of the batches.
const BEHIND_BATCHES: u32 = limit::CREDIT_BATCHES / 4;
const BEHIND_BYTES: u64 = limit::CREDIT_BYTES / 2;

/// What an agent may have unacknowledged. While the disk takes nothing it is as many batches and few
/// bytes: the facts of a quiet host still reach detection, those of a busy one wait in its spool.
pub(super) fn granted(pressure: Pressure) -> Credit {
    let (batches_max, bytes_max) = match pressure {
        Pressure::Open => (limit::CREDIT_BATCHES, limit::CREDIT_BYTES),
        Pressure::Behind => (BEHIND_BATCHES, BEHIND_BYTES),
        Pressure::Stalled => (limit::CREDIT_BATCHES, limit::MESSAGE_BYTES_MAX as u64),
    };
    Credit { batches_max, bytes_max }
}

/// What is under way: submitted and not answered.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    batches: VecDeque<u64>,
    bytes: u64,
}

impl UnderWay {
    /// Whether one more batch may be read.
    pub(super) fn has_room(&self) -> bool {
        self.batches.len() < limit::CREDIT_BATCHES as usize && self.bytes < limit::CREDIT_BYTES
    }

    /// A batch was submitted.
    pub(super) fn add(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.batches.push_back(bytes);
        self.bytes += bytes;
    }

    /// A batch was answered. Which one does not matter: the sum is right once all are.
    pub(super) fn take(&mut self) {
        self.bytes -= self.batches.pop_front().unwrap_or(0);
    }

    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_7_a_full_disk_grants_few_bytes() {
        let windows = [Pressure::Open, Pressure::Behind, Pressure::Stalled].map(granted);
        assert_eq!(windows.map(|it| it.batches_max), [16, 4, 16]);
        assert_eq!(windows.map(|it| it.bytes_max >> 20), [4, 2, 1]);
    }

    #[test]
    fn a_peer_that_sends_more_than_granted_is_not_read_from() {
        let mut under_way = UnderWay::default();
        for _ in 0..limit::CREDIT_BATCHES {
            assert!(under_way.has_room());
            under_way.add(100);
        }
        assert!(!under_way.has_room());
        under_way.take();
        assert!(under_way.has_room());
        under_way.add(4 << 20);
        assert!(!under_way.has_room());
        (0..limit::CREDIT_BATCHES).for_each(|_| under_way.take());
        assert!(under_way.is_empty() && under_way.has_room());
    }
}
