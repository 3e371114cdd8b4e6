use cordon_shared::{
    command::target::{Target, Tree},
    id::CommandId,
    keyring::Keyring,
    test_support::{self, order},
    text::Text,
    wire,
};
use expect_test::{Expect, expect};

use super::*;

fn isolation() -> Command {
    order::command(Action::Isolate { allowed: Vec::new(), container: Text::EMPTY })
}

/// Signs with these keys, changes the delivery, and says what became of it.
#[track_caller]
fn check(command: &Command, by: &[u8], change: impl FnOnce(&mut Delivery), want: &Expect) {
    let tree = Tree::new(vec![order::target()]).unwrap();
    let proof = tree.proofs().next().unwrap().1;
    let mut signed = wire::command::sign(command, &order::key(by[0]));
    by.iter().skip(1).for_each(|it| order::key(*it).add_to(&mut signed));
    let mut delivery = Delivery { signed, proof };
    change(&mut delivery);
    let keyring = Keyring::open(&order::keyring(), &order::roots()).unwrap();
    let audience = Audience {
        agent: test_support::agent(),
        host: HostId::from_slice(&[7; 16]).unwrap(),
        name: "web-1",
        tier: "standard",
    };
    let bytes = wire::command::encode_delivery(&delivery);
    let said = match admit(&bytes, audience, &keyring, order::NOW) {
        Ok(new) => format!("{}: {}", new.action, new.summary),
        Err(error) => format!("{:?}: {:#}", error.kind(), anyhow::Error::from(error)),
    };
    want.assert_eq(&said);
}

#[test]
fn what_a_person_signs_is_taken_with_the_names_of_the_signers() {
    let command = Command { reason: "beacon".to_owned(), ..isolation() };
    check(&command, &[5], |_| (), &expect!["isolate: isolate (dry run), signed by bob: beacon"]);
    check(
        &command,
        &[7, 5],
        |_| (),
        &expect!["isolate: isolate (dry run), signed by bob and carol: beacon"],
    );
    check(&command, &[5, 6], |_| (), &expect!["isolate: isolate (dry run), signed by bob: beacon"]);
    let hold = CommandId::from_slice(&[0xc0; 16]).unwrap();
    let command = Command { reason: String::new(), ..order::command(Action::Release { hold }) };
    check(
        &command,
        &[7],
        |_| (),
        &expect![
            "release: release from c0c0c0c0-c0c0-c0c0-c0c0-c0c0c0c0c0c0 (dry run), signed by carol"
        ],
    );
}

#[test]
fn what_would_be_refused_on_the_host_is_refused_here() {
    check(
        &isolation(),
        &[6],
        |_| (),
        &expect!["Forbidden: a person must sign: automation's orders are the collector's own"],
    );
    check(
        &isolation(),
        &[99],
        |_| (),
        &expect![
            "Forbidden: it does not open with the keyring that is installed: failed to open the command: no trusted key has signed this cordon.v1.Command"
        ],
    );
    check(
        &isolation(),
        &[5],
        |it| it.proof.host_name = "db-1".to_owned(),
        &expect!["BadInput: it is not for this agent: it was signed for `db-1` of tier `standard`"],
    );
    check(
        &isolation(),
        &[5],
        |it| it.proof.index = 1,
        &expect![
            "BadInput: it is not for this agent: it was signed for `web-1` of tier `standard`"
        ],
    );
    let expired = Command { expires: order::NOW, ..isolation() };
    check(
        &expired,
        &[5],
        |_| (),
        &expect![
            "BadInput: it does not open with the keyring that is installed: failed to read the command: `expires_ns` must be after `not_before_ns`"
        ],
    );
    let other = Target { agent: AgentId::from_slice(&[9; 16]).unwrap(), ..order::target() };
    let two = Tree::new(vec![order::target(), other]).unwrap();
    let (_, place) = two.proofs().find(|it| it.0 == test_support::agent()).unwrap();
    let many = Command { targets: two.root(), ..isolation() };
    check(
        &many,
        &[5],
        |it| it.proof = place,
        &expect!["BadInput: one host at a time: sign a command for each"],
    );
}

#[test]
fn what_is_no_delivery_is_refused() {
    let keyring = Keyring::open(&order::keyring(), &order::roots()).unwrap();
    let audience = Audience {
        agent: test_support::agent(),
        host: HostId::from_slice(&[7; 16]).unwrap(),
        name: "web-1",
        tier: "standard",
    };
    for bytes in [b"".as_slice(), b"\xff\xff\xff", &[0; 4_096]] {
        admit(bytes, audience, &keyring, order::NOW).unwrap_err();
    }
}
