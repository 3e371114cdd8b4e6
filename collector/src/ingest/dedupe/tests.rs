//! The table of verdicts; a naive model; snapshots.

use std::collections::HashSet;

use cordon_shared::{
    batch::Sealed,
    id::{EventSeq, Lane},
    seglog::PREFACE_BYTES_MAX,
    test_support::{Random, agent},
};
use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;

fn batch(epoch: u64, first: u64, count: usize) -> Sealed {
    let (epoch, first) = (Epoch::from_u64(epoch).unwrap(), EventSeq::from_u64(first).unwrap());
    Random::new(first.as_u64()).batch(Lane::Critical, epoch, first, count)
}

fn digest(batch: &Sealed) -> Sha256 {
    Sha256::of(batch.bytes())
}

/// Judges `first..first+count` where `stored` lies in the journal.
#[track_caller]
fn check(stored: &[(u64, usize)], asked: (u64, usize), expect: &Expect) {
    let mut known = Known::default();
    for (first, count) in stored {
        let batch = batch(7, *first, *count);
        known.add(agent(), batch.header(), digest(&batch), Source::Agent);
    }
    let batch = batch(7, asked.0, asked.1);
    expect.assert_eq(&format!("{:?}", known.judge(agent(), batch.header(), digest(&batch))));
}

#[test]
fn ig_1_what_is_new_is_stored_and_a_gap_is_counted() {
    check(&[], (1, 10), &expect!["Fresh { missing: 0 }"]);
    check(&[(1, 10)], (11, 5), &expect!["Fresh { missing: 0 }"]);
    check(&[(1, 10)], (15, 5), &expect!["Fresh { missing: 4 }"]);
    check(&[], (4, 1), &expect!["Fresh { missing: 3 }"]);
}

#[test]
fn ig_1_what_is_stored_is_not_stored_again() {
    check(&[(1, 10)], (1, 10), &expect!["Repeat { is_same: true }"]);
    check(&[(1, 10), (11, 10)], (1, 10), &expect!["Repeat { is_same: true }"]);
    check(&[(1, 10), (11, 10)], (5, 10), &expect!["Repeat { is_same: true }"]);
}

