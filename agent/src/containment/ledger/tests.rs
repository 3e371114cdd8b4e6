//! The file over damage, and what a restart makes of what lies there.

use std::fmt::Write as _;

use cordon_shared::durable;
use expect_test::expect;
use proptest::prelude::{any, proptest};

use super::*;
use crate::containment::files::Found;

fn id(byte: u8) -> LedgerId {
    LedgerId::from_slice(&[byte; 16]).unwrap()
}

fn command(byte: u8) -> CommandId {
    CommandId::from_slice(&[byte; 16]).unwrap()
}

fn kept() -> Kept {
    let path = Text::from(b"/tmp/x\xff\n\"".as_slice());
    let attributes = Attributes {
        mode: 0o4755,
        uid: 1_000,
        gid: 100,
        modified: Timestamp::from_ns(-7),
        extended: vec![(Text::from("user.x"), Text::from(b"\0\xff".as_slice()))],
        is_cut: false,
    };
    let file = FileIs { path, device: 8, inode: 99, sha256: Sha256::of(b"before") };
    Kept { file, size_bytes: 6, attributes }
}

fn changes() -> [Change; 3] {
    let (kept, after) = (kept(), Sha256::of(b"after"));
    let link = Link { path: Text::from("/etc/a"), target: Text::from("../b") };
    [
        Change::Taken { kept: kept.clone(), is_removal: true },
        Change::Cut { kept, line: Text::from("* * * * * x"), after },
        Change::Unlinked(link),
    ]
}

fn entry(byte: u8, change: Change, state: State) -> Entry {
    let incident = IncidentId::from_slice(&[3; 16]);
    let at = Timestamp::from_ns(5);
    Entry { id: id(byte), command: command(1), incident, at, change, state }
}

#[test]
fn what_was_put_in_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let states = [State::Begun, State::Done, State::Void];
    let undo = [State::Undoing(command(2)), State::Undone(command(2))];
    let all = states.into_iter().chain(undo).zip(changes().into_iter().cycle());
    let entries: Vec<_> = (1..).zip(all).map(|(at, (state, it))| entry(at, it, state)).collect();
    Ledger::open(path.clone()).unwrap().begin(entries.clone()).unwrap();
    assert_eq!(Ledger::open(path.clone()).unwrap().entries(), entries);
    let mut ledger = Ledger::open(path.clone()).unwrap();
    ledger.mark(&[(id(1), State::Void), (id(77), State::Done)]).unwrap();
    assert_eq!(Ledger::open(path).unwrap().find(id(1)).unwrap().state, State::Void);
}

#[test]
fn a_damaged_ledger_is_set_aside_and_never_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let [taken, ..] = changes();
    Ledger::open(path.clone()).unwrap().begin(vec![entry(1, taken, State::Done)]).unwrap();
    let good = std::fs::read(&path).unwrap();
    for cut in [0, 5, good.len() / 2, good.len() - 1] {
        durable::write(&path, &good[..cut], durable::MODE_SECRET).unwrap();
        let ledger = Ledger::open(path.clone()).unwrap();
        let aside = ledger.set_aside().unwrap();
        assert_eq!(std::fs::read(aside).unwrap(), &good[..cut]);
        assert!(ledger.entries().is_empty() && !path.try_exists().unwrap());
    }
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 4, "each under a name of its own");
}

proptest! {
    #[test]
    fn a_flipped_bit_is_damage(at in any::<usize>(), bit in 0..8_u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let [_, cut, _] = changes();
        Ledger::open(path.clone()).unwrap().begin(vec![entry(1, cut, State::Done)]).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        durable::write(&path, &bytes, durable::MODE_SECRET).unwrap();
        assert!(matches!(file::read(&path), Err(FileError::Damaged { .. })));
    }
}

#[test]
fn a_full_ledger_forgets_what_is_over_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path().join("ledger")).unwrap();
    let [_, _, link] = changes();
    let many = |count: usize, state| {
        let named = |at: usize| LedgerId::from_slice(&(at as u128 + 1).to_be_bytes()).unwrap();
        (0..count).map(|at| Entry { id: named(at), ..entry(1, link.clone(), state) }).collect()
    };
    ledger.begin(many(ENTRIES_MAX, State::Done)).unwrap();
    let one = entry(0xee, link.clone(), State::Begun);
    assert!(matches!(ledger.begin(vec![one.clone()]), Err(FileError::Full)));
    let first = ledger.entries()[0].id;
    ledger.mark(&[(first, State::Undone(command(2)))]).unwrap();
    ledger.begin(vec![one]).unwrap();
    assert_eq!(ledger.entries().len(), ENTRIES_MAX);
    assert!(ledger.find(first).is_none());
}

fn file_of(contents: &[u8]) -> Look {
    let file = FileIs { sha256: Sha256::of(contents), ..kept().file };
    let attributes = Attributes::default();
    let (size_bytes, names, package, is_own) = (6, 1, None, false);
    Look::File(Box::new(Found { file, size_bytes, names, attributes, package, is_own }))
}

#[test]
fn f_37_what_lies_there_says_how_far_an_entry_got() {
    let mut table = String::new();
    let looks = [("nothing", Look::Nothing), ("before", file_of(b"before"))];
    let looks = looks.into_iter().chain([("after", file_of(b"after")), ("else", file_of(b"z"))]);
    let looks: Vec<_> = looks.collect();
    let keeps = [("kept", Some(Sha256::of(b"before"))), ("not kept", None)];
    for change in &changes()[..2] {
        let name = if matches!(change, Change::Cut { .. }) { "cut" } else { "taken" };
        for (there, look) in &looks {
            for (shelf, kept) in keeps {
                let state = |state| {
                    let scene = Scene { look: look.clone(), target: None, kept };
                    let settled = settled(&entry(1, change.clone(), state), &scene);
                    format!("{settled:?}").split('(').next().unwrap().to_owned()
                };
                let (begun, undoing) = (state(State::Begun), state(State::Undoing(command(2))));
                writeln!(table, "{name}: {there}, {shelf}: {begun}, {undoing}").unwrap();
            }
        }
    }
    let [_, _, link] = changes();
    for target in [None, Some("../b"), Some("../c")] {
        let state = |state| {
            let look = if target.is_some() { file_of(b"z") } else { Look::Nothing };
            let scene = Scene { look, target: target.map(Text::from), kept: None };
            let settled = settled(&entry(1, link.clone(), state), &scene);
            format!("{settled:?}").split('(').next().unwrap().to_owned()
        };
        let (begun, undoing) = (state(State::Begun), state(State::Undoing(command(2))));
        writeln!(table, "link: {}: {begun}, {undoing}", target.unwrap_or("none")).unwrap();
    }
    expect![[r#"
        taken: nothing, kept: Done, Done
        taken: nothing, not kept: Void, Undoing
        taken: before, kept: Void, Undone
        taken: before, not kept: Void, Undone
        taken: after, kept: Done, Done
        taken: after, not kept: Void, Undoing
        taken: else, kept: Done, Done
        taken: else, not kept: Void, Undoing
        cut: nothing, kept: Begun, Undoing
        cut: nothing, not kept: Void, Undoing
        cut: before, kept: Void, Undone
        cut: before, not kept: Void, Undone
        cut: after, kept: Done, Done
        cut: after, not kept: Done, Done
        cut: else, kept: Begun, Undoing
        cut: else, not kept: Void, Undoing
        link: none: Done, Done
        link: ../b: Void, Undone
        link: ../c: Void, Undoing
    "#]]
    .assert_eq(&table);
}
