//! The ledger: what a damaged, cut or absent slot reads as (F-11).

use std::{path::Path, sync::Arc};

use super::{DIR, Index, SimDisk};
use crate::seglog::{Errno, Fault, LEDGER_NAMES_MAX, Ledger, LedgerState, Op};

fn open(disk: &SimDisk) -> (Option<u64>, LedgerState, Ledger) {
    let (ledger, state) = Ledger::open(Arc::new(disk.clone()), Path::new(DIR), "at").unwrap();
    (ledger.get("lake").map(Index::as_u64), state, ledger)
}

/// A ledger that was saved at 10 and then at 20: slots `at.1` and `at.0`.
fn saved() -> SimDisk {
    let disk = SimDisk::default();
    let (_, _, mut ledger) = open(&disk);
    for position in [10, 20] {
        ledger.set("lake", Index::from_u64(position)).unwrap();
        ledger.save().unwrap();
    }
    disk.power_loss(|| 0);
    disk
}

#[test]
fn f_11_absent_whole_older_and_corrupt_are_told_apart() {
    let see = |disk: &SimDisk| {
        let (position, state, _) = open(disk);
        (position, state)
    };
    assert_eq!(see(&SimDisk::default()), (None, LedgerState::Absent));
    let disk = saved();
    assert_eq!(see(&disk), (Some(20), LedgerState::Whole));
    disk.flip(&Path::new(DIR).join("at.0"), 9, 1);
    assert_eq!(see(&disk), (Some(10), LedgerState::Older));
    disk.flip(&Path::new(DIR).join("at.1"), 9, 1);
    assert_eq!(see(&disk), (None, LedgerState::Corrupt));
}

#[test]
fn f_11_every_cut_of_a_slot_is_damage() {
    let disk = saved();
    let path = Path::new(DIR).join("at.0");
    let whole = disk.bytes_of(&path).unwrap();
    for cut in 0..whole.len() {
        disk.put(&path, &whole[..cut]);
        let (position, state, _) = open(&disk);
        assert_eq!((position, state), (Some(10), LedgerState::Older), "cut at {cut}");
    }
}

#[test]
fn a_save_that_fails_leaves_a_whole_one() {
    for skip in 0..5 {
        let disk = saved();
        let (_, _, mut ledger) = open(&disk);
        ledger.set("lake", Index::from_u64(30)).unwrap();
        disk.fail(Fault { op: None, skip, times: 1, errno: Errno::Io });
        assert!(ledger.save().is_err(), "operation {skip}");
        disk.power_loss(|| 0);
        let (position, _, _) = open(&disk);
        assert!(position == Some(20) || position == Some(30), "operation {skip}: {position:?}");
        ledger.save().unwrap();
        disk.power_loss(|| 0);
        assert_eq!(open(&disk).0, Some(30));
    }
    let disk = saved();
    disk.fail(Fault { op: Some(Op::Read), skip: 0, times: 1, errno: Errno::Io });
    assert_eq!(open(&disk).0, Some(20), "a read that is refused once is tried again");
}

#[test]
fn names_out_of_bounds_and_too_many_are_refused() {
    let (_, _, mut ledger) = open(&SimDisk::default());
    assert!(ledger.set("", Index::ZERO).is_err());
    assert!(ledger.set(&"n".repeat(65), Index::ZERO).is_err());
    for number in 0..LEDGER_NAMES_MAX {
        ledger.set(&format!("{number}"), Index::ZERO).unwrap();
    }
    assert!(ledger.set("one more", Index::ZERO).is_err());
    ledger.set("0", Index::from_u64(1)).unwrap();
    ledger.save().unwrap();
}
