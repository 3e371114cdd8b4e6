//! The bytes of the segment log, version 1. All numbers are little endian.
//!
//! ```text
//! DIRECTORY
//!   00000000000000000017.seg      a segment, named by the index of its first record, 20 digits
//!   00000000000000000017.seg.new  a segment that is being made; removed at open
//!   00000000000000000017.seg.aside  a file that had a segment's name and was none of the log's;
//!                                 kept for people to look at
//!   NAME.0 NAME.1                 the two slots of a ledger (see `ledger.rs`)
//!
//! SEGMENT
//!   0    64   header
//!   64   64   header again, the same bytes: one damaged sector or bit costs nothing
//!   128  n    preface: the owner's bytes, 0..=8 MiB
//!   then      records, without space between them, to the end of the file
//!
//! SEGMENT HEADER, 64 bytes
//!   0   4   magic "CDNL"
//!   4   2   version = 1              (magic, version and checksum keep their places for ever)
//!   6   2   reserved = 0
//!   8   16  log id: random, the same in all segments of a log
//!   24  8   first: the index of the first record, as in the file's name
//!   32  8   previous: `first` of the segment before this one; all ones when it is the log's first
//!   40  4   preface_bytes
//!   44  4   preface_crc32c
//!   48  12  reserved = 0
//!   60  4   header_crc32c over bytes 0..60
//!
//! RECORD, 36 bytes and its payload
//!   0   4   magic "CDNR"
//!   4   4   payload_bytes, 1..=1,052,672
//!   8   8   index
//!   16  8   durable: all records below this index were durable when this one was appended
//!   24  4   payload_crc32c
//!   28  4   header_crc32c over the log id and bytes 0..28
//!   32  n   payload
//!   +n  4   end mark: header_crc32c again
//! ```
//!
//! Why the header has a checksum of its own: a damaged length would otherwise hide all that
//! follows. Why it covers the log id: a reader that lost its place looks for the next header byte
//! by byte, and a sender could have planted one inside a payload. Why the end mark: it tells a
//! record that was written whole and damaged later (counted) from one whose writing was cut short
//! (never durable). Why `previous`: a deleted segment shows without reading its neighbours.
//!
//! CRC-32C (Castagnoli, RFC 3720 appendix B.4) is computed by the processor; it finds damage, it
//! is no defence against who can write to the directory.

use std::path::{Path, PathBuf};

use super::{Index, LogId, PREFACE_BYTES_MAX, RECORD_BYTES_MAX};

/// Both copies of a segment's header.
pub(super) const SEGMENT_HEAD_BYTES: usize = 2 * SEGMENT_HEADER_BYTES;
/// A record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 32;
/// The end mark.
pub(super) const END_MARK_BYTES: usize = 4;
/// All that surrounds a payload.
pub(super) const RECORD_FRAME_BYTES: usize = RECORD_HEADER_BYTES + END_MARK_BYTES;
/// The smallest record.
pub(super) const RECORD_BYTES_MIN: u64 = RECORD_FRAME_BYTES as u64 + 1;
/// How a record begins.
pub(super) const RECORD_MAGIC: [u8; 4] = *b"CDNR";

const SEGMENT_HEADER_BYTES: usize = 64;
const SEGMENT_MAGIC: [u8; 4] = *b"CDNL";
const VERSION: u16 = 1;
const NO_PREVIOUS: u64 = u64::MAX;
const NAME_DIGITS: usize = 20;
const NAME_END: &str = ".seg";

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) log_id: LogId,
    pub(super) first: Index,
    pub(super) previous: Option<Index>,
    pub(super) preface_bytes: u32,
    pub(super) preface_crc: u32,
}

/// Why a segment's header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// There are fewer bytes than a header has.
    Short,
    /// Neither copy is whole.
    Damaged,
    /// A whole header of a version that this release does not know.
    Version(u16),
}

