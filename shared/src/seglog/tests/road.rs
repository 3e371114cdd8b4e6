//! The log on a disk that works: order, rotation, trimming, prefaces, two threads.

use std::{sync::Arc, thread};

use expect_test::expect;

use super::{
    DIR, Entry, Index, LogId, Options, Reader, SimDisk, Writer, fill, found, open, open_with,
    options, payload, seen,
};
use crate::{
    error::{Classify, Kind},
    seglog::{GapCause, RECORD_BYTES_MAX, RealDisk, SeglogError},
};

#[test]
fn records_come_back_in_order_over_segments_and_openings() {
    let disk = SimDisk::default();
    let (mut writer, recovery) = open(&disk);
    expect!["0..0, new"].assert_eq(&found(&recovery));
    fill(&mut writer, 20);
    expect!["0..20"].assert_eq(&seen(&writer.log(), 0));
    drop(writer);

    let (mut writer, recovery) = open(&disk);
    expect!["0..20"].assert_eq(&found(&recovery));
    fill(&mut writer, 25);
    expect!["3..25"].assert_eq(&seen(&writer.log(), 3));
    let firsts: Vec<_> = writer.log().segments().iter().map(|it| it.first.as_u64()).collect();
    assert_eq!(firsts, [0, 6, 12, 18, 20]);
}

#[test]
fn a_record_is_seen_once_it_is_flushed() {
    let (mut writer, _) = open(&SimDisk::default());
    let mut reader = writer.log().reader(Index::ZERO);
    writer.append(&payload(0)).unwrap();
    assert_eq!(reader.next_entry().unwrap(), None);
    writer.flush().unwrap();
    assert!(matches!(reader.next_entry().unwrap(), Some(Entry::Record(_))));
    assert_eq!((writer.log().flushed().as_u64(), writer.log().durable().as_u64()), (1, 0));
    assert_eq!(reader.next_entry().unwrap(), None);
}

#[test]
fn a_batch_keeps_its_bounds_and_has_one_entry_at_least() {
    let (mut writer, _) = open(&SimDisk::default());
    fill(&mut writer, 10);
    let mut reader = writer.log().reader(Index::ZERO);
    let mut take =
        |entries_max, bytes_max| reader.next_batch(entries_max, bytes_max).unwrap().len();
    assert_eq!([take(3, 10_000), take(3, 101), take(3, 1), take(0, 100)], [3, 2, 1, 0]);
    assert_eq!(take(100, 10_000), 4);
    reader.rewind(Index::from_u64(8));
    assert_eq!(reader.next_batch(9, 9_999).unwrap().len(), 2);
}

#[test]
fn a_payload_in_parts_is_one_record() {
    let (mut writer, _) = open(&SimDisk::default());
    writer.append_parts(&[b"agent", b"", b" and batch"]).unwrap();
    writer.flush().unwrap();
    let entry = writer.log().reader(Index::ZERO).next_entry().unwrap();
    let Some(Entry::Record(record)) = entry else { panic!("{entry:?}") };
    assert_eq!(record.payload, b"agent and batch"[..]);
}

#[test]
fn sizes_out_of_bounds_are_refused_and_the_largest_is_taken() {
    let (mut writer, _) = open(&SimDisk::default());
    for bytes in [0, RECORD_BYTES_MAX + 1] {
        assert_eq!(writer.append(&vec![1; bytes]).unwrap_err().kind(), Kind::TooLarge);
    }
    for _ in 0..3 {
        writer.append(&vec![1; RECORD_BYTES_MAX]).unwrap();
    }
    writer.sync().unwrap();
    let entries = writer.log().reader(Index::ZERO).next_batch(9, 10 * RECORD_BYTES_MAX).unwrap();
    assert_eq!(entries.len(), 3);
    let small = Options { segment_bytes_max: 1, ..options() };
    drop(writer);
    let disk = Arc::new(SimDisk::default());
    let error = Writer::open(disk, DIR.as_ref(), &small).unwrap_err();
    expect!["`segment_bytes_max` must be at least `SEGMENT_BYTES_MIN`"]
        .assert_eq(&error.to_string());
}

#[test]
fn sp_1_only_segments_below_what_is_acknowledged_are_deleted_and_never_the_newest() {
    let (mut writer, _) = open(&SimDisk::default());
    fill(&mut writer, 20);
    let log = writer.log();
    let trim = |before| log.trim(Index::from_u64(before)).unwrap().segments;
    assert_eq!([trim(0), trim(5), trim(6), trim(13)], [0, 0, 1, 1]);
    expect!["12..20"].assert_eq(&seen(&log, 12));
    expect!["gap 11..12 trimmed 12..20"].assert_eq(&seen(&log, 11));
    assert_eq!(trim(1_000), 1);
    expect!["18..20"].assert_eq(&seen(&log, log.oldest().as_u64()));
    assert_eq!(log.bytes_used(), 128 + 2 * 136);
}

