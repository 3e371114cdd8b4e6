//! A spool whose files were damaged or cut from outside: what is missing is told, and nothing else.

use std::path::Path;

use cordon_shared::{batch::Sealed, event::health::LossCause, id::Lane};

use super::{Bench, Shed};

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
