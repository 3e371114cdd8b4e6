//! A spool on a disk that is full, refuses, or loses files: what is lost stands in the book, whatever
//! else fails, and over `kill -9`.

use std::path::{Path, PathBuf};

use cordon_shared::{
    batch::{Builder, Sealed, Source},
    event::health::LossCause,
    id::Lane,
    seglog::{Errno, Fault, Op},
    test_support::origin,
};

use super::{Bench, Fate};

/// Lets the disk hold this much more than it holds now.
fn bound(bench: &Bench, bytes_more: usize) {
    let used: usize =
        bench.disk.paths().iter().filter_map(|it| bench.disk.bytes_of(it)).map(|it| it.len()).sum();
    bench.disk.set_bytes_max(Some(used + bytes_more));
}

fn events(batches: &[Sealed]) -> u64 {
    batches.iter().map(|it| it.header().count() as u64).sum()
}

fn owed(bench: &mut Bench, lane: Lane) -> u64 {
    bench.spool().owed().into_iter().filter(|it| it.lane == lane).map(|it| it.count).sum()
}

pub(super) fn segments(bench: &Bench, lane: &str) -> Vec<PathBuf> {
    let folder = Path::new("/spool").join(lane);
    let is_segment =
        |it: &PathBuf| it.starts_with(&folder) && it.extension().is_some_and(|it| it == "seg");
    bench.disk.paths().into_iter().filter(is_segment).collect()
}

#[test]
fn f_6_a_full_disk_takes_from_the_file_lane_first_and_the_spool_goes_on() {
    let mut bench = Bench::new(16 << 20);
    let mut files = 0;
    while segments(&bench, "file").len() < 4 {
        files += events(&[bench.keep(Lane::File, 200)]);
    }
    bound(&bench, 4_096);
    let mut critical = 0;
    for _ in 0..20 {
        critical += events(&[bench.keep(Lane::Critical, 100)]);
    }
    assert_eq!(owed(&mut bench, Lane::Critical), 0, "a greater lane paid for a lesser one");
    let kept = bench.lease(Lane::File, usize::MAX);
    assert!(events(&kept) < files, "the disk was never full");
    assert_eq!(events(&kept) + owed(&mut bench, Lane::File), files);
    let kept = bench.lease(Lane::Critical, usize::MAX);
    assert_eq!(events(&kept), critical);
}

#[test]
fn f_6_what_finds_no_room_is_owed_exactly_and_over_a_kill() {
    let mut bench = Bench::new(16 << 20);
    let first = bench.keep(Lane::Critical, 5);
    bound(&bench, 0);
    let (lost, fate) = bench.push(Lane::Critical, 7);
    assert_eq!(fate, Fate::Lost);
    assert_eq!(bench.push(Lane::Critical, 2).1, Fate::Lost);
    assert!(bench.spool().is_settled(), "the book takes no room");
    bench.disk.set_bytes_max(None);
    bench.reopen();
    let losses = bench.spool().owed();
    let (epoch, from, until) = losses[0].range.expect("the numbers are known");
    assert_eq!((losses.len(), losses[0].count), (1, 9));
    assert_eq!((epoch, from), (lost.header().epoch(), lost.header().first_seq()));
    assert_eq!(until.as_u64() + 1 - from.as_u64(), 9);
    assert_eq!(bench.lease(Lane::Critical, 99), [first], "what was told lost appeared");
}

#[test]
fn f_6_numbers_that_were_lost_are_not_given_again() {
    let mut bench = Bench::new(16 << 20);
    bench.keep(Lane::Network, 5);
    bound(&bench, 0);
    let (lost, _) = bench.push(Lane::Network, 3);
    bench.disk.set_bytes_max(None);
    let kept = bench.keep(Lane::Network, 1);
    assert_eq!(Some(kept.header().first_seq()), lost.header().last_seq().checked_add(1));
}

