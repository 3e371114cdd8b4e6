//! What opens, what follows, what a person writes.

use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};

use super::{author::Draft, key::Role, *};
use crate::crypto::signing::SigningKey;

const NOW: Timestamp = Timestamp::from_ns(1_800_000_000_000_000_000);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// Roots 1 and 2 (`k` of them), admins 3 and 4 (`admins` of them), 5 a responder, 6 automation.
fn draft(roots: usize, admins: usize) -> String {
    let public = |seed| key(seed).public();
    format!(
        r#"
[policy]
version = 3
expires = "2027-06-01T00:00:00Z"
roots = ["{}", "{}"]
root_threshold = {roots}
admin_threshold = {admins}
targets_max_single = 100

[[policy.admin]]
key = "{}"
holder = "ada"
holder_kind = "hardware"
expires = "2027-06-01T00:00:00Z"

[[policy.admin]]
key = "{}"
holder = "grace"
holder_kind = "file"
expires = "2027-06-01T00:00:00Z"

[[policy.automation]]
host_tier = "standard"
isolation_per_day_s = 14400
kills_per_hour = 60
citation_age_s_max = 60

[members]
version = 7

[[members.key]]
key = "{}"
holder = "bob"
role = "responder"
holder_kind = "file"
expires = "2027-02-01T00:00:00Z"

[[members.key]]
key = "{}"
holder = "automation"
role = "automation"
holder_kind = "file"
expires = "2027-06-01T00:00:00Z"

[[members.armed]]
rule = "rule-1"
sha256 = "{}"
"#,
        public(1),
        public(2),
        public(3),
        public(4),
        public(5),
        public(6),
        Sha256::of(b"rule text"),
    )
}

fn roots(threshold: usize) -> Roots {
    Roots::new(vec![key(2).public(), key(1).public()], threshold).unwrap()
}

fn signed(roots: usize, admins: usize, keys: &[u8]) -> Bundle {
    let keys: Vec<_> = keys.iter().map(|it| key(*it)).collect();
    author::sign(&Draft::parse(&draft(roots, admins), NOW).unwrap(), &keys)
}

