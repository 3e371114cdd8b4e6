//! Which positions are told, and which disagree.

use cordon_shared::{digest::Sha256, id::Epoch};
use expect_test::{Expect, expect};

use super::*;

fn epoch(number: u64) -> Epoch {
    Epoch::from_u64(number).unwrap()
}

fn here(whole_from: u64) -> Position {
    let (lane, digest) = (Lane::Critical, Sha256::of(b"ten"));
    Position { lane, epoch: epoch(7), seq: 10, whole_from, digest }
}

#[test]
fn a_position_is_told_as_far_as_nothing_is_missing_before_it() {
    let is_told = |acked: Option<u64>, whole_from| {
        let acked = acked.and_then(|it| Some((EventSeq::from_u64(it)?, Sha256::of(b"acked"))));
        let agent = [LanePosition { lane: Lane::Critical, epoch: epoch(7), acked }];
        !told(&agent, &[here(whole_from)]).is_empty()
    };
    assert!(is_told(None, 1) && is_told(Some(4), 1));
    // 5 is not here.
    assert!(!is_told(None, 6) && !is_told(Some(4), 6));
    // It was dealt with: the agent was acknowledged more.
    assert!(is_told(Some(5), 6) && is_told(Some(8), 6) && is_told(Some(10), 6));
    assert_eq!(told(&[], &[here(1), here(2)]).len(), 1);
}

#[track_caller]
fn check(acked: Option<(u64, &[u8])>, expect: &Expect) {
    let acked = acked.map(|(seq, bytes)| (EventSeq::from_u64(seq).unwrap(), Sha256::of(bytes)));
    let agent = [LanePosition { lane: Lane::Critical, epoch: epoch(7), acked }];
    let concerns = disagreements(&agent, &[here(1)]);
    expect.assert_eq(&concerns.iter().map(ToString::to_string).collect::<String>());
}

#[test]
fn positions_that_agree_raise_nothing() {
    check(None, &expect![""]);
    check(Some((10, b"ten")), &expect![""]);
    // The acknowledgement was lost: the agent learns it from the welcome.
    check(Some((4, b"four")), &expect![""]);
}

#[test]
fn f_55_an_agent_that_was_acknowledged_more_than_is_here_disagrees() {
    check(
        Some((11, b"eleven")),
        &expect![
            "lane critical of epoch 0000000000000007: the agent holds 11 for acknowledged, the collector has 10"
        ],
    );
}

#[test]
fn f_20_other_bytes_under_the_same_number_disagree() {
    check(
        Some((10, b"other")),
        &expect![
            "lane critical of epoch 0000000000000007: the agent holds 10 for acknowledged, the collector has 10"
        ],
    );
}

#[test]
fn an_epoch_that_is_not_known_disagrees_once_something_of_it_was_acknowledged() {
    let agent = |acked| [LanePosition { lane: Lane::File, epoch: epoch(1), acked }];
    assert!(disagreements(&agent(None), &[]).is_empty());
    let acked = Some((EventSeq::FIRST, Sha256::of(b"one")));
    assert_eq!(disagreements(&agent(acked), &[]).len(), 1);
}
