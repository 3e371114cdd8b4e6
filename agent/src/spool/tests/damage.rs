//! A spool whose files were damaged or cut from outside: what is missing is told, and nothing else.

use std::path::Path;

use cordon_shared::{
    batch::Sealed,
    event::health::LossCause,
    id::Lane,
    seglog::{Errno, Fault, Op},
};

use super::{Bench, Shed, disk::segments};

#[test]
fn f_10_a_flipped_bit_costs_the_batch_that_it_hit_and_is_told() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..5).map(|_| bench.push(Lane::Network, 4).0).collect();
    bench.spool().sync();
    let paths = bench.disk.paths();
    let is_segment = |it: &&std::path::PathBuf| {
        it.starts_with("/spool/network") && it.extension().is_some_and(|it| it == "seg")
    };
    let path = paths.iter().find(is_segment).expect("there is a segment").clone();
    let bytes = bench.disk.bytes_of(&path).expect("it has bytes");
    let needle = batches[2].bytes();
    let at = bytes.windows(needle.len()).position(|it| it == needle).expect("it was written");
    bench.disk.flip(&path, at + 100, 3);
    bench.reopen();
    let kept = bench.lease(Lane::Network, 99);
    assert_eq!(kept, [&batches[..2], &batches[3..]].concat());
    let lost = *batches[2].header();
    let range = Some((lost.epoch(), lost.first_seq(), lost.last_seq()));
    let lost = Shed { lane: Lane::Network, cause: LossCause::Corrupt, range, count: 4 };
    assert_eq!(bench.spool().owed(), [lost]);
    // A lost connection and a restart meet the same gap again: it is told once.
    bench.spool().rewind();
    assert_eq!(bench.lease(Lane::Network, 99).len(), 4);
    bench.reopen();
    assert_eq!(bench.lease(Lane::Network, 99).len(), 4);
    assert_eq!(bench.spool().owed(), [lost]);
}

/// Cuts a lane's log before the record of `first_lost`: it and all after it are gone.
fn cut(bench: &Bench, lane: &str, first_lost: &Sealed) {
    let needle = first_lost.bytes();
    let folder = Path::new("/spool").join(lane);
    let mut segments: Vec<_> =
        bench.disk.paths().into_iter().filter(|it| it.starts_with(&folder)).collect();
    segments.sort();
    let mut is_past = false;
    for path in segments {
        let bytes = bench.disk.bytes_of(&path).expect("it has bytes");
        if is_past {
            bench.disk.delete(&path);
        } else if let Some(at) = bytes.windows(needle.len()).position(|it| it == needle) {
            bench.disk.put(&path, &bytes[..at - 32]);
            is_past = true;
        }
    }
    assert!(is_past, "it was written");
}

fn lost(from: &Sealed, until: &Sealed) -> Shed {
    let (from, until) = (from.header(), until.header());
    let count = until.last_seq().as_u64() + 1 - from.first_seq().as_u64();
    let range = Some((from.epoch(), from.first_seq(), until.last_seq()));
    Shed { lane: from.lane(), cause: LossCause::Corrupt, range, count }
}

#[test]
fn f_10_durable_batches_that_were_cut_off_are_told_exactly_and_once() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..6).map(|_| bench.keep(Lane::Critical, 4)).collect();
    bench.spool().sync();
    bench.spool = None;
    cut(&bench, "critical", &batches[3]);
    bench.reopen();
    assert_eq!(bench.lease(Lane::Critical, 99), batches[..3]);
    assert_eq!(bench.spool().owed(), [lost(&batches[3], &batches[5])]);
    // Whatever comes after does not tell it again.
    let next = bench.keep(Lane::Critical, 1);
    bench.spool().sync();
    bench.reopen();
    assert_eq!(bench.lease(Lane::Critical, 99), [&batches[..3], &[next]].concat());
    assert_eq!(bench.spool().owed(), [lost(&batches[3], &batches[5])]);
}

