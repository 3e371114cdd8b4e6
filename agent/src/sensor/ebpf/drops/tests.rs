//! A sensor, its spool and its crashes, played step by step.

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
