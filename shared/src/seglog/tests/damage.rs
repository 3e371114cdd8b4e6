//! What damage costs: flipped bits, cut and deleted files, files of others, blocks that cannot be
//! read (F-9 to F-12). Each case says what opening reports and what a reader sees.

use expect_test::{Expect, expect};

use super::{
    DIR, GapCause, Index, LogId, Options, SimDisk, bytes_of, fill, found, offset_of, open,
    open_with, options, seen, segment,
};
use crate::{
    error::{Classify, Kind},
    seglog::{SeglogError, Writer},
};

/// Twenty durable records in segments that begin at 0, 6, 12 and 18; then the damage, an opening,
/// a reading from 0, three more records, another opening, another reading.
#[track_caller]
fn check(hurt: impl FnOnce(&SimDisk), want: &Expect) {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 20);
    drop(writer);
    hurt(&disk);
    let (mut writer, recovery) = open(&disk);
    let first = seen(&writer.log(), 0);
    let mut text = format!("{}\n{first}\n", found(&recovery));
    let until = writer.next().as_u64() + 3;
    fill(&mut writer, until);
    drop(writer);
    let (writer, recovery) = open(&disk);
    text += &format!("{}\n{}\n", found(&recovery), seen(&writer.log(), 0));
    want.assert_eq(&text);
}

