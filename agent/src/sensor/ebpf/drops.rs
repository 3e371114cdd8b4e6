//! Records that found the ring full: how the kernel's count becomes losses, each declared exactly
//! once over restarts of the agent.
//!
//! In: the count (which only rises), how far the spool has our observations. Out: a loss to declare,
//! and the state to keep in the kernel beside the count, so that both live equally long. Pure.
//!
//! A loss has no record in the ring, hence no position of its own. Records lie at multiples of 8, so
//! the low three bits of an observation's position are free: a loss that is declared after the
//! record at `P` stands at `P + 1` (a second one, with no record in between, at `P + 2`). At most
//! one loss is on its way at a time. After a crash the spool says how far it came: at or past the
//! loss's position, and it is declared; before, and it is declared again.

use cordon_shared::time::Boottime;

/// Positions of records are multiples of it.
const STRIDE: u64 = 8;

/// The position of the ring in an observation's: without the marks of losses.
#[must_use]
pub const fn ring_position(offset: u64) -> u64 {
    offset & !(STRIDE - 1)
}

/// What was declared. As it lies in the kernel's map: `struct declared` in `bpf/record.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    count: u64,
    until: Boottime,
    pending: Option<Pending>,
}

/// A loss on its way to the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    offset: u64,
    count: u64,
    until: Boottime,
}

/// A loss to declare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The position that its observation carries.
    pub offset: u64,
    /// Records that were dropped.
    pub count: u64,
    /// Since when: the last declaration, or when the counter was made.
    pub from: Boottime,
    /// Until when.
    pub until: Boottime,
}

impl Declared {
    /// Nothing, since `at`.
    #[must_use]
    pub fn begun(at: Boottime) -> Self {
        Self { count: 0, until: at, pending: None }
    }

    /// Reads the map's value.
    #[must_use]
    pub fn from_words(words: [u64; 5]) -> Self {
        let [count, until, offset, pending_count, pending_until] = words;
        let pending = (offset != 0).then_some(Pending {
            offset,
            count: pending_count,
            until: Boottime::from_ns(pending_until),
        });
        Self { count, until: Boottime::from_ns(until), pending }
    }

    /// The map's value.
    #[must_use]
    pub fn to_words(self) -> [u64; 5] {
        let (offset, count, until) =
            self.pending.map_or((0, 0, 0), |it| (it.offset, it.count, it.until.as_ns()));
        [self.count, self.until.as_ns(), offset, count, until]
    }

    /// Learns that the spool has everything up to `offset`.
    #[must_use]
    pub fn settle(self, offset: u64) -> Self {
        match self.pending {
            Some(it) if it.offset <= offset => {
                Self { count: it.count, until: it.until, pending: None }
            }
            Some(_) | None => self,
        }
    }

    /// Begins anew after a restart, at `offset`: what did not reach the spool is declared again.
    #[must_use]
    pub fn restart(self, offset: u64) -> Self {
        Self { pending: None, ..self.settle(offset) }
    }

    /// Whether [`Declared::declare`] would declare `dropped`.
    #[must_use]
    pub fn is_due(&self, dropped: u64) -> bool {
        self.pending.is_none() && dropped > self.count
    }

    /// Declares what was dropped since the last time, when `dropped` in all are more and nothing is
    /// on its way. `after` is the position of the newest observation.
    ///
    /// Returns the state to keep, which must be kept before the loss is handed on.
    #[must_use]
    pub fn declare(self, dropped: u64, after: u64, now: Boottime) -> Option<(Self, Loss)> {
        // With seven losses after the last record, the next waits for one.
        if !self.is_due(dropped) || after % STRIDE == STRIDE - 1 {
            return None;
        }
        let offset = after + 1;
        let loss = Loss { offset, count: dropped - self.count, from: self.until, until: now };
        let pending = Some(Pending { offset, count: dropped, until: now });
        Some((Self { pending, ..self }, loss))
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::time::Boottime;
    use expect_test::{Expect, expect};
    use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

    use super::{Declared, ring_position};

    /// What happens to a sensor.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// The kernel drops so many.
        Drop(u64),
        /// A record is read.
        Record,
        /// The sensor looks whether there is something to declare.
        Look,
        /// The spool has everything.
        Commit,
        /// The agent dies and starts again.
        Crash,
    }
    use Step::{Commit, Crash, Drop, Look, Record};

    /// Plays `steps`. Returns what was dropped, and what the spool has as declared.
    fn play(steps: &[Step]) -> (u64, Vec<u64>) {
        let mut state = Declared::begun(Boottime::from_ns(0));
        let (mut dropped, mut last, mut spooled) = (0, 64, 64);
        let (mut on_the_way, mut declared) = (Vec::new(), Vec::new());
        for step in steps {
            state = Declared::from_words(state.to_words());
            match *step {
                Drop(count) => dropped += count,
                Record => last = ring_position(last) + 16,
                Look => {
                    if let Some((next, loss)) = state.declare(dropped, last, Boottime::from_ns(1)) {
                        state = next;
                        last = loss.offset;
                        on_the_way.push(loss.count);
                    }
                }
                Commit => {
                    spooled = last;
                    declared.append(&mut on_the_way);
                    state = state.settle(spooled);
                }
                Crash => {
                    last = spooled;
                    on_the_way.clear();
                    state = state.restart(spooled);
                }
            }
        }
        (dropped, declared)
    }

    #[track_caller]
    fn check(steps: &[Step], want: &Expect) {
        want.assert_eq(&format!("{:?}", play(steps)));
    }

    #[test]
    fn each_difference_is_declared_once() {
        check(&[Drop(3), Look, Look, Commit, Look, Drop(2), Look, Commit], &expect!["(5, [3, 2])"]);
    }

    #[test]
    fn what_never_reached_the_spool_is_declared_again_with_what_came_since() {
        check(&[Drop(3), Look, Crash, Drop(1), Look, Commit], &expect!["(4, [4])"]);
    }

    #[test]
    fn what_reached_the_spool_is_not_declared_again() {
        check(&[Drop(3), Look, Commit, Crash, Look, Commit], &expect!["(3, [3])"]);
    }

    #[test]
    fn a_state_that_did_not_hear_of_the_commit_learns_it_at_the_restart() {
        let state = Declared::begun(Boottime::from_ns(0));
        let (state, loss) = state.declare(3, 64, Boottime::from_ns(1)).expect("due");
        assert_eq!(loss.offset, 65);
        assert!(!state.restart(65).is_due(3));
        assert!(state.restart(64).is_due(3));
    }

    #[test]
    fn the_eighth_loss_in_a_row_waits_for_a_record() {
        let round = [Drop(1), Look, Commit];
        let steps: Vec<_> = round.repeat(8).into_iter().chain([Record, Look, Commit]).collect();
        check(&steps, &expect!["(8, [1, 1, 1, 1, 1, 1, 1, 1])"]);
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![(1_u64..9).prop_map(Drop), Just(Record), Just(Look), Just(Commit), Just(Crash)]
    }

    proptest! {
        #[test]
        fn in_the_end_all_that_was_dropped_is_declared(
            mut steps in proptest::collection::vec(step(), 0..40),
        ) {
            steps.extend([Commit, Record, Look, Commit]);
            let (dropped, declared) = play(&steps);
            proptest::prop_assert_eq!(declared.iter().sum::<u64>(), dropped);
        }
    }
}
