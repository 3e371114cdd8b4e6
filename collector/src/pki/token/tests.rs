//! Cases of `token`, by the sentence that each shows.

use cordon_shared::id::TokenId;
use expect_test::{Expect, expect};

use super::*;
use crate::store::NewToken;

const SECRET: [u8; 32] = [5; 32];

fn row(change: impl FnOnce(&mut TokenRow)) -> TokenRow {
    let token = NewToken {
        id: TokenId::from_slice(&[1; 16]).unwrap(),
        secret_sha256: Sha256::of(&SECRET),
        uses_max: 2,
        networks: vec!["10.1.0.0/16".to_owned(), "fd00::/8".to_owned()],
        labels: Vec::new(),
        tier: "standard".to_owned(),
        is_approved: true,
        expires: Timestamp::from_ns(1_000),
    };
    let mut row = TokenRow {
        token,
        uses: 1,
        created: Timestamp::from_ns(0),
        created_by: "ada".to_owned(),
        revoked: None,
    };
    change(&mut row);
    row
}

#[track_caller]
fn check(row: Option<&TokenRow>, secret: &[u8], source: &str, expect: &Expect) {
    let judged = judge(row, secret, source.parse().unwrap(), Timestamp::from_ns(999));
    expect.assert_eq(&judged.map_or_else(|it| format!("{}: {it}", it.kind()), |()| "in".into()));
}

#[test]
fn f_32_a_token_lets_in_who_has_its_secret_and_comes_from_where_it_says() {
    check(Some(&row(|_| ())), &SECRET, "10.1.2.3", &expect!["in"]);
    check(Some(&row(|_| ())), &SECRET, "::ffff:10.1.2.3", &expect!["in"]);
    check(Some(&row(|_| ())), &SECRET, "fd12::1", &expect!["in"]);
}

#[test]
fn f_32_an_unknown_token_and_a_wrong_secret_look_the_same() {
    let same = expect!["unauthenticated: the token is not known here"];
    check(None, &SECRET, "10.1.2.3", &same);
    check(Some(&row(|_| ())), &[6; 32], "10.1.2.3", &same);
    check(Some(&row(|_| ())), &[], "10.1.2.3", &same);
    check(Some(&row(|it| it.uses = 2)), &[6; 32], "10.1.2.3", &same);
}

#[test]
fn f_32_a_token_ends() {
    check(
        Some(&row(|it| it.token.expires = Timestamp::from_ns(999))),
        &SECRET,
        "10.1.2.3",
        &expect!["forbidden: the token has expired"],
    );
    check(
        Some(&row(|it| it.uses = 2)),
        &SECRET,
        "10.1.2.3",
        &expect!["forbidden: the token is used up"],
    );
    check(
        Some(&row(|it| it.revoked = Some(Timestamp::from_ns(1)))),
        &SECRET,
        "10.1.2.3",
        &expect!["forbidden: the token was withdrawn"],
    );
}

#[test]
fn f_32_a_token_is_for_its_networks() {
    check(
        Some(&row(|_| ())),
        &SECRET,
        "10.2.0.1",
        &expect!["forbidden: the token is not for hosts at 10.2.0.1"],
    );
    check(Some(&row(|it| it.token.networks.clear())), &SECRET, "192.0.2.1", &expect!["in"]);
}