#[test]
fn f_6_a_source_does_not_go_back_before_a_batch_that_was_given_up() {
    let mut bench = Bench::new(16 << 20);
    bench.keep(Lane::Critical, 1);
    bound(&bench, 0);
    let (epoch, seq) = bench.spool().lane(Lane::Critical).next();
    let mut builder = Builder::new(Lane::Critical, epoch, seq, origin());
    builder.push(&bench.random.event(Lane::Critical), Source { epoch: 3, position: 20 });
    let batch = builder.seal().expect("one event");
    assert_eq!(bench.spool().push(&batch), Fate::Lost);
    bench.disk.set_bytes_max(None);
    bench.reopen();
    let resume = bench.spool().resume(Lane::Critical);
    assert_eq!(resume, Some(Source { epoch: 3, position: 20 }));
}

#[test]
fn f_6_a_declaration_without_room_leaves_the_loss_owed_and_burns_no_numbers() {
    let mut bench = Bench::new(16 << 20);
    bench.keep(Lane::Critical, 1);
    bound(&bench, 0);
    bench.push(Lane::File, 3);
    let (epoch, seq) = bench.spool().lane(Lane::Critical).next();
    let batch = bench.random.batch(Lane::Critical, epoch, seq, 1);
    assert_eq!(bench.spool().declare(&batch, 1), Fate::Lost);
    assert_eq!(owed(&mut bench, Lane::File), 3);
    assert_eq!(bench.spool().lane(Lane::Critical).next(), (epoch, seq));
    bench.disk.set_bytes_max(None);
    assert_eq!(bench.spool().declare(&batch, 1), Fate::Spooled);
    assert_eq!(bench.spool().owed(), []);
    bench.reopen();
    assert_eq!(bench.spool().owed(), []);
}

#[test]
fn f_6_a_declaration_that_is_lost_itself_is_made_again() {
    let mut bench = Bench::new(1 << 20);
    bench.keep(Lane::Critical, 1);
    bound(&bench, 0);
    bench.push(Lane::File, 3);
    bench.disk.set_bytes_max(None);
    let (epoch, seq) = bench.spool().lane(Lane::Critical).next();
    let declaration = bench.random.batch(Lane::Critical, epoch, seq, 1);
    assert_eq!(bench.spool().declare(&declaration, 1), Fate::Spooled);
    assert_eq!(owed(&mut bench, Lane::File), 0);
    // The quota takes the segment with the declaration.
    while owed(&mut bench, Lane::Critical) == 0 {
        bench.keep(Lane::Critical, 200);
    }
    assert_eq!(owed(&mut bench, Lane::File), 3);
}

/// A kill between any two writes of a declaration: it is there and no longer owed, or not there and
/// still owed.
#[test]
fn f_6_a_kill_while_declaring_declares_once() {
    for writes in 0..6 {
        let mut bench = Bench::new(16 << 20);
        bench.keep(Lane::Critical, 1);
        bound(&bench, 0);
        bench.push(Lane::File, 3);
        bench.disk.set_bytes_max(None);
        let (epoch, seq) = bench.spool().lane(Lane::Critical).next();
        let batch = bench.random.batch(Lane::Critical, epoch, seq, 1);
        bench.disk.fail(Fault { op: Some(Op::Write), skip: writes, times: 99, errno: Errno::Io });
        bench.spool().declare(&batch, 1);
        bench.spool = None;
        bench.disk.heal();
        bench.reopen();
        let is_there = bench.lease(Lane::Critical, 99).contains(&batch);
        assert_eq!(owed(&mut bench, Lane::File) == 0, is_there, "killed after {writes} writes");
    }
}

#[test]
fn nothing_is_let_go_while_the_book_cannot_be_written() {
    let mut bench = Bench::new(1 << 20);
    bench.keep(Lane::Critical, 1);
    bench.disk.fail(Fault { op: Some(Op::Write), skip: 0, times: 99, errno: Errno::Io });
    assert_eq!(bench.push(Lane::Critical, 4).1, Fate::Lost);
    assert!(!bench.spool().is_settled());
    bench.disk.heal();
    bench.spool().sync();
    assert!(bench.spool().is_settled());
    assert_eq!(owed(&mut bench, Lane::Critical), 4);
}