#[test]
fn f_10_what_was_acknowledged_before_it_was_cut_off_is_not_told() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..6).map(|_| bench.keep(Lane::File, 4)).collect();
    assert_eq!(bench.lease(Lane::File, 4).len(), 4);
    bench.ack(&batches[3]);
    bench.spool().sync();
    bench.spool = None;
    cut(&bench, "file", &batches[2]);
    bench.reopen();
    assert_eq!(bench.lease(Lane::File, 99), []);
    assert_eq!(bench.spool().owed(), [lost(&batches[4], &batches[5])]);
}

#[test]
fn f_10_a_cut_through_several_epochs_is_told_exactly() {
    let mut bench = Bench::new(1 << 20);
    let mut batches = Vec::new();
    for is_synced in [true, false, true] {
        batches.extend((0..2).map(|_| bench.keep(Lane::Network, 3)));
        if is_synced {
            bench.spool().sync();
        }
        bench.reopen();
    }
    bench.spool().sync();
    bench.spool = None;
    cut(&bench, "network", &batches[1]);
    bench.reopen();
    assert_eq!(bench.lease(Lane::Network, 99), batches[..1]);
    let wanted = [
        lost(&batches[1], &batches[1]),
        lost(&batches[2], &batches[3]),
        lost(&batches[4], &batches[5]),
    ];
    assert_eq!(bench.spool().owed(), wanted);
}

#[test]
fn f_10_a_cut_through_more_epochs_than_are_marked_claims_no_numbers_that_it_does_not_know() {
    let mut bench = Bench::new(1 << 20);
    let mut batches = Vec::new();
    for _ in 0..20 {
        batches.push(bench.keep(Lane::Network, 3));
        bench.spool().sync();
        bench.reopen();
    }
    bench.spool().sync();
    bench.spool = None;
    cut(&bench, "network", &batches[1]);
    bench.reopen();
    assert_eq!(bench.lease(Lane::Network, 99), batches[..1]);
    let mut owed = bench.spool().owed();
    // The epochs of batches 1 to 3 are forgotten; of the next one it is not known where it began.
    let unknown = Shed { lane: Lane::Network, cause: LossCause::Corrupt, range: None, count: 4 };
    assert_eq!(owed.remove(0), unknown);
    let exact: Vec<_> = batches[5..].iter().map(|it| lost(it, it)).collect();
    assert_eq!(owed, exact);
}

#[test]
fn f_10_without_its_marks_a_spool_opens_and_claims_no_loss() {
    for damage in 0..3 {
        let mut bench = Bench::new(1 << 20);
        let batches: Vec<_> = (0..4).map(|_| bench.keep(Lane::Critical, 4)).collect();
        assert_eq!(bench.lease(Lane::Critical, 1), batches[..1]);
        bench.ack(&batches[0]);
        bench.spool().sync();
        bench.spool = None;
        let marks = Path::new("/spool/marks");
        match damage {
            0 => bench.disk.delete(marks),
            1 => bench.disk.put(marks, b"CDNM"),
            _ => bench.disk.flip(marks, 40, 3),
        }
        bench.reopen();
        assert_eq!(bench.lease(Lane::Critical, 99), batches[1..]);
        assert_eq!(bench.spool().owed(), []);
        // It knows again what it saw.
        bench.spool().sync();
        bench.spool = None;
        cut(&bench, "critical", &batches[3]);
        bench.reopen();
        assert_eq!(bench.lease(Lane::Critical, 99), batches[1..3]);
        assert_eq!(bench.spool().owed(), [lost(&batches[3], &batches[3])]);
    }
}

/// What is owed when nobody knows what a book said: of every lane, so many as nobody knows.
fn unknown() -> Vec<Shed> {
    let of = |lane| Shed { lane, cause: LossCause::Corrupt, range: None, count: 0 };
    Lane::ALL.map(of).into()
}

/// Ways in which a book comes to say nothing, or less than it did.
const BOOK_DAMAGES: [fn(&Bench, &Path); 5] = [
    |bench, book| [16, (28 << 10) + 16].into_iter().for_each(|it| bench.disk.flip(book, it, 0)),
    |bench, book| {
        let newest = |at: usize| bench.disk.bytes_of(book).map(|it| it[at + 8]);
        let at = if newest(0) > newest(28 << 10) { 0 } else { 28 << 10 };
        bench.disk.flip(book, at + 16, 0);
    },
    |bench, book| bench.disk.put(book, &[0; 56 << 10]),
    |bench, book| bench.disk.put(book, &bench.disk.bytes_of(book).expect("is there")[..28 << 10]),
    |bench, book| bench.disk.delete(book),
];