impl SegmentHeader {
    /// The header of a segment that begins with `preface`.
    pub(super) fn new(
        log_id: LogId,
        first: Index,
        previous: Option<Index>,
        preface: &[u8],
    ) -> Option<Self> {
        let preface_bytes = u32::try_from(preface.len()).ok()?;
        (preface.len() <= PREFACE_BYTES_MAX).then(|| Self {
            log_id,
            first,
            previous,
            preface_bytes,
            preface_crc: crc32c::crc32c(preface),
        })
    }

    /// Both copies.
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEAD_BYTES] {
        let mut copy = [0; SEGMENT_HEADER_BYTES];
        let previous = self.previous.map_or(NO_PREVIOUS, Index::as_u64);
        let fields: [(usize, &[u8]); 7] = [
            (0, &SEGMENT_MAGIC),
            (4, &VERSION.to_le_bytes()),
            (8, self.log_id.as_bytes()),
            (24, &self.first.as_u64().to_le_bytes()),
            (32, &previous.to_le_bytes()),
            (40, &self.preface_bytes.to_le_bytes()),
            (44, &self.preface_crc.to_le_bytes()),
        ];
        for (at, field) in fields {
            copy[at..at + field.len()].copy_from_slice(field);
        }
        let crc = crc32c::crc32c(&copy[..60]);
        copy[60..].copy_from_slice(&crc.to_le_bytes());

        let mut both = [0; SEGMENT_HEAD_BYTES];
        both[..SEGMENT_HEADER_BYTES].copy_from_slice(&copy);
        both[SEGMENT_HEADER_BYTES..].copy_from_slice(&copy);
        both
    }

    /// The first copy that is whole.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (first, rest) = bytes.split_first_chunk().ok_or(HeaderError::Short)?;
        let (second, _records) = rest.split_first_chunk().ok_or(HeaderError::Short)?;
        match Self::decode_copy(first) {
            Err(HeaderError::Damaged) => Self::decode_copy(second),
            decoded => decoded,
        }
    }

    fn decode_copy(copy: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, HeaderError> {
        let crc = u32::from_le_bytes(field(copy, 60));
        if field(copy, 0) != SEGMENT_MAGIC || crc32c::crc32c(&copy[..60]) != crc {
            return Err(HeaderError::Damaged);
        }
        let version = u16::from_le_bytes(field(copy, 4));
        if version != VERSION {
            return Err(HeaderError::Version(version));
        }
        let previous = u64::from_le_bytes(field(copy, 32));
        let preface_bytes = u32::from_le_bytes(field(copy, 40));
        if usize::try_from(preface_bytes).is_ok_and(|bytes| bytes > PREFACE_BYTES_MAX) {
            return Err(HeaderError::Damaged);
        }
        Ok(Self {
            log_id: LogId::from_bytes(field(copy, 8)),
            first: Index::from_u64(u64::from_le_bytes(field(copy, 24))),
            previous: (previous != NO_PREVIOUS).then_some(Index::from_u64(previous)),
            preface_bytes,
            preface_crc: u32::from_le_bytes(field(copy, 44)),
        })
    }

    /// Where the records begin.
    pub(super) fn records_at(&self) -> u64 {
        SEGMENT_HEAD_BYTES as u64 + u64::from(self.preface_bytes)
    }
}

/// The log id as the seed of record checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal(u32);

impl Seal {
    /// The seed of a log.
    pub(super) fn of(log_id: LogId) -> Self {
        Self(crc32c::crc32c(log_id.as_bytes()))
    }

    /// The checksum of a record's header.
    pub(super) fn header_crc(self, header: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, header)
    }
}

/// What a record says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) payload_bytes: u32,
    pub(super) index: Index,
    pub(super) durable: Index,
    pub(super) payload_crc: u32,
    /// Also the end mark.
    pub(super) header_crc: u32,
}