#[test]
fn f_10_a_flipped_payload_costs_its_record() {
    check(
        |disk| disk.flip(&segment(6), offset_of(6, 8) + 50, 1),
        &expect![[r#"
        0..20
        0..8 gap 8..9 corrupt 9..20
        0..23
        0..8 gap 8..9 corrupt 9..23
    "#]],
    );
}

#[test]
fn f_10_a_flipped_header_costs_its_record() {
    check(
        |disk| disk.flip(&segment(6), offset_of(6, 8) + 5, 1),
        &expect![[r#"
        0..20
        0..8 gap 8..9 corrupt 9..20
        0..23
        0..8 gap 8..9 corrupt 9..23
    "#]],
    );
}

#[test]
fn f_10_a_flipped_end_mark_costs_nothing() {
    check(
        |disk| disk.flip(&segment(6), offset_of(6, 9) - 1, 1),
        &expect![[r#"
        0..20
        0..20
        0..23
        0..23
    "#]],
    );
}

#[test]
fn f_10_the_last_record_is_counted_when_its_payload_is_flipped() {
    check(
        |disk| disk.flip(&segment(18), offset_of(18, 19) + 50, 1),
        &expect![[r#"
        0..20, gap 19..20 corrupt
        0..19 gap 19..20 corrupt
        0..23
        0..19 gap 19..20 corrupt 20..23
    "#]],
    );
}

#[test]
fn f_10_the_last_record_is_counted_whatever_byte_of_its_header_is_flipped() {
    for byte in 0..32 {
        let disk = SimDisk::default();
        let (mut writer, _) = open(&disk);
        fill(&mut writer, 20);
        drop(writer);
        disk.flip(&segment(18), offset_of(18, 19) + byte, 1);
        let (writer, recovery) = open(&disk);
        assert_eq!(found(&recovery), "0..20, gap 19..20 corrupt", "byte {byte}");
        assert_eq!(seen(&writer.log(), 0), "0..19 gap 19..20 corrupt");
    }
}

#[test]
fn f_10_one_copy_of_a_segment_header_is_enough() {
    check(
        |disk| {
            disk.flip(&segment(6), 9, 0);
            disk.flip(&segment(12), 64 + 9, 0);
        },
        &expect![[r#"
            0..20
            0..20
            0..23
            0..23
        "#]],
    );
}

#[test]
fn f_10_records_are_read_without_a_segment_header() {
    check(
        |disk| {
            for first in [6, 18] {
                disk.flip(&segment(first), 9, 0);
                disk.flip(&segment(first), 64 + 9, 0);
            }
        },
        &expect![[r#"
            0..20, 00000000000000000006.seg Header, 00000000000000000018.seg Header
            0..20
            0..23, 00000000000000000006.seg Header
            0..23
        "#]],
    );
}

#[test]
fn f_10_nothing_is_believed_and_no_index_reused_when_no_header_is_left() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 20);
    drop(writer);
    for first in [0, 6, 12, 18] {
        disk.flip(&segment(first), 9, 0);
        disk.flip(&segment(first), 64 + 9, 0);
    }
    let new_log_id = LogId::from_bytes([1; 16]);
    let (mut writer, recovery) = open_with(&disk, &Options { new_log_id, ..options() });
    assert_eq!((recovery.is_new, recovery.damaged.len()), (false, 4));
    expect!["37..37"].assert_eq(&format!("{}..{}", recovery.oldest, recovery.next));
    fill(&mut writer, 40);
    expect!["gap 0..37 missing 37..40"].assert_eq(&seen(&writer.log(), 0));
}

#[test]
fn f_10_a_cut_older_segment_is_a_gap() {
    check(
        |disk| {
            let bytes = bytes_of(disk, 6);
            disk.put(&segment(6), &bytes[..offset_of(6, 8) + 7]);
        },
        &expect![[r#"
            0..20
            0..8 gap 8..12 corrupt 12..20
            0..23
            0..8 gap 8..12 corrupt 12..23
        "#]],
    );
}

#[test]
fn sp_3_a_torn_tail_is_cut_at_every_byte_and_never_handed_out() {
    for cut in 0..=136 {
        let disk = SimDisk::default();
        let (mut writer, _) = open(&disk);
        fill(&mut writer, 20);
        drop(writer);
        let bytes = bytes_of(&disk, 18);
        let at = offset_of(18, 19) + cut;
        disk.put(&segment(18), &bytes[..at]);
        let (writer, recovery) = open(&disk);
        let (end, torn) = match cut {
            0 => (19, None),
            136 => (20, None),
            _ => (19, Some(u64::try_from(cut).unwrap())),
        };
        assert_eq!(recovery.next.as_u64(), end, "cut at {cut}");
        assert_eq!(recovery.torn.map(|it| (it.at.as_u64(), it.bytes)), torn.map(|it| (19, it)));
        assert_eq!(seen(&writer.log(), 0), format!("0..{end}"));
        assert_eq!(recovery.gaps, []);
        assert_eq!(bytes_of(&disk, 18).len(), at - usize::try_from(torn.unwrap_or(0)).unwrap());
    }
}

#[test]
fn sp_3_zeros_at_the_end_are_cut() {
    check(
        |disk| {
            let mut bytes = bytes_of(disk, 18);
            bytes.resize(bytes.len() + 5_000, 0);
            disk.put(&segment(18), &bytes);
        },
        &expect![[r#"
            0..20, torn at 20 -5000
            0..20
            0..23
            0..23
        "#]],
    );
}

#[test]
fn f_12_a_deleted_segment_is_a_gap_with_its_range() {
    check(
        |disk| disk.delete(&segment(6)),
        &expect![[r#"
        0..20, gap 6..12 missing
        0..6 gap 6..12 missing 12..20
        0..23, gap 6..12 missing
        0..6 gap 6..12 missing 12..23
    "#]],
    );
}

#[test]
fn f_12_two_deleted_segments_are_one_gap() {
    check(
        |disk| {
            disk.delete(&segment(6));
            disk.delete(&segment(12));
        },
        &expect![[r#"
            0..20, gap 6..18 missing
            0..6 gap 6..18 missing 18..20
            0..23, gap 6..18 missing
            0..6 gap 6..18 missing 18..23
        "#]],
    );
}

#[test]
fn f_12_the_newest_segment_is_missed_by_who_stands_behind_it() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 20);
    drop(writer);
    disk.delete(&segment(18));
    let position = Index::from_u64(20);
    let needed_from = Index::from_u64(15);
    let (mut writer, recovery) =
        open_with(&disk, &Options { next_min: position, needed_from, ..options() });
    expect!["0..20, gap 18..20 missing"].assert_eq(&found(&recovery));
    fill(&mut writer, 22);
    expect!["0..18 gap 18..20 missing 20..22"].assert_eq(&seen(&writer.log(), 0));
}

#[test]
fn f_12_an_emptied_segment_is_a_gap() {
    check(
        |disk| disk.put(&segment(12), b""),
        &expect![[r#"
        0..20, gap 12..18 missing, 00000000000000000012.seg Empty
        0..12 gap 12..18 missing 18..20
        0..23, gap 12..18 missing, 00000000000000000012.seg Empty
        0..12 gap 12..18 missing 18..23
    "#]],
    );
}

#[test]
fn f_12_an_emptied_newest_segment_is_reported() {
    check(
        |disk| disk.put(&segment(18), b""),
        &expect![[r#"
        0..18, 00000000000000000018.seg Empty
        0..18
        0..21
        0..21
    "#]],
    );
}

#[test]
fn f_9_an_unreadable_block_costs_its_records() {
    check(
        |disk| {
            let at = u64::try_from(offset_of(6, 8)).unwrap();
            disk.spoil(&segment(6), at..at + 1);
        },
        &expect![[r#"
            0..20
            0..6 gap 6..12 unreadable 12..20
            0..23
            0..6 gap 6..12 unreadable 12..23
        "#]],
    );
}

#[test]
fn f_9_an_unreadable_newest_segment_is_neither_cut_nor_renumbered() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 20);
    drop(writer);
    let before = bytes_of(&disk, 18);
    disk.spoil(&segment(18), 200..201);
    let (mut writer, recovery) = open(&disk);
    expect!["0..26, gap 18..26 unreadable"].assert_eq(&found(&recovery));
    let next = writer.next().as_u64();
    fill(&mut writer, next + 2);
    assert_eq!(bytes_of(&disk, 18), before);
    disk.heal();
    drop(writer);
    let (writer, recovery) = open(&disk);
    expect!["0..28"].assert_eq(&found(&recovery));
    expect!["0..20 gap 20..26 missing 26..28"].assert_eq(&seen(&writer.log(), 0));
}

#[test]
fn a_segment_of_another_log_is_reported_and_its_name_given_up() {
    check(
        |disk| {
            let other = SimDisk::default();
            let new_log_id = LogId::from_bytes([9; 16]);
            let next_min = Index::from_u64(20);
            let (mut writer, _) = open_with(&other, &Options { new_log_id, next_min, ..options() });
            fill(&mut writer, 22);
            disk.put(&segment(20), &bytes_of(&other, 20));
        },
        &expect![[r#"
            0..20, 00000000000000000020.seg.aside OtherLog
            0..20
            0..23, stranger /log/00000000000000000020.seg.aside
            0..23
        "#]],
    );
}

#[test]
fn files_of_others_are_named_and_left_alone() {
    check(
        |disk| {
            let dir = std::path::Path::new(DIR);
            disk.put(&dir.join("lost+found"), b"x");
            disk.put(&dir.join("0000000000000000001.seg"), b"x");
            disk.put(&dir.join("00000000000000000099.seg.new"), b"x");
            disk.put(&dir.join("18446744073709551615.seg"), b"");
        },
        &expect![[r#"
            0..20, 18446744073709551615.seg Empty, stranger /log/0000000000000000001.seg, stranger /log/lost+found
            0..20
            0..23, 18446744073709551615.seg Empty, stranger /log/0000000000000000001.seg, stranger /log/lost+found
            0..23
        "#]],
    );
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    fill(&mut writer, 3);
    drop(writer);
    let mut bytes = bytes_of(&disk, 0);
    for copy in [0, 64] {
        bytes[copy + 4] = 2;
        let crc = crc32c::crc32c(&bytes[copy..copy + 60]);
        bytes[copy + 60..copy + 64].copy_from_slice(&crc.to_le_bytes());
    }
    disk.put(&segment(0), &bytes);
    let opened = Writer::open(std::sync::Arc::new(disk.clone()), DIR.as_ref(), &options());
    let error = opened.unwrap_err();
    assert!(matches!(error, SeglogError::Version { version: 2, .. }), "{error}");
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(bytes_of(&disk, 0), bytes);
}

#[test]
fn a_planted_record_is_not_found_after_damage() {
    let disk = SimDisk::default();
    let (mut writer, _) = open(&disk);
    // What another log would write as record 1.
    let mut planted = Vec::new();
    let seal = crate::seglog::format::Seal::of(LogId::from_bytes([8; 16]));
    let (index, durable) = (Index::from_u64(1), Index::ZERO);
    crate::seglog::format::push_record(&mut planted, seal, index, durable, &[b"forged"]);
    writer.append(&planted).unwrap();
    writer.append(b"genuine").unwrap();
    writer.sync().unwrap();
    drop(writer);
    disk.flip(&segment(0), 128 + 5, 0);
    let (writer, recovery) = open(&disk);
    expect!["0..2, gap 0..1 corrupt"].assert_eq(&found(&recovery));
    let entries = writer.log().reader(Index::ZERO).next_batch(9, 999).unwrap();
    assert_eq!(entries.len(), 2);
    assert!(format!("{entries:?}").contains("genuine"));
    assert_eq!(recovery.gaps[0].cause, GapCause::Corrupt);
}
