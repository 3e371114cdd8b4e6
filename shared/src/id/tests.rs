//! Cases of `id`, by the sentence that each shows.

use expect_test::expect;

use super::{AgentId, BootId, Epoch, EventId, EventSeq, Lane, ProcessKey, ProcessUid};

fn agent() -> AgentId {
    AgentId::from_slice(&[7; 16]).expect("16 bytes that are not zero")
}

#[test]
fn an_event_id_reads_back_as_it_was_shown() {
    let id = EventId {
        agent: agent(),
        epoch: Epoch::from_u64(0x1234_5678).expect("not zero"),
        lane: Lane::Network,
        seq: EventSeq::FIRST,
    };
    expect!["07070707-0707-0707-0707-070707070707.0000000012345678.network.1"]
        .assert_eq(&id.to_string());
    assert_eq!(EventId::parse(&id.to_string()), Some(id));
    assert_eq!(EventId::parse(&format!("{id}.1")), None);
}

#[test]
fn zero_is_no_epoch_and_the_top_bit_is_never_set() {
    assert_eq!(Epoch::from_u64(0), None);
    assert_eq!(Epoch::from_u64(1 << 63), None);
    assert_eq!(EventSeq::from_u64(0), None);
}

#[test]
fn a_reused_pid_is_another_process() {
    let boot = BootId([1; 16]);
    let first = ProcessKey { pid: 4711, start_ticks: 100 }.uid(agent(), boot);
    let second = ProcessKey { pid: 4711, start_ticks: 101 }.uid(agent(), boot);
    assert_ne!(first, second);
    expect!["c346abe7aa5f2370b20e8322a1d384ec"].assert_eq(&first.to_string());
    assert_eq!(ProcessUid::parse(&first.to_string()), Some(first));
}