#[track_caller]
fn check(bundle: &Bundle, roots: &Roots, expect: &Expect) {
    let shown = match Keyring::open(bundle, roots) {
        Ok(it) => format!("policy {}, members {}", it.policy().version, it.members().version),
        Err(error) => match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    expect.assert_eq(&shown);
}

#[test]
fn enough_roots_and_admins_open_a_keyring() {
    check(&signed(1, 1, &[1, 3]), &roots(1), &expect!["policy 3, members 7"]);
    check(&signed(2, 2, &[1, 2, 3, 4]), &roots(2), &expect!["policy 3, members 7"]);
}

#[test]
fn too_few_roots_or_admins_do_not() {
    check(&signed(2, 1, &[1, 3]), &roots(2), &expect!["policy signed by 1 of the 2 roots needed"]);
    check(
        &signed(1, 2, &[1, 3]),
        &roots(1),
        &expect!["members signed by 1 of the 2 admins needed"],
    );
    check(
        &signed(1, 1, &[1]),
        &roots(1),
        &expect![
            "failed to open the members: no trusted key has signed this cordon.v1.KeyringMembers"
        ],
    );
}

#[test]
fn a_threshold_that_the_policy_lowers_does_not_help_it() {
    // Pinned: two of two. The policy says one of two, and one signed.
    check(&signed(1, 1, &[1, 3]), &roots(2), &expect!["policy signed by 1 of the 2 roots needed"]);
}

#[test]
fn a_change_of_roots_needs_the_old_and_the_new() {
    let old = Roots::new(vec![key(9).public()], 1).unwrap();
    check(
        &signed(1, 1, &[1, 3]),
        &old,
        &expect![
            "failed to open the policy: no trusted key has signed this cordon.v1.KeyringPolicy"
        ],
    );
    check(
        &signed(1, 1, &[9, 3]),
        &old,
        &expect![
            "failed to open the policy: no trusted key has signed this cordon.v1.KeyringPolicy"
        ],
    );
    check(&signed(1, 1, &[9, 1, 3]), &old, &expect!["policy 3, members 7"]);
}

#[test]
fn members_signed_by_a_key_that_is_no_admin_are_refused() {
    let mut bundle = signed(1, 1, &[1]);
    key(5).add_to(&mut bundle.members);
    check(
        &bundle,
        &roots(1),
        &expect![
            "failed to open the members: no trusted key has signed this cordon.v1.KeyringMembers"
        ],
    );
}

#[test]
fn two_keys_of_one_person_are_one_admin() {
    let text = draft(1, 2).replace("\"grace\"", "\"ada\"");
    let mut draft = Draft::parse(&text, NOW).unwrap();
    let bundle = author::sign(&draft, &[key(1), key(3), key(4)]);
    check(
        &bundle,
        &roots(1),
        &expect![
            "failed to read the policy: `admin_threshold` must be at least 1 and at most the number of persons"
        ],
    );
    draft.policy.admin_threshold = 1;
    let bundle = author::sign(&draft, &[key(1), key(3), key(4)]);
    check(&bundle, &roots(1), &expect!["policy 3, members 7"]);
}

#[test]
fn f_51_versions_only_rise() {
    let open = |policy, members, text: &str| {
        let mut draft = Draft::parse(text, NOW).unwrap();
        (draft.policy.version, draft.members.version) = (policy, members);
        draft.members.policy_version = 3;
        Keyring::open(&author::sign(&draft, &[key(1), key(3)]), &roots(1)).unwrap()
    };
    let text = draft(1, 1);
    let current = open(3, 7, &text);
    let shown = |it: &Keyring| match it.succeeds(&current) {
        Ok(is_new) => format!("taken, new: {is_new}"),
        Err(error) => error.to_string(),
    };
    expect!["taken, new: false"].assert_eq(&shown(&current));
    expect!["taken, new: true"].assert_eq(&shown(&open(3, 8, &text)));
    expect!["taken, new: true"].assert_eq(&shown(&open(4, 7, &text)));
    expect!["members of version 6 come after version 7"].assert_eq(&shown(&open(4, 6, &text)));
    expect!["members of version 7 differ from those of the same version in force"]
        .assert_eq(&shown(&open(4, 7, &text.replace("bob", "eve"))));
    let mut draft = Draft::parse(&text, NOW).unwrap();
    draft.policy.version = 2;
    let older = author::sign(&draft, &[key(1), key(3)]);
    check(&older, &roots(1), &expect!["members of policy 3 come with policy 2"]);
}

#[test]
fn keys_that_expired_or_were_revoked_sign_no_commands() {
    let mut draft = Draft::parse(&draft(1, 1), NOW).unwrap();
    let names = |draft: &Draft, at| {
        let bundle = author::sign(draft, &[key(1), key(3)]);
        let keyring = Keyring::open(&bundle, &roots(1)).unwrap();
        let names: Vec<_> = keyring.keys(at).iter().map(|it| it.holder.clone()).collect();
        names.join(" ")
    };
    expect!["bob automation ada grace"].assert_eq(&names(&draft, NOW));
    let march = Timestamp::parse("2027-03-01T00:00:00Z").unwrap();
    expect!["automation ada grace"].assert_eq(&names(&draft, march));
    draft.members.revoked = vec![key(6).public().id(), key(4).public().id()];
    expect!["bob ada"].assert_eq(&names(&draft, NOW));
}

#[test]
fn a_tier_without_totals_lets_automation_do_nothing() {
    let keyring = Keyring::open(&signed(1, 1, &[1, 3]), &roots(1)).unwrap();
    assert_eq!(keyring.totals("standard").kills_per_hour, 60);
    assert_eq!(keyring.totals("critical").kills_per_hour, 0);
    assert!(keyring.is_armed("rule-1", Sha256::of(b"rule text")));
    assert!(!keyring.is_armed("rule-1", Sha256::of(b"rule text, changed")));
    assert!(!keyring.is_expired(NOW));
    assert!(keyring.is_expired(Timestamp::parse("2027-06-01T00:00:00Z").unwrap()));
}

#[test]
fn the_fingerprint_of_roots_holds_their_number_too() {
    expect!["014bb306"].assert_eq(roots(1).fingerprint().to_string().get(..8).unwrap());
    assert_ne!(roots(1).fingerprint(), roots(2).fingerprint());
    assert_eq!(Roots::new(vec![key(1).public()], 2), None);
    assert_eq!(Roots::new(vec![key(1).public(), key(1).public()], 1), None);
    assert_eq!(Roots::new(Vec::new(), 0), None);
}

#[test]
fn a_draft_with_a_mistake_says_where() {
    let check = |from: &str, to: &str, expect: &Expect| {
        let error = Draft::parse(&draft(1, 1).replace(from, to), NOW).unwrap_err();
        expect.assert_eq(error.to_string().trim_end());
    };
    check("version = 7", "version = 0", &expect!["`members.version` must be at least 1"]);
    check(
        "\"responder\"",
        "\"boss\"",
        &expect!["`role` must be viewer, analyst, responder, lead, admin or automation"],
    );
    check(
        "root_threshold = 1",
        "root_threshold = 3",
        &expect![
            "`policy.roots` must be 1..=16 different keys, `root_threshold` of which may sign"
        ],
    );
    check("\"hardware\"", "\"paper\"", &expect!["`holder_kind` must be file, hardware or browser"]);
    let unknown = Draft::parse(&draft(1, 1).replace("[members]", "[members]\nmagic = 1"), NOW);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `magic`"));
}

#[test]
fn keys_and_keyrings_go_through_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = author::write_key(&dir.path().join("root"), "root", &key(1)).unwrap();
    let mode = std::fs::metadata(&files.private).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(author::read_key(&files.private).unwrap().public(), key(1).public());
    assert_eq!(author::read_public(&files.public).unwrap(), key(1).public());
    assert!(author::is_private_key(&files.private).unwrap());
    assert!(!author::is_private_key(&files.public).unwrap());
    let again = author::write_key(&dir.path().join("root"), "root", &key(2)).unwrap_err();
    assert_eq!(again.kind(), Kind::Conflict);

    let path = dir.path().join("current");
    let bundle = signed(2, 1, &[1]);
    author::write_bundle(&path, &bundle).unwrap();
    let mut read = author::read_bundle(&path).unwrap();
    assert_eq!(read, bundle);
    // The second root and the admin sign what the first one left.
    let draft = author::peek(&read).unwrap();
    author::add_signatures(&mut read, &draft, &[key(2), key(3)]);
    let keyring = author::check(&read, &roots(2), None).unwrap();
    assert_eq!(keyring.keys(NOW).iter().filter(|it| it.role == Role::Responder).count(), 1);
    assert!(author::read_bundle(&files.public).is_err());
}