impl RecordHeader {
    /// A header whose checksum holds and whose length is in bounds.
    pub(super) fn decode(bytes: &[u8], seal: Seal) -> Option<Self> {
        let (header, _payload) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let header_crc = u32::from_le_bytes(field(header, 28));
        let payload_bytes = u32::from_le_bytes(field(header, 4));
        let size = usize::try_from(payload_bytes).ok()?;
        let is_whole = field(header, 0) == RECORD_MAGIC
            && (1..=RECORD_BYTES_MAX).contains(&size)
            && seal.header_crc(&header[..28]) == header_crc;
        is_whole.then(|| Self {
            payload_bytes,
            index: Index::from_u64(u64::from_le_bytes(field(header, 8))),
            durable: Index::from_u64(u64::from_le_bytes(field(header, 16))),
            payload_crc: u32::from_le_bytes(field(header, 24)),
            header_crc,
        })
    }

    /// Bytes from header to end mark.
    pub(super) fn frame_bytes(&self) -> usize {
        // Within bounds since `decode` checked the length; a cut value would only fail a checksum.
        usize::try_from(self.payload_bytes).unwrap_or(0) + RECORD_FRAME_BYTES
    }
}

/// Appends a record whose payload lies in `parts`, 1 to [`RECORD_BYTES_MAX`] bytes in all.
pub(super) fn push_record(
    into: &mut Vec<u8>,
    seal: Seal,
    index: Index,
    durable: Index,
    parts: &[&[u8]],
) {
    let start = into.len();
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    into.reserve(bytes + RECORD_FRAME_BYTES);
    into.extend_from_slice(&RECORD_MAGIC);
    into.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    into.extend_from_slice(&index.as_u64().to_le_bytes());
    into.extend_from_slice(&durable.as_u64().to_le_bytes());
    into.extend_from_slice(&crc.to_le_bytes());
    let header_crc = seal.header_crc(&into[start..]).to_le_bytes();
    into.extend_from_slice(&header_crc);
    for part in parts {
        into.extend_from_slice(part);
    }
    into.extend_from_slice(&header_crc);
}

/// The file of the segment that begins at `first`.
pub(super) fn segment_path(dir: &Path, first: Index) -> PathBuf {
    dir.join(format!("{:0NAME_DIGITS$}{NAME_END}", first.as_u64()))
}

/// What a name in the directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A segment.
    Segment(Index),
    /// A segment that was being made.
    Unfinished,
    /// None of the log's.
    Stranger,
}

/// Sorts a name.
pub(super) fn parse_name(name: &Path) -> Name {
    let Some(name) = name.to_str() else { return Name::Stranger };
    let (stem, is_unfinished) =
        name.strip_suffix(".new").map_or((name, false), |stem| (stem, true));
    let first = stem
        .strip_suffix(NAME_END)
        .filter(|digits| {
            digits.len() == NAME_DIGITS && digits.bytes().all(|it| it.is_ascii_digit())
        })
        .and_then(|digits| digits.parse().ok());
    match (first, is_unfinished) {
        (Some(first), false) => Name::Segment(Index::from_u64(first)),
        (Some(_), true) => Name::Unfinished,
        (None, _) => Name::Stranger,
    }
}

/// `N` bytes from `at` on; callers name places inside a fixed layout.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_a_header_is_refused() {
        let id = LogId::from_bytes([3; 16]);
        let head = SegmentHeader::new(id, Index::from_u64(17), None, b"state").unwrap();
        let bytes = head.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(head));
        for cut in 0..bytes.len() {
            assert_eq!(SegmentHeader::decode(&bytes[..cut]), Err(HeaderError::Short));
        }
        let mut record = Vec::new();
        let seal = Seal::of(id);
        push_record(&mut record, seal, Index::from_u64(18), Index::ZERO, &[b"pay", b"load"]);
        assert_eq!(RecordHeader::decode(&record, seal).unwrap().frame_bytes(), record.len());
        for cut in 0..RECORD_HEADER_BYTES {
            assert_eq!(RecordHeader::decode(&record[..cut], seal), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            assert!(SegmentHeader::decode(&bytes).is_err());
            assert_eq!(RecordHeader::decode(&bytes, Seal(0)), None);
        }
    }
}