#[test]
fn ig_1_a_batch_that_is_half_stored_is_neither_stored_nor_acknowledged() {
    let refused = expect![[r#"Refused { reason: "some of its numbers are stored already" }"#]];
    check(&[(1, 10)], (10, 2), &refused);
    check(&[(5, 5)], (1, 5), &refused);
    check(&[(5, 5)], (1, 20), &refused);
}

#[test]
fn f_19_a_late_batch_fills_its_gap() {
    check(&[(1, 10), (21, 10)], (11, 10), &expect!["Fresh { missing: 0 }"]);
    check(&[(1, 10), (21, 10), (11, 10)], (11, 10), &expect!["Repeat { is_same: true }"]);
    check(&[(21, 10)], (1, 20), &expect!["Fresh { missing: 0 }"]);
}

#[test]
fn other_bytes_under_the_newest_numbers_are_noticed() {
    let mut known = Known::default();
    let batch = batch(7, 1, 10);
    known.add(agent(), batch.header(), Sha256::of(b"other"), Source::Agent);
    let verdict = known.judge(agent(), batch.header(), digest(&batch));
    assert_eq!(verdict, Verdict::Repeat { is_same: false });
}

#[test]
fn numbers_of_another_epoch_are_other_numbers() {
    let mut known = Known::default();
    let first = batch(7, 1, 10);
    known.add(agent(), first.header(), digest(&first), Source::Agent);
    let second = batch(8, 1, 10);
    let verdict = known.judge(agent(), second.header(), digest(&second));
    assert_eq!(verdict, Verdict::Fresh { missing: 0 });
}

#[test]
fn memory_is_bounded_by_epochs_and_by_ranges() {
    let mut known = Known::default();
    for epoch in 1..=200 {
        let batch = batch(epoch, 1, 1);
        known.add(agent(), batch.header(), digest(&batch), Source::Agent);
    }
    assert_eq!(known.positions().count(), EPOCHS_MAX);
    for number in 1..=200 {
        let batch = batch(200, 2 * number, 1);
        known.add(agent(), batch.header(), digest(&batch), Source::Agent);
    }
    let late = batch(200, 3, 1);
    let reason = "it is too old to tell whether it is stored already";
    assert_eq!(known.judge(agent(), late.header(), digest(&late)), Verdict::Refused { reason });
    let newest = batch(200, 400, 1);
    let verdict = known.judge(agent(), newest.header(), digest(&newest));
    assert_eq!(verdict, Verdict::Repeat { is_same: true });
}

#[test]
fn st_1_what_follows_a_hole_of_the_journal_is_not_vouched_for() {
    let mut known = Known::default();
    let add = |known: &mut Known, first, source| {
        let batch = batch(7, first, 10);
        known.add(agent(), batch.header(), digest(&batch), source);
    };
    let solid = |known: &Known| known.positions().map(|it| it.1.seq).collect::<Vec<_>>();
    add(&mut known, 1, Source::Agent);
    add(&mut known, 11, Source::Damaged);
    assert_eq!(solid(&known), [20]);
    // 21..=30 was lost; 31..=40 is stored.
    add(&mut known, 31, Source::Damaged);
    assert_eq!(solid(&known), [20]);
    assert_eq!(Known::from_bytes(&known.to_bytes(PREFACE_BYTES_MAX)), Some(known.clone()));
    // The agent goes on from where it was acknowledged.
    add(&mut known, 21, Source::Agent);
    assert_eq!(solid(&known), [30]);
    let again = batch(7, 31, 10);
    known.repeat(agent(), again.header(), digest(&again));
    assert_eq!(solid(&known), [40]);
}

#[test]
fn a_snapshot_reads_back_and_every_cut_is_none() {
    let mut known = Known::default();
    for (epoch, first) in [(7, 1), (7, 21), (8, 5)] {
        let batch = batch(epoch, first, 10);
        known.add(agent(), batch.header(), digest(&batch), Source::Agent);
    }
    let bytes = known.to_bytes(PREFACE_BYTES_MAX);
    assert_eq!(Known::from_bytes(&bytes), Some(known));
    for cut in 0..bytes.len() {
        assert_eq!(Known::from_bytes(&bytes[..cut]), None, "cut at {cut}");
    }
    assert_eq!(
        Known::from_bytes(&Known::default().to_bytes(PREFACE_BYTES_MAX)),
        Some(Known::default())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a set of single numbers: nothing is stored twice, and what is acknowledged is there.
    #[test]
    fn ig_1_any_order_of_batches_stores_each_number_once(
        asked in proptest::collection::vec((1_u64..3, 1_u64..60, 1_usize..12), 1..120)
    ) {
        let (mut known, mut stored) = (Known::default(), HashSet::new());
        for (epoch, first, count) in asked {
            let batch = batch(epoch, first, count);
            let last = first + count as u64;
            let here = (first..last).filter(|it| stored.contains(&(epoch, *it))).count();
            match known.judge(agent(), batch.header(), digest(&batch)) {
                Verdict::Fresh { .. } => {
                    assert_eq!(here, 0);
                    known.add(agent(), batch.header(), digest(&batch), Source::Agent);
                    stored.extend((first..last).map(|it| (epoch, it)));
                }
                Verdict::Repeat { .. } => assert_eq!(here, count),
                Verdict::Refused { .. } => assert!(here < count),
            }
            let again = Known::from_bytes(&known.to_bytes(PREFACE_BYTES_MAX));
            assert_eq!(again.as_ref(), Some(&known));
        }
    }

    #[test]
    fn any_bytes_are_a_snapshot_or_none(bytes in any::<Vec<u8>>()) {
        drop(Known::from_bytes(&bytes));
        drop(Known::from_bytes(&[b"CDNP\x01\0\0\0".as_slice(), &bytes].concat()));
    }
}