#[test]
fn a_disk_that_fails_costs_what_comes_and_nothing_that_is_there() {
    let mut bench = Bench::new(1 << 20);
    while segments(&bench, "file").len() < 3 {
        bench.keep(Lane::File, 200);
    }
    bench.disk.fail(Fault { op: Some(Op::Write), skip: 0, times: 1, errno: Errno::Io });
    assert_eq!(bench.push(Lane::Critical, 4).1, Fate::Lost);
    assert_eq!((owed(&mut bench, Lane::Critical), owed(&mut bench, Lane::File)), (4, 0));
    bench.keep(Lane::Critical, 4);
}

#[test]
fn f_9_a_segment_that_cannot_be_read_is_owed_and_the_others_are_served() {
    let mut bench = Bench::new(1 << 20);
    let mut batches = Vec::new();
    while segments(&bench, "network").len() < 3 {
        batches.push(bench.keep(Lane::Network, 50));
    }
    let second = segments(&bench, "network")[1].clone();
    bench.disk.spoil(&second, 0..u64::MAX);
    bench.reopen();
    let kept = bench.lease(Lane::Network, usize::MAX);
    assert!(kept.len() < batches.len() && kept.last() == batches.last());
    // What the log cannot rule out beyond its end is told too, without numbers.
    let exact: Vec<_> = bench.spool().owed().into_iter().filter(|it| it.range.is_some()).collect();
    assert_eq!((exact.len(), exact[0].cause), (1, LossCause::Corrupt));
    assert_eq!(events(&kept) + exact[0].count, events(&batches));
}

#[test]
fn f_12_a_segment_that_was_taken_away_is_owed_and_what_was_acknowledged_is_not() {
    let mut bench = Bench::new(1 << 20);
    let mut batches = Vec::new();
    while segments(&bench, "network").len() < 4 {
        batches.push(bench.keep(Lane::Network, 50));
    }
    // Everything of the first segment is acknowledged, and so is a part of the second.
    let mut acked = 0;
    while segments(&bench, "network").len() > 3 {
        let batch = bench.lease(Lane::Network, 1).remove(0);
        bench.ack(&batch);
        acked += 1;
    }
    bench.reopen();
    assert_eq!(bench.lease(Lane::Network, usize::MAX), batches[acked..]);
    assert_eq!(bench.spool().owed(), [], "what was acknowledged and trimmed was told lost");
    let oldest = segments(&bench, "network")[0].clone();
    bench.disk.delete(&oldest);
    bench.reopen();
    let kept = bench.lease(Lane::Network, usize::MAX);
    assert!(kept.len() < batches.len() - acked);
    assert!(owed(&mut bench, Lane::Network) > 0, "a whole segment vanished in silence");
}

#[test]
fn a_second_agent_is_refused() {
    let mut bench = Bench::new(1 << 20);
    let disk = std::sync::Arc::new(bench.disk.clone());
    let settings = super::Settings {
        folder: Path::new(super::FOLDER),
        bytes_max: 1 << 20,
        disk,
        entropy: &bench.entropy,
    };
    let error = super::Spool::open(&settings).expect_err("it is in use");
    assert_eq!(
        error.to_string(),
        "`/spool` is in use by another agent: stop it, or give this one its own `data_dir`"
    );
    bench.keep(Lane::Critical, 1);
}

#[test]
fn sp_1_what_cannot_be_read_when_it_is_shed_is_owed_all_the_same() {
    let mut bench = Bench::new(1 << 20);
    while segments(&bench, "file").len() < 3 {
        bench.keep(Lane::File, 200);
    }
    let records = bench.spool().lane(Lane::File).next_record();
    // As a process without a descriptor to spare: neither here nor told to be bad.
    bench.disk.fail(Fault { op: Some(Op::Read), skip: 0, times: 1, errno: Errno::NoSpace });
    assert!(bench.spool().shed_oldest(Lane::File));
    bench.disk.heal();
    let kept = bench.lease(Lane::File, usize::MAX).len() as u64;
    assert_eq!(kept + owed(&mut bench, Lane::File), records.as_u64(), "some went untold");
}