#[test]
fn what_was_trimmed_is_no_loss_at_open_unless_somebody_needs_it() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 20);
    writer.log().trim(Index::from_u64(12)).unwrap();
    drop(writer);
    let check = |needed_from, want: expect_test::Expect| {
        let needed_from = Index::from_u64(needed_from);
        let (_writer, recovery) = open_with(&disk, &Options { needed_from, ..options() });
        want.assert_eq(&found(&recovery));
    };
    check(0, expect!["12..20"]);
    check(12, expect!["12..20"]);
    check(9, expect!["12..20, gap 9..12 missing"]);
}

#[test]
fn the_newest_preface_comes_back_and_two_are_kept() {
    let disk = SimDisk::default();
    let (mut writer, recovery) = open(&disk);
    assert_eq!(recovery.preface, None);
    for number in 0..40 {
        if writer.is_rotation_due(100) {
            writer.rotate(format!("state before {number}").as_bytes()).unwrap();
        }
        writer.append(&payload(number)).unwrap();
    }
    writer.sync().unwrap();
    writer.log().trim(Index::from_u64(40)).unwrap();
    let firsts: Vec<_> = writer.log().segments().iter().map(|it| it.first.as_u64()).collect();
    assert_eq!(firsts, [30, 36]);
    drop(writer);

    let (mut writer, recovery) = open(&disk);
    let preface = recovery.preface.unwrap();
    assert_eq!((preface.first.as_u64(), &*preface.bytes), (36, &b"state before 36"[..]));
    fill(&mut writer, 60);
    writer.log().trim(Index::from_u64(60)).unwrap();
    assert_eq!(writer.log().oldest().as_u64(), 30, "no newer preface, so the old ones stay");
    drop(writer);

    disk.flip(&super::segment(36), 130, 3);
    let (_writer, recovery) = open(&disk);
    expect!["30..60, 00000000000000000036.seg Preface"].assert_eq(&found(&recovery));
    assert_eq!(&*recovery.preface.unwrap().bytes, b"state before 30");
}

#[test]
fn an_empty_segment_takes_the_newer_preface() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    writer.rotate(b"first").unwrap();
    writer.rotate(b"second").unwrap();
    fill(&mut writer, 3);
    drop(writer);
    let (writer, recovery) = open(&disk);
    assert_eq!(&*recovery.preface.unwrap().bytes, b"second");
    expect!["0..3"].assert_eq(&seen(&writer.log(), 0));
}

#[test]
fn a_reader_in_another_thread_sees_all_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 64 << 10, ..options() };
    let path = dir.path().join("log");
    let (mut writer, _) = Writer::open(Arc::new(RealDisk), &path, &options).unwrap();
    let mut reader: Reader = writer.log().reader(Index::ZERO);
    let reading = thread::spawn(move || {
        let mut next = 0;
        while next < 5_000 {
            let entries = reader.next_batch(64, 1 << 20).unwrap();
            if entries.is_empty() {
                thread::yield_now();
            }
            for entry in entries {
                let Entry::Record(record) = entry else { panic!("{entry:?}") };
                assert_eq!(record.payload, payload(next));
                next += 1;
            }
        }
    });
    for number in 0..5_000 {
        writer.append(&payload(number)).unwrap();
        if number % 7 == 0 {
            writer.flush().unwrap();
        }
        if number % 1_000 == 0 {
            writer.sync().unwrap();
        }
    }
    writer.flush().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_real_directory_is_taken_once_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let open = || Writer::open(Arc::new(RealDisk), &path, &options());
    let (mut writer, _) = open().unwrap();
    fill(&mut writer, 30);
    let error = open().unwrap_err();
    assert!(matches!(error, SeglogError::Locked { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Busy);
    let log = writer.log();
    drop(writer);
    assert_eq!(open().unwrap_err().kind(), Kind::Busy, "a handle is left");
    drop(log);
    let (writer, recovery) = open().unwrap();
    expect!["0..30"].assert_eq(&found(&recovery));
    writer.log().trim(Index::from_u64(7)).unwrap();
    expect!["gap 0..6 trimmed 6..30"].assert_eq(&seen(&writer.log(), 0));
}

#[test]
fn a_log_that_was_emptied_goes_on_where_its_consumers_stand() {
    let disk = SimDisk::default();
    let next_min = Index::from_u64(500);
    let opened = Options { needed_from: Index::from_u64(450), next_min, ..options() };
    let (mut writer, recovery) = open_with(&disk, &opened);
    expect!["500..500, new, gap 450..500 missing"].assert_eq(&found(&recovery));
    fill(&mut writer, 503);
    expect!["gap 480..500 missing 500..503"].assert_eq(&seen(&writer.log(), 480));
}

#[test]
fn names_and_causes_print_as_people_write_them() {
    assert_eq!(LogId::from_bytes([0xab; 16]).to_string(), "ab".repeat(16));
    assert_eq!(Index::from_u64(17).to_string(), "17");
    assert_eq!(GapCause::Trimmed.as_str(), "trimmed");
}
