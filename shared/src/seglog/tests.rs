//! Tests of the log as a whole: what opening finds, what damage costs, what a failing disk does.
//! The model test is in `model.rs`, the cases below by kind.

mod damage;
mod failure;
mod ledger;
mod model;
mod road;

use std::{path::Path, sync::Arc};

use super::{
    Entry, Gap, GapCause, Index, Log, LogId, Options, Reader, Recovery, SimDisk, Writer,
    format::segment_path,
};

const DIR: &str = "/log";

fn options() -> Options {
    Options { segment_bytes_max: 1 << 10, ..Options::spool(LogId::from_bytes([7; 16])) }
}

fn open_with(disk: &SimDisk, options: &Options) -> (Writer, Recovery) {
    Writer::open(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

fn open(disk: &SimDisk) -> (Writer, Recovery) {
    open_with(disk, &options())
}

/// A payload of a hundred bytes that says its number.
fn payload(number: u64) -> Vec<u8> {
    format!("{number:0>100}").into_bytes()
}

/// Appends the records up to, not including, `until`, and syncs.
fn fill(writer: &mut Writer, until: u64) {
    for number in writer.next().as_u64()..until {
        assert_eq!(writer.append(&payload(number)).unwrap(), Index::from_u64(number));
    }
    assert_eq!(writer.sync().unwrap(), Index::from_u64(until));
}

/// All that a reader sees from `from` on, as a person would write it: `0..5 gap 5..6 corrupt 6..8`.
fn seen(log: &Log, from: u64) -> String {
    let mut reader = log.reader(Index::from_u64(from));
    let mut parts: Vec<String> = Vec::new();
    let mut run: Option<(Index, Index)> = None;
    loop {
        let entry = reader.next_entry().unwrap();
        if let Some(Entry::Record(record)) = &entry {
            assert_eq!(record.payload, payload(record.index.as_u64()), "record {}", record.index);
            let (start, end) = run.unwrap_or((record.index, record.index));
            assert_eq!(record.index, end);
            run = Some((start, end.plus(1)));
            continue;
        }
        parts.extend(run.take().map(|(start, end)| format!("{start}..{end}")));
        match entry {
            Some(Entry::Gap(gap)) => parts.push(gap_text(&gap)),
            Some(Entry::Record(_)) | None => return parts.join(" "),
        }
    }
}

fn gap_text(gap: &Gap) -> String {
    format!("gap {}..{} {}", gap.from, gap.until, gap.cause.as_str())
}

/// What opening found, on one line.
fn found(recovery: &Recovery) -> String {
    let mut parts = vec![format!("{}..{}", recovery.oldest, recovery.next)];
    if recovery.is_new {
        parts.push("new".to_owned());
    }
    parts.extend(recovery.torn.map(|torn| format!("torn at {} -{}", torn.at, torn.bytes)));
    parts.extend(recovery.gaps.iter().map(gap_text));
    for file in &recovery.damaged {
        let name = file.path.file_name().unwrap().to_string_lossy().into_owned();
        parts.push(format!("{name} {:?}", file.damage));
    }
    parts.extend(recovery.strangers.iter().map(|path| format!("stranger {}", path.display())));
    parts.join(", ")
}

fn segment(first: u64) -> std::path::PathBuf {
    segment_path(Path::new(DIR), Index::from_u64(first))
}

/// The bytes of a segment.
fn bytes_of(disk: &SimDisk, first: u64) -> Vec<u8> {
    disk.bytes_of(&segment(first)).unwrap()
}

/// Where record `number` begins in its segment; records of this file all have one size.
fn offset_of(first: u64, number: u64) -> usize {
    128 + usize::try_from(number - first).unwrap() * 136
}
