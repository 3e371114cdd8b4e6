//! Round trips and refusals.

use expect_test::{Expect, expect};

use super::*;
use crate::{
    event::health::{Sensor, Tier},
    test_support,
};

fn position(seq: u64) -> LanePosition {
    let acked = EventSeq::from_u64(seq).map(|it| (it, Sha256::of(b"batch")));
    LanePosition { lane: Lane::File, epoch: Epoch::from_u64(7).unwrap(), acked }
}

fn hello() -> Hello {
    Hello {
        host: HostFacts {
            host_name: "web-1".to_owned(),
            machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
            boot: BootId([1; 16]),
            os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: "6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            agent_version: "0.1.0".to_owned(),
        },
        process_nonce: [2; 16],
        clock: test_support::origin().clock,
        positions: vec![position(0), position(9)],
        sensors: vec![SensorState {
            sensor: Sensor::Process,
            tier: Tier::Ebpf,
            reason: String::new(),
        }],
        keyring_versions: (3, 7),
        wire_revision: 1,
    }
}

fn welcome() -> Welcome {
    Welcome {
        agent: test_support::agent(),
        positions: vec![position(9)],
        credit: Credit { batches_max: limit::CREDIT_BATCHES, bytes_max: limit::CREDIT_BYTES },
        clock: test_support::origin().clock,
        wire_revision: 1,
        host_tier: "standard".to_owned(),
        is_held: true,
        disagreed: vec![Lane::Critical],
    }
}

#[test]
fn what_is_sent_comes_back() {
    assert_eq!(hello_from(&hello_to(&hello())).unwrap(), hello());
    assert_eq!(welcome_from(&welcome_to(&welcome())).unwrap(), welcome());
    let ack = Ack { lane: Lane::Network, epoch: Epoch::from_u64(7).unwrap(), seq: EventSeq::FIRST };
    assert_eq!(ack_from(&ack_to(ack)).unwrap(), ack);
    for reason in [
        GoodbyeReason::Stopping,
        GoodbyeReason::Replaced,
        GoodbyeReason::Revoked,
        GoodbyeReason::BadInput,
        GoodbyeReason::Busy,
    ] {
        assert_eq!(goodbye_from(&goodbye_to(reason, "why")).unwrap(), reason);
    }
}

#[track_caller]
fn check(change: impl Fn(&mut v1::Hello), expect: &Expect) {
    let mut wire = hello_to(&hello());
    change(&mut wire);
    expect.assert_eq(&hello_from(&wire).unwrap_err().to_string());
}

#[test]
fn a_hello_that_breaks_a_rule_is_refused_by_field() {
    check(|it| it.host = None, &expect!["`host` must be present"]);
    check(|it| it.clock = None, &expect!["`clock` must be present"]);
    check(|it| it.process_nonce.clear(), &expect!["`process_nonce` must be 16 bytes"]);
    check(
        |it| it.host.as_mut().unwrap().host_name = "x".repeat(254),
        &expect!["`host.host_name` must be 1..=253 bytes"],
    );
    check(
        |it| it.host.as_mut().unwrap().kernel = "x".repeat(257),
        &expect!["`host.kernel` must be at most 256 bytes"],
    );
    check(
        |it| it.positions = vec![position_to(&position(1)); 3_073],
        &expect!["`positions` must be at most 3072"],
    );
    check(|it| it.positions[1].epoch = 0, &expect!["`position.epoch` must be 1..2^63"]);
    check(
        |it| it.positions[1].digest.clear(),
        &expect!["`position.digest` must be an id of 16 or a digest of 32 bytes"],
    );
    check(|it| it.positions[1].seq = 0, &expect!["`position.seq` must be 1..2^63"]);
}

#[test]
fn credit_for_less_than_a_batch_is_refused() {
    let wire = v1::Credit { batches_max: 0, bytes_max: u64::MAX };
    assert!(credit_from(&wire).is_err());
    assert!(credit_from(&v1::Credit { batches_max: 1, bytes_max: 1 }).is_err());
}
