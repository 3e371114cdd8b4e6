//! Cases of `signing`, by the sentence that each shows.

use cordon_proto::v1;
use expect_test::{Expect, expect};

use super::{SignedBytes, SigningKey};

const TYPE: &str = "cordon.v1.ProcessKey";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn signed() -> SignedBytes {
    key(1).sign(TYPE, &v1::ProcessKey { pid: 4711, start_ticks: 9 })
}

#[track_caller]
fn check(signed: &SignedBytes, trusted: &[SigningKey], expect: &Expect) {
    let trusted: Vec<_> = trusted.iter().map(SigningKey::public).collect();
    let shown = match signed.open::<v1::ProcessKey>(TYPE, &trusted) {
        Ok(opened) => format!("pid {} by {}", opened.message.pid, opened.signers.len()),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

#[test]
fn a_trusted_signature_opens_the_payload() {
    check(&signed(), &[key(2), key(1)], &expect!["pid 4711 by 1"]);
}

#[test]
fn two_keys_are_counted_once_each() {
    let mut signed = signed();
    key(2).add_to(&mut signed);
    key(2).add_to(&mut signed);
    check(&signed, &[key(1), key(2), key(2)], &expect!["pid 4711 by 2"]);
}

#[test]
fn a_stranger_opens_nothing() {
    check(&signed(), &[key(2)], &expect!["no trusted key has signed this cordon.v1.ProcessKey"]);
}

#[test]
fn a_changed_payload_is_forged() {
    let mut signed = signed();
    signed.payload = [0x08, 0x01].as_slice().into();
    check(
        &signed,
        &[key(1)],
        &expect![
            "the signature that names key 34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e is not by that key"
        ],
    );
}

#[test]
fn a_payload_of_another_type_is_refused_though_its_signature_is_good() {
    let mut signed = signed();
    signed.payload_type = "cordon.v1.Command".to_owned();
    check(
        &signed,
        &[key(1)],
        &expect!["payload is `cordon.v1.Command`, not `cordon.v1.ProcessKey`"],
    );
}
