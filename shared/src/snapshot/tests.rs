//! What a container looks like to others, and that no damage goes unnoticed.

use std::fmt::Write as _;

use expect_test::expect;
use proptest::prelude::*;

use super::{
    EntryName, Manifest, NAME_CHARS_MAX,
    check::{Checked, State, check},
    container::{BLOCK_BYTES, header},
};
use crate::{
    id::CommandId,
    test_support::{self, evidence},
    time::Timestamp,
};

fn sealed() -> (Manifest, Vec<u8>) {
    evidence::sealed(test_support::agent(), CommandId::from_slice(&[0xc0; 16]).unwrap())
}

fn checked(container: &[u8]) -> Checked {
    check(&sealed().0, &mut &*container).unwrap()
}

#[test]
fn a_name_is_a_file_name_and_nothing_else() {
    for good in ["a", "agent.json", "executable.1.bin", &"x".repeat(NAME_CHARS_MAX)] {
        assert!(EntryName::parse(good).is_some(), "{good}");
    }
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    for bad in ["", ".", "..", "-rf", "a/b", "/etc", "A", "a b", "a\0", "é", "_a", "1", &long] {
        assert!(EntryName::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_header_is_what_tar_reads() {
    let name = EntryName::parse("agent.json").unwrap();
    let block = header(&name, 1_000, Timestamp::from_ns(1_764_001_000_000_000_000)).unwrap();
    let mut shown = String::new();
    for (at, end) in
        [(0, 11), (100, 108), (124, 136), (136, 148), (148, 156), (156, 157), (257, 265)]
    {
        writeln!(shown, "{at:3} {}", String::from_utf8_lossy(&block[at..end]).escape_debug())
            .unwrap();
    }
    expect![[r#"
          0 agent.json\0
        100 0000400\0
        124 00000001750\0
        136 15111102350\0
        148 007753\0 
        156 0
        257 ustar\000
    "#]]
    .assert_eq(&shown);
    assert_eq!(block.len(), BLOCK_BYTES);
}

#[test]
fn what_was_taken_is_whole() {
    let (manifest, container) = sealed();
    let checked = check(&manifest, &mut &*container).unwrap();
    assert!(checked.is_whole(), "{checked:?}");
    let states: Vec<_> =
        checked.entries.iter().map(|(name, it)| format!("{name} {it:?}")).collect();
    let expect =
        expect!["agent.json Same, processes.jsonl Same, bpf.jsonl Missed, mounts.txt Same"];
    expect.assert_eq(&states.join(", "));
}

#[test]
fn every_flipped_byte_is_noticed_and_told_of_the_entry_that_it_lies_in() {
    let (manifest, container) = sealed();
    let mut end = 0;
    let mut owners = vec![None; container.len()];
    for entry in &manifest.entries {
        let begin = end;
        end += usize::try_from(entry.packed_bytes).unwrap();
        owners[begin..end].fill(Some(entry.name.clone()));
    }
    for at in 0..container.len() {
        let mut damaged = container.clone();
        damaged[at] ^= 0x40;
        let checked = checked(&damaged);
        assert!(!checked.is_whole(), "byte {at}");
        let bad = checked
            .entries
            .into_iter()
            .filter(|(_, it)| !matches!(it, State::Same | State::Missed));
        for (name, _) in bad {
            assert_eq!(Some(name), owners[at], "byte {at}");
        }
    }
}

#[test]
fn every_cut_and_every_addition_is_noticed() {
    let (_, container) = sealed();
    for cut in 0..container.len() {
        assert!(!checked(&container[..cut]).is_whole(), "cut at {cut}");
    }
    assert!(!checked(&[container.as_slice(), b"x"].concat()).is_whole());
}

proptest! {
    #[test]
    fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..4_096)) {
        prop_assert!(!checked(&bytes).is_whole());
    }
}
