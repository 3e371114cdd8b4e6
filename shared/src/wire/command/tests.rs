//! Round trips of every action, and what is refused.

use expect_test::{Expect, expect};
use proptest::prelude::{Strategy, any, proptest};
use prost::Message;

use super::*;
use crate::test_support::order;

fn signer() -> SigningKey {
    order::key(5)
}

#[test]
fn every_action_opens_as_it_was_signed() {
    for action in order::actions() {
        let command = order::command(action);
        let signed = sign(&command, &signer());
        let opened = open(&signed, &[signer().public()]).unwrap();
        assert_eq!(opened.command, command);
        assert_eq!(opened.signers, [signer().public()]);
        assert_eq!(opened.payload_sha256, Sha256::of(&signed.payload));
        assert_eq!(peek(&signed).unwrap().0, command.id);
    }
}

/// Changes the wire form of a kill, signs it again, and shows why it is refused.
#[track_caller]
fn check(change: impl Fn(&mut v1::Command), expect: &Expect) {
    let kill = order::actions().into_iter().next().unwrap();
    let mut wire = to_wire(&order::command(kill));
    change(&mut wire);
    let signed = signer().sign(COMMAND, &wire);
    let error = match open(&signed, &[signer().public()]).unwrap_err() {
        OpenError::Field(error) => error.to_string(),
        error @ (OpenError::Signature(_) | OpenError::UnknownAction) => error.to_string(),
    };
    expect.assert_eq(&error);
}

#[test]
fn a_command_without_an_action_that_is_known_is_refused() {
    check(|it| it.action = None, &expect!["action is not one of those that this program knows"]);
}

#[test]
fn fields_that_break_a_rule_are_named() {
    check(|it| it.id = Bytes::new(), &expect!["`id` must be an id of 16 or a digest of 32 bytes"]);
    check(|it| it.target_count = 0, &expect!["`target_count` must be 1..=1048576"]);
    check(|it| it.target_count = 1 << 21, &expect!["`target_count` must be 1..=1048576"]);
    check(
        |it| it.expires_ns = it.not_before_ns,
        &expect!["`expires_ns` must be after `not_before_ns`"],
    );
    check(
        |it| it.expires_ns = it.not_before_ns + 8 * 86_400_000_000_000,
        &expect!["`expires_ns` must be at most 7 days after `not_before_ns`"],
    );
    check(
        |it| it.lease.as_mut().unwrap().duration_ns_max = 1,
        &expect!["`lease.duration_ns` must be 1..=`duration_ns_max`"],
    );
    check(
        |it| it.preconditions.push(v1::Precondition::default()),
        &expect!["`preconditions` must be of a kind that this program knows"],
    );
    check(|it| it.overrides.push(1), &expect!["`overrides` must be each at most once"]);
    check(|it| it.overrides.push(99), &expect!["`overrides` must be a word that the wire knows"]);
    check(|it| it.reason = "x".repeat(1_025), &expect!["`reason` must be at most 1024 bytes"]);
}

#[test]
fn operands_that_break_a_rule_are_named() {
    use v1::command::Action;
    let key = |pid| Some(v1::ProcessKey { pid, start_ticks: 1 });
    check(
        |it| it.action = Some(Action::Kill(v1::Kill { process: key(0), is_tree: true })),
        &expect!["`process.pid` must be 1..=4194304"],
    );
    check(
        |it| it.action = Some(Action::Kill(v1::Kill::default())),
        &expect!["`process` must be present"],
    );
    check(
        |it| it.action = Some(Action::Block(v1::Block::default())),
        &expect!["`blocked` must be 1..=4096"],
    );
    check(
        |it| {
            let paths = vec![Bytes::from_static(b"relative")];
            it.action = Some(Action::Collect(v1::Collect { paths, bytes_max: 1 }));
        },
        &expect!["`paths` must be an absolute path of at most 4096 bytes"],
    );
    check(
        |it| {
            let network = v1::Network { address: Bytes::from_static(&[1; 4]), prefix_bits: 33 };
            let allowed = vec![network];
            it.action = Some(Action::Isolate(v1::Isolate { allowed, container: Bytes::new() }));
        },
        &expect!["`prefix_bits` must be at most the bits of the address"],
    );
}

#[test]
fn a_delivery_comes_back_as_it_was_sent_and_its_bounds_hold() {
    let kill = order::actions().into_iter().next().unwrap();
    let signed = sign(&order::command(kill), &signer());
    let (host_name, host_tier) = ("web-1".to_owned(), "standard".to_owned());
    let proof = Proof { host_name, host_tier, index: 0, siblings: vec![Sha256::of(b"x")] };
    let delivery = Delivery { signed, proof };
    let mut wire = delivery_to(&delivery);
    assert_eq!(delivery_from(&wire).unwrap(), delivery);
    wire.proof.as_mut().unwrap().siblings = vec![Bytes::from_static(&[0; 32]); 21];
    let error = delivery_from(&wire).unwrap_err().to_string();
    expect!["`proof.siblings` must be at most 20"].assert_eq(&error);
    wire.proof = None;
    assert!(delivery_from(&wire).is_err());
}

#[test]
fn every_cut_of_a_command_is_refused() {
    for action in order::actions() {
        let signed = sign(&order::command(action), &signer());
        for cut in 0..signed.payload.len() {
            let mut payload = v1::Command::decode(&signed.payload[..cut]).unwrap_or_default();
            payload.citation = None;
            let signed = SignedBytes { payload: signed.payload.slice(..cut), ..signed.clone() };
            assert!(open(&signed, &[signer().public()]).is_err());
            drop(from_wire(&payload));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_command_or_are_refused(bytes in any::<Vec<u8>>().prop_map(Bytes::from)) {
        if let Ok(wire) = v1::Command::decode(bytes) {
            drop(from_wire(&wire));
        }
    }
}
