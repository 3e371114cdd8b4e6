//! Cases of `keyring`, by the sentence that each shows.

use cordon_shared::{
    keyring::{author, key::Roots},
    test_support::order,
};
use expect_test::expect;

use super::{Classify, Kind, Store};

fn signed(policy: u64, members: u64, keys: &[u8]) -> cordon_shared::keyring::Bundle {
    let mut draft = order::draft();
    (draft.policy.version, draft.members.version) = (policy, members);
    draft.members.policy_version = policy;
    let keys: Vec<_> = keys.iter().map(|it| order::key(*it)).collect();
    author::sign(&draft, &keys)
}

#[test]
fn f_51_a_keyring_survives_a_restart_and_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    let mut store = Store::pin(path.clone(), order::roots(), None).unwrap();
    assert_eq!(store.versions(), (0, 0));
    assert!(store.offer(&signed(3, 7, &[1, 3])).unwrap());
    assert!(!store.offer(&signed(3, 7, &[1, 3])).unwrap());
    assert!(store.offer(&signed(3, 6, &[1, 3])).is_err());
    assert!(store.offer(&signed(4, 8, &[3])).is_err());

    let mut again = Store::open(path).unwrap();
    assert_eq!(again.versions(), (3, 7));
    assert!(again.offer(&signed(2, 9, &[1, 3])).is_err());
    assert!(again.offer(&signed(4, 8, &[1, 3])).unwrap());
    assert_eq!(again.versions(), (4, 8));
}

#[test]
fn roots_change_only_by_old_and_new_and_then_the_old_are_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    let mut store = Store::pin(path.clone(), order::roots(), None).unwrap();
    let mut draft = order::draft();
    draft.policy.roots = Roots::new(vec![order::key(2).public()], 1).unwrap();
    let sign = |draft: &author::Draft, keys: &[u8]| {
        let keys: Vec<_> = keys.iter().map(|it| order::key(*it)).collect();
        author::sign(draft, &keys)
    };
    assert!(store.offer(&sign(&draft, &[2, 3])).is_err());
    assert!(store.offer(&sign(&draft, &[1, 3])).is_err());
    assert!(store.offer(&sign(&draft, &[1, 2, 3])).unwrap());
    let mut store = Store::open(path).unwrap();
    draft.policy.version = 4;
    assert!(store.offer(&sign(&draft, &[2, 3])).unwrap());
    assert!(store.offer(&signed(5, 8, &[1, 3])).is_err());
}

#[test]
fn another_organisation_cannot_pin_over_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    let theirs = Roots::new(vec![order::key(77).public()], 1).unwrap();
    Store::pin(path.clone(), order::roots(), Some(&order::keyring())).unwrap();
    let again = Store::pin(path.clone(), order::roots(), None).unwrap();
    assert_eq!(again.versions(), (3, 7));
    let error = Store::pin(path.clone(), theirs, None).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().ends_with("pins other roots"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test plays the one who damages the file")]
fn a_file_that_somebody_changed_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    assert_eq!(Store::open(path.clone()).unwrap_err().kind(), Kind::NotFound);
    Store::pin(path.clone(), order::roots(), Some(&order::keyring())).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = text.find("END CORDON KEYRING").unwrap();
    std::fs::write(&path, text.get(..cut).unwrap()).unwrap();
    let error = Store::open(path.clone()).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    let shown = error.to_string().replace(&path.display().to_string(), "FILE");
    expect!["`FILE` holds no roots and keyring that belong together"].assert_eq(&shown);
}
