//! How much may be in flight: pure.

use std::collections::VecDeque;

use cordon_shared::{
    id::{Epoch, EventSeq, Lane},
    wire::session::Credit,
};

/// A batch that was sent and is not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sent {
    epoch: Epoch,
    last_seq: EventSeq,
    bytes: u64,
}

/// What is in flight, against what the collector grants.
#[derive(Debug)]
pub(super) struct Window {
    granted: Credit,
    lanes: [VecDeque<Sent>; 3],
    bytes: u64,
}

impl Window {
    /// Nothing is in flight.
    pub(super) fn new(granted: Credit) -> Self {
        Self { granted, lanes: Default::default(), bytes: 0 }
    }

    /// The newest grant counts, up or down.
    pub(super) fn grant(&mut self, granted: Credit) {
        self.granted = granted;
    }

    /// How many batches and bytes may be sent now; no batches when the window is full.
    pub(super) fn room(&self) -> (usize, usize) {
        let in_flight: usize = self.lanes.iter().map(VecDeque::len).sum();
        let granted = usize::try_from(self.granted.batches_max).unwrap_or(usize::MAX);
        let bytes = self.granted.bytes_max.saturating_sub(self.bytes);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // A lease gives at least one batch, however large: so there must be room for it.
        if bytes < cordon_shared::limit::MESSAGE_BYTES_MAX && in_flight > 0 {
            return (0, 0);
        }
        (granted.saturating_sub(in_flight), bytes)
    }

    /// A batch left.
    pub(super) fn sent(&mut self, lane: Lane, epoch: Epoch, last_seq: EventSeq, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        self.lane(lane).push_back(Sent { epoch, last_seq, bytes });
    }

    /// All of the epoch up to and with `seq` arrived, or was refused for good.
    pub(super) fn settled(&mut self, lane: Lane, epoch: Epoch, seq: EventSeq) {
        while let Some(first) = self.lane(lane).front().copied() {
            if first.epoch != epoch || first.last_seq > seq {
                return;
            }
            self.lane(lane).pop_front();
            self.bytes = self.bytes.saturating_sub(first.bytes);
        }
    }

    /// Whether the batch that ends there is the oldest of its lane that is not answered.
    pub(super) fn is_oldest(&mut self, lane: Lane, epoch: Epoch, last_seq: EventSeq) -> bool {
        let oldest = self.lane(lane).front();
        oldest.is_some_and(|it| it.epoch == epoch && it.last_seq == last_seq)
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Sent> {
        let [critical, network, file] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        id::{Epoch, EventSeq, Lane},
        wire::session::Credit,
    };

    use super::Window;

    fn epoch(number: u64) -> Epoch {
        Epoch::from_u64(number).expect("not zero")
    }

    fn seq(number: u64) -> EventSeq {
        EventSeq::from_u64(number).expect("not zero")
    }

    #[test]
    fn the_window_closes_when_it_is_full_and_opens_with_an_acknowledgement() {
        let mut window = Window::new(Credit { batches_max: 2, bytes_max: 4 << 20 });
        assert_eq!(window.room(), (2, 4 << 20));
        window.sent(Lane::Critical, epoch(1), seq(10), 1_000);
        window.sent(Lane::File, epoch(1), seq(5), 500);
        assert_eq!(window.room().0, 0);
        window.settled(Lane::Critical, epoch(1), seq(9));
        assert_eq!(window.room().0, 0, "an acknowledgement of less settles nothing");
        window.settled(Lane::Critical, epoch(1), seq(10));
        assert_eq!(window.room(), (1, (4 << 20) - 500));
    }

    #[test]
    fn a_smaller_grant_closes_it_and_a_larger_one_opens_it() {
        let mut window = Window::new(Credit { batches_max: 4, bytes_max: 4 << 20 });
        window.sent(Lane::Network, epoch(1), seq(1), 10);
        window.grant(Credit { batches_max: 1, bytes_max: 4 << 20 });
        assert_eq!(window.room().0, 0);
        window.grant(Credit { batches_max: 3, bytes_max: 4 << 20 });
        assert_eq!(window.room().0, 2);
    }

    #[test]
    fn bytes_close_it_too_but_one_batch_may_always_leave() {
        let mut window = Window::new(Credit { batches_max: 9, bytes_max: 100 });
        assert_eq!(window.room().0, 9);
        window.sent(Lane::Network, epoch(1), seq(1), 10);
        assert_eq!(window.room().0, 0);
    }

    #[test]
    fn another_epoch_settles_nothing() {
        let mut window = Window::new(Credit { batches_max: 1, bytes_max: 4 << 20 });
        window.sent(Lane::Network, epoch(1), seq(1), 10);
        window.settled(Lane::Network, epoch(2), seq(9));
        assert!(!window.is_oldest(Lane::Network, epoch(2), seq(1)));
        assert!(window.is_oldest(Lane::Network, epoch(1), seq(1)));
        assert_eq!(window.room().0, 0);
    }
}
