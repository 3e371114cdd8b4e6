//! The 64 bytes in front of a batch's body.

use super::BatchError;
use crate::{
    id::{AgentId, Epoch, EventId, EventSeq, Lane},
    limit,
};

/// Length of the header.
pub const HEADER_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"CDNB";
const VERSION: u16 = 1;

/// Where a lane's sensor stood after the last observation of a batch.
///
/// A pinned ring buffer survives its reader: after a crash the sensor goes on from the position of
/// the newest spooled batch, so that nothing between kernel and spool is lost or doubled. The
/// default, all zero, is a source that cannot resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Source {
    /// Which life of the source: a ring's generation.
    pub epoch: u64,
    /// How far it was read, in the source's own unit.
    pub position: u64,
}

/// What can be known of a batch without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    lane: Lane,
    epoch: Epoch,
    first_seq: EventSeq,
    count: u32,
    body_bytes: u32,
    body_raw_bytes: u32,
    body_crc32c: u32,
    source: Source,
}

/// What a builder knows when it seals.
pub(super) struct Parts {
    pub(super) lane: Lane,
    pub(super) epoch: Epoch,
    pub(super) first_seq: EventSeq,
    pub(super) count: u32,
    pub(super) raw_bytes: u32,
    pub(super) source: Source,
}

impl Header {
    pub(super) fn of(parts: &Parts, body: &[u8]) -> Self {
        Self {
            lane: parts.lane,
            epoch: parts.epoch,
            first_seq: parts.first_seq,
            count: parts.count,
            body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            body_raw_bytes: parts.raw_bytes,
            body_crc32c: crc32c::crc32c(body),
            source: parts.source,
        }
    }

    /// Reads and checks a header at the beginning of `bytes`.
    ///
    /// # Errors
    /// [`BatchError::Header`] or [`BatchError::Checksum`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let refuse = |field, rule| BatchError::Header { field, rule };
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(refuse("length", "at least 64 bytes"));
        };
        let mut at = Cursor(head);
        if at.take::<4>() != MAGIC {
            return Err(refuse("magic", "`CDNB`"));
        }
        if u16::from_le_bytes(at.take()) != VERSION {
            return Err(refuse("version", "1"));
        }
        let [lane, zero] = at.take();
        let epoch = u64::from_le_bytes(at.take());
        let first_seq = u64::from_le_bytes(at.take());
        let count = u32::from_le_bytes(at.take());
        let body_bytes = u32::from_le_bytes(at.take());
        let body_raw_bytes = u32::from_le_bytes(at.take());
        let body_crc32c = u32::from_le_bytes(at.take());
        let source = Source {
            epoch: u64::from_le_bytes(at.take()),
            position: u64::from_le_bytes(at.take()),
        };
        let reserved = u32::from_le_bytes(at.take());
        if u32::from_le_bytes(at.take()) != crc32c::crc32c(&head[..HEADER_BYTES - 4]) {
            return Err(BatchError::Checksum { part: "header" });
        }
        if zero != 0 || reserved != 0 {
            return Err(refuse("reserved", "0"));
        }
        let lane = Lane::from_u8(lane).ok_or(refuse("lane", "1, 2 or 3"))?;
        let epoch = Epoch::from_u64(epoch).ok_or(refuse("epoch", "1..=2^63-1"))?;
        let first_seq = EventSeq::from_u64(first_seq).ok_or(refuse("first_seq", "1..=2^63-1"))?;
        if count == 0 || count as usize > limit::BATCH_EVENTS_MAX {
            return Err(refuse("count", "1..=256"));
        }
        first_seq.checked_add(u64::from(count)).ok_or(refuse("first_seq", "1..=2^63-1"))?;
        for (field, bytes) in [("body_bytes", body_bytes), ("body_raw_bytes", body_raw_bytes)] {
            if bytes == 0 || bytes as usize > limit::BATCH_BODY_BYTES_MAX {
                return Err(refuse(field, "1..=1048576"));
            }
        }
        Ok(Self { lane, epoch, first_seq, count, body_bytes, body_raw_bytes, body_crc32c, source })
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[self.lane.as_u8(), 0]);
        bytes.extend_from_slice(&self.epoch.as_u64().to_le_bytes());
        bytes.extend_from_slice(&self.first_seq.as_u64().to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.body_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.body_raw_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.body_crc32c.to_le_bytes());
        bytes.extend_from_slice(&self.source.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.source.position.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.try_into().expect("the fields above are 64 bytes")
    }

    /// The lane.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The opening of the spool that numbered the events.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Number of the first event.
    #[must_use]
    pub fn first_seq(&self) -> EventSeq {
        self.first_seq
    }

    /// Number of the last event.
    #[must_use]
    pub fn last_seq(&self) -> EventSeq {
        self.first_seq.checked_add(u64::from(self.count) - 1).unwrap_or(self.first_seq)
    }

    /// How many events, 1..=256.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes of the body as sealed.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.body_bytes as usize
    }

    /// Bytes of the body before compression.
    #[must_use]
    pub fn body_raw_bytes(&self) -> usize {
        self.body_raw_bytes as usize
    }

    /// CRC32C of the body as sealed.
    #[must_use]
    pub fn body_crc32c(&self) -> u32 {
        self.body_crc32c
    }

    /// Where the lane's sensor stood after this batch.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The name of the event at `index`; nothing when there is none.
    #[must_use]
    pub fn event_id(&self, agent: AgentId, index: usize) -> Option<EventId> {
        if index >= self.count() {
            return None;
        }
        let seq = self.first_seq.checked_add(u64::try_from(index).ok()?)?;
        Some(EventId { agent, epoch: self.epoch, lane: self.lane, seq })
    }
}

/// Takes fixed pieces from the front of the header.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (piece, rest) = self.0.split_first_chunk().expect("the fields add up to the header");
        self.0 = rest;
        *piece
    }
}
