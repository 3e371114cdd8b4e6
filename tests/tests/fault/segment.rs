//! The bytes of a segment log, as its format document says, to be damaged in a known place.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

/// Both copies of a segment's header; the tests' segments have no preface.
const HEAD_BYTES: usize = 128;
/// A record's header, and its end mark.
const RECORD_HEAD_BYTES: usize = 32;
const END_MARK_BYTES: usize = 4;

/// One record of a segment.
pub(crate) struct Record {
    pub(crate) file: PathBuf,
    /// Where its payload begins in the file.
    pub(crate) at: usize,
    pub(crate) payload: Vec<u8>,
    index: u64,
    durable: u64,
}

/// Every record of a log, in order.
pub(crate) fn records(folder: &Path) -> Vec<Record> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|it| it.extension().is_some_and(|it| it == "seg"));
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let mut at = HEAD_BYTES;
        while let Some(head) = bytes.get(at..at + RECORD_HEAD_BYTES) {
            assert_eq!(head.get(..4).unwrap(), b"CDNR");
            let length = usize::try_from(u32_at(head, 4)).unwrap();
            let payload = at + RECORD_HEAD_BYTES;
            records.push(Record {
                file: file.clone(),
                at: payload,
                payload: bytes.get(payload..payload + length).unwrap().to_vec(),
                index: u64_at(head, 8),
                durable: u64_at(head, 16),
            });
            at = payload + length + END_MARK_BYTES;
        }
    }
    records
}

/// Leaves what a writer leaves that is killed in the middle of a record: its header and half of its
/// payload, after the last whole one.
pub(crate) fn tear(folder: &Path) {
    let records = records(folder);
    let last = records.last().unwrap();
    let mut torn = Vec::from(*b"CDNR");
    torn.extend(1_000_u32.to_le_bytes());
    torn.extend((last.index + 1).to_le_bytes());
    torn.extend(last.durable.to_le_bytes());
    torn.extend(0x5eed_u32.to_le_bytes());
    let log_id = fs::read(&last.file).unwrap().get(8..24).unwrap().to_vec();
    torn.extend(crc32c::crc32c(&[log_id.as_slice(), &torn].concat()).to_le_bytes());
    torn.extend([0xa5; 500]);
    File::options().append(true).open(&last.file).unwrap().write_all(&torn).unwrap();
}

/// Cuts a segment off before a record, so that this one and all after it in the file are gone.
pub(crate) fn cut(first_lost: &Record) {
    let file = File::options().write(true).open(&first_lost.file).unwrap();
    file.set_len((first_lost.at - RECORD_HEAD_BYTES) as u64).unwrap();
}

/// Flips one bit in the middle of a record's payload.
pub(crate) fn flip(record: &Record) {
    use std::os::unix::fs::FileExt;
    let middle = record.payload.len() / 2;
    let byte = record.payload.get(middle).unwrap() ^ 1;
    let file = File::options().write(true).open(&record.file).unwrap();
    file.write_all_at(&[byte], (record.at + middle) as u64).unwrap();
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes.get(at..at + 4).unwrap().try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes.get(at..at + 8).unwrap().try_into().unwrap())
}
