//! The sealed batch: the same bytes are spooled, sent and journaled.
//!
//! A batch holds 1..=256 events of one lane and one epoch with consecutive numbers. Its header can
//! be read without touching the body, and has a checksum of its own; the body is zstd over a
//! `BatchBody` of the wire, with tables of strings and processes, so that what repeats costs nothing.
//!
//! ```text
//! offset size
//!  0      4   magic "CDNB"
//!  4      2   version = 1                         all numbers little-endian
//!  6      1   lane: 1 critical, 2 network, 3 file
//!  7      1   0
//!  8      8   epoch, 1..=i64::MAX
//! 16      8   number of the first event, at least 1
//! 24      4   count of events, 1..=256
//! 28      4   bytes of the body as sealed
//! 32      4   bytes of the body before compression
//! 36      4   CRC32C of the body as sealed
//! 40      8   source epoch      where the lane's sensor stood after the last observation in here;
//! 48      8   source position   opaque to the collector; 0, 0 when the source cannot resume
//! 56      4   0
//! 60      4   CRC32C of bytes 0..60
//! 64      …   body
//! ```
//!
//! The reader trusts no length: each is checked against `shared::limit` before anything is
//! allocated for it, and the entries of the body are counted before they are decoded.

mod body;
mod header;

use bytes::Bytes;

pub use self::{
    body::{Builder, Contents, Origin},
    header::{HEADER_BYTES, Header, Source},
};
use crate::error::{Classify, Kind};

/// Why bytes are not a batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    /// The header breaks a rule.
    #[error("batch header: `{field}` must be {rule}")]
    Header {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The body breaks a rule.
    #[error("batch body: `{field}` must be {rule}")]
    Body {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The bytes changed on the way, or on the disk.
    #[error("the checksum of the batch's {part} is wrong")]
    Checksum {
        /// `header` or `body`.
        part: &'static str,
    },
    /// One event breaks a rule.
    #[error("event {index} of the batch: {source}")]
    Event {
        /// Its place, from 0.
        index: usize,
        /// The rule.
        source: crate::wire::WireError,
    },
}

impl Classify for BatchError {
    fn kind(&self) -> Kind {
        match self {
            Self::Header { .. } | Self::Body { .. } | Self::Event { .. } => Kind::BadInput,
            Self::Checksum { .. } => Kind::Corrupt,
        }
    }
}

/// A batch whose header was checked: the bytes as sealed. Cloning copies nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    header: Header,
    bytes: Bytes,
}

impl Sealed {
    /// Checks header, lengths and both checksums; leaves the body closed.
    ///
    /// # Errors
    /// [`BatchError`] naming the field and the rule.
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = Header::parse(&bytes)?;
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if body.len() != header.body_bytes() {
            let rule = "as long as the header says";
            return Err(BatchError::Body { field: "length", rule });
        }
        if crc32c::crc32c(body) != header.body_crc32c() {
            return Err(BatchError::Checksum { part: "body" });
        }
        Ok(Self { header, bytes })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole batch as sealed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Opens the body: decompresses under the cap, decodes, checks every event.
    ///
    /// # Errors
    /// [`BatchError`] naming what was refused.
    pub fn open(&self) -> Result<Contents, BatchError> {
        body::open(&self.header, self.bytes.get(HEADER_BYTES..).unwrap_or_default())
    }
}
