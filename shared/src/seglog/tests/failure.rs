//! What a failing disk does: full (F-6, F-7), a failed sync (F-8), and every single operation in
//! turn.

use super::{DIR, Index, SimDisk, fill, open, options, payload, seen};
use crate::{
    error::{Classify, Kind},
    seglog::{Errno, Fault, Op, SeglogError, Writer},
};

fn once(op: Op, skip: u64) -> Fault {
    Fault { op: Some(op), skip, times: 1, errno: Errno::Io }
}

#[test]
fn f_7_a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 2);
    disk.set_bytes_max(Some(128 + 2 * 136 + 70));
    writer.append(&payload(2)).unwrap();
    for _ in 0..3 {
        let error = writer.sync().unwrap_err();
        assert!(matches!(error, SeglogError::Full { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Busy);
        assert_eq!(seen(&writer.log(), 0), "0..2");
    }
    assert_eq!(super::bytes_of(&disk, 0).len(), 128 + 2 * 136, "what was half written is cut");
    disk.heal();
    fill(&mut writer, 9);
    assert_eq!(seen(&writer.log(), 0), "0..9");
}

#[test]
fn f_7_a_full_disk_at_rotation_refuses_the_record_and_trimming_makes_room() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 12);
    disk.set_bytes_max(Some(128 + 12 * 136 + 128 + 60));
    let error = writer.append(&payload(12)).unwrap_err();
    assert!(matches!(error, SeglogError::Full { .. }), "{error}");
    assert_eq!(writer.next().as_u64(), 12);
    writer.log().trim(Index::from_u64(6)).unwrap();
    fill(&mut writer, 14);
    assert_eq!(seen(&writer.log(), 6), "6..14");
}

#[test]
fn f_8_a_failed_sync_gives_up_the_segment_and_loses_nothing() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 3);
    disk.fail(once(Op::Sync, 0));
    fill(&mut writer, 5);
    let log = writer.log();
    let firsts: Vec<_> = log.segments().iter().map(|it| it.first.as_u64()).collect();
    assert_eq!(firsts, [0, 3], "records 3 and 4 are in a new segment");
    assert_eq!(log.segments_abandoned(), 1);
    assert_eq!(seen(&log, 0), "0..5");
    drop((writer, log));
    disk.power_loss(|| 0);
    let (writer, recovery) = open(&disk);
    assert_eq!(recovery.next.as_u64(), 5);
    assert_eq!(seen(&writer.log(), 0), "0..5");
}

#[test]
fn f_8_a_segment_with_nothing_durable_is_replaced_under_its_name() {
    for op in [Op::Sync, Op::SyncDir] {
        let disk = SimDisk::default();
        let (mut writer, _) = open(&disk);
        writer.rotate(b"state").unwrap();
        disk.fail(once(op, 0));
        fill(&mut writer, 5);
        assert_eq!(writer.log().segments().len(), 1);
        drop(writer);
        disk.power_loss(|| 0);
        let (writer, recovery) = open(&disk);
        assert_eq!(seen(&writer.log(), 0), "0..5");
        assert_eq!(&*recovery.preface.unwrap().bytes, b"state");
    }
}

#[test]
fn f_8_while_the_disk_fails_nothing_is_called_durable_and_all_can_be_read() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 3);
    disk.fail(Fault { op: Some(Op::Sync), skip: 0, times: 3, errno: Errno::Io });
    for number in 3..5 {
        writer.append(&payload(number)).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(writer.sync().unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(writer.log().durable().as_u64(), 3);
        assert_eq!(seen(&writer.log(), 0), "0..5");
    }
    fill(&mut writer, 6);
    assert_eq!(seen(&writer.log(), 0), "0..6");
}

#[test]
fn f_8_a_failed_sync_is_not_forgotten_by_a_restart() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 3);
    disk.fail(Fault { op: Some(Op::Sync), skip: 0, times: 2, errno: Errno::Io });
    writer.append(&payload(3)).unwrap();
    assert!(writer.sync().is_err());
    drop(writer);
    let (_writer, recovery) = open(&disk);
    assert_eq!(recovery.next.as_u64(), 4, "the kernel still shows it");
    drop(_writer);
    disk.power_loss(|| 0);
    let (writer, recovery) = open(&disk);
    assert_eq!(recovery.next.as_u64(), 4, "what opening reported is durable");
    assert_eq!(seen(&writer.log(), 0), "0..4");
}

#[test]
fn f_8_what_cannot_be_read_back_is_named_and_the_log_goes_on() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 3);
    writer.append(&payload(3)).unwrap();
    writer.append(&payload(4)).unwrap();
    writer.flush().unwrap();
    writer.append(&payload(5)).unwrap();
    disk.flip(&super::segment(0), super::offset_of(0, 4) + 40, 0);
    disk.fail(once(Op::Sync, 0));
    let error = writer.sync().unwrap_err();
    assert_eq!(error.to_string(), "records 3 to 6 were lost before they were durable");
    fill(&mut writer, 8);
    assert_eq!(seen(&writer.log(), 0), "0..3 gap 3..6 missing 6..8");
    drop(writer);
    let (writer, _) = open(&disk);
    assert_eq!(seen(&writer.log(), 0), "0..3 gap 3..6 missing 6..8");
}

/// One run of everything, in which the operation after `skip` others fails; whether it came to it.
fn run_with_failure(skip: u64, errno: Errno) -> bool {
    let disk = SimDisk::default();
    disk.fail(Fault { op: None, skip, times: 1, errno });
    let (mut synced, mut trimmed, mut rounds) = (0, 0, 0);
    while rounds < 4 {
        let opened = Writer::open(std::sync::Arc::new(disk.clone()), DIR.as_ref(), &options());
        let Ok((mut writer, _)) = opened else { continue };
        rounds += 1;
        let log = writer.log();
        for _ in 0..8 {
            let number = writer.next().as_u64();
            if writer.append(&payload(number)).is_ok() && number.is_multiple_of(3) {
                drop(writer.flush());
            }
            if number.is_multiple_of(4)
                && let Ok(end) = writer.sync()
            {
                synced = end.as_u64();
            }
        }
        trimmed = synced / 2;
        drop(log.trim(Index::from_u64(trimmed)));
        let mut reader = log.reader(log.oldest().max(Index::from_u64(trimmed)));
        while let Some(entry) = reader.next_entry().unwrap_or(None) {
            let crate::seglog::Entry::Record(record) = entry else { panic!("{skip}: {entry:?}") };
            assert_eq!(record.payload, payload(record.index.as_u64()));
        }
        drop((reader, log, writer));
        if rounds % 2 == 0 {
            disk.power_loss(|| 1);
        }
    }
    let is_met = disk.ops() > skip;
    disk.heal();
    let (writer, recovery) = open(&disk);
    assert!(recovery.next.as_u64() >= synced, "operation {skip} failed: {recovery:?}");
    // What was trimmed may be there again, and not all of it.
    assert_eq!(seen(&writer.log(), trimmed), format!("{trimmed}..{}", recovery.next));
    is_met
}

#[test]
fn whichever_single_operation_fails_what_was_synced_is_there() {
    for errno in [Errno::Io, Errno::NoSpace] {
        let mut skip = 0;
        while run_with_failure(skip, errno) {
            skip += 1;
        }
        assert!(skip > 50, "the run was too short: {skip}");
    }
}