#[test]
fn f_11_a_damaged_book_is_told_of_and_costs_nothing_that_is_there() {
    for (number, damage) in BOOK_DAMAGES.into_iter().enumerate() {
        let mut bench = Bench::new(1 << 20);
        let mut batches = Vec::new();
        while segments(&bench, "network").len() < 4 {
            batches.push(bench.keep(Lane::Network, 50));
        }
        let mut acked = 0;
        while segments(&bench, "network").len() > 2 {
            let batch = bench.lease(Lane::Network, 1).remove(0);
            bench.ack(&batch);
            acked += 1;
        }
        bench.spool().sync();
        bench.spool = None;
        damage(&bench, Path::new("/spool/book"));
        // Once more, and it is neither doubled nor forgotten.
        for _ in 0..2 {
            bench.reopen();
            assert_eq!(bench.lease(Lane::Network, usize::MAX), batches[acked..], "damage {number}");
            assert_eq!(bench.spool().owed(), unknown(), "damage {number}");
        }
    }
}

#[test]
fn f_11_a_loss_that_only_the_book_knew_is_not_hidden_by_damage_to_it() {
    let mut bench = Bench::new(1 << 20);
    bench.keep(Lane::Critical, 1);
    bench.disk.fail(Fault { op: Some(Op::Write), skip: 0, times: 1, errno: Errno::Io });
    bench.push(Lane::Critical, 4);
    bench.spool().sync();
    assert_eq!(bench.spool().owed().len(), 1);
    bench.spool = None;
    BOOK_DAMAGES[0](&bench, Path::new("/spool/book"));
    bench.reopen();
    assert_eq!(bench.spool().owed(), unknown());
}

#[test]
fn sp_1_what_is_acknowledged_is_not_trimmed_before_the_book_says_so() {
    let mut bench = Bench::new(1 << 20);
    while segments(&bench, "file").len() < 4 {
        bench.keep(Lane::File, 200);
    }
    bench.spool().sync();
    let batches = bench.lease(Lane::File, usize::MAX);
    for _ in 0..2 {
        bench.disk.fail(Fault { op: Some(Op::Write), skip: 0, times: 999, errno: Errno::Io });
        batches.iter().for_each(|it| bench.ack(it));
        assert_eq!(segments(&bench, "file").len(), 4, "a restart would tell them lost");
        bench.disk.heal();
        bench.reopen();
        assert_eq!(bench.lease(Lane::File, usize::MAX), batches);
    }
    bench.disk.fail(Fault { op: Some(Op::Write), skip: 0, times: 999, errno: Errno::Io });
    batches.iter().for_each(|it| bench.ack(it));
    bench.disk.heal();
    // What was done with and stayed goes as soon as the book can be written.
    bench.spool().sync();
    assert_eq!(segments(&bench, "file").len(), 1);
    bench.reopen();
    assert_eq!(bench.lease(Lane::File, usize::MAX), []);
    assert_eq!(bench.spool().owed(), []);
}

#[test]
fn f_8_a_book_that_was_not_synced_is_written_again_before_anything_is_let_go() {
    let mut bench = Bench::new(1 << 20);
    let mut batches = Vec::new();
    while segments(&bench, "file").len() < 4 {
        batches.push(bench.keep(Lane::File, 200));
    }
    bench.spool().sync();
    assert_eq!(bench.lease(Lane::File, usize::MAX), batches);
    bench.disk.fail(Fault { op: Some(Op::Sync), skip: 0, times: 1, errno: Errno::Io });
    let acked = batches.len() - 1;
    bench.ack(&batches[acked - 1]);
    assert_eq!(segments(&bench, "file").len(), 4);
    bench.spool().sync();
    assert_eq!(segments(&bench, "file").len(), 1);
    bench.spool = None;
    // Nothing stays that was not synced.
    bench.disk.power_loss(|| 0);
    bench.reopen();
    assert_eq!(bench.lease(Lane::File, usize::MAX), batches[acked..]);
    assert_eq!(bench.spool().owed(), []);
}
