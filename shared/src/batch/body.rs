//! The body: built event by event and sealed; opened under caps.

use bytes::Bytes;
use cordon_proto::{
    count::{self, CountError},
    v1,
};
use prost::Message;

use super::{
    BatchError, HEADER_BYTES, Sealed,
    header::{Header, Parts, Source},
};
use crate::{
    event::Event,
    id::{BootId, Epoch, EventSeq, Lane},
    limit,
    time::ClockSample,
    wire,
};

/// zstd's fastest standard level: 2.8 times smaller at 0.4 µs an event; higher levels cost the host
/// more than they save (FACTS of the transport).
const ZSTD_LEVEL: i32 = 1;

/// Where and when the events of one batch happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The boot of the host.
    pub boot: BootId,
    /// The sample of the host's clocks that the events' wall-clock times are told against.
    pub clock: ClockSample,
}

/// A batch that is being filled. Its events have consecutive numbers from `first_seq`.
#[derive(Debug)]
pub struct Builder {
    lane: Lane,
    epoch: Epoch,
    first_seq: EventSeq,
    source: Source,
    writer: wire::event::Writer,
}

impl Builder {
    /// An empty batch of events that happened during one boot.
    #[must_use]
    pub fn new(lane: Lane, epoch: Epoch, first_seq: EventSeq, origin: Origin) -> Self {
        let writer = wire::event::Writer::new(origin);
        Self { lane, epoch, first_seq, source: Source::default(), writer }
    }

    /// Adds an event, and says where its source stands after it (a zero source leaves what was said
    /// before).
    pub fn push(&mut self, event: &Event, source: Source) {
        self.writer.push(event);
        self.reach(source);
    }

    /// Says where the source stands by now, after observations that made no event (a zero source
    /// leaves what was said before).
    pub fn reach(&mut self, source: Source) {
        if source != Source::default() {
            self.source = source;
        }
    }

    /// Events so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.writer.count()
    }

    /// Whether it should be sealed now: no room for one more event of the largest kind.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count() >= limit::BATCH_EVENTS_MAX
            || self.writer.raw_bytes() >= limit::BATCH_SEAL_BYTES
    }

    /// Where the source stood after the last event.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Number that the next event would have.
    #[must_use]
    pub fn next_seq(&self) -> Option<EventSeq> {
        self.first_seq.checked_add(self.count() as u64)
    }

    /// Closes the batch. The bytes never change from here on.
    ///
    /// # Errors
    /// [`BatchError::Body`] when there is no event in it or zstd fails.
    pub fn seal(self) -> Result<Sealed, BatchError> {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(BatchError::Body { field: "events", rule: "at least one" });
        }
        let raw = self.writer.finish().encode_to_vec();
        let body = zstd::bulk::compress(&raw, ZSTD_LEVEL)
            .or(Err(BatchError::Body { field: "zstd", rule: "compressible" }))?;
        let raw_bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        let parts = Parts {
            lane: self.lane,
            epoch: self.epoch,
            first_seq: self.first_seq,
            count,
            raw_bytes,
            source: self.source,
        };
        let header = Header::of(&parts, &body);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&header.to_bytes());
        bytes.extend_from_slice(&body);
        Sealed::parse(bytes.into())
    }
}

/// What was in a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Contents {
    /// In number order; as many as the header says.
    pub events: Vec<Event>,
    /// Boot and clocks of the host.
    pub origin: Origin,
}

/// Opens a body under the caps of its header, which were checked against the limits.
pub(super) fn open(header: &Header, body: &[u8]) -> Result<Contents, BatchError> {
    let raw = decompress(header, body)?;
    count_entries(&raw, header.count())?;
    let wire = v1::BatchBody::decode(raw)
        .or(Err(BatchError::Body { field: "protobuf", rule: "a cordon.v1.BatchBody" }))?;
    let reader = wire::event::Reader::new(&wire)
        .map_err(|it| BatchError::Body { field: it.field, rule: it.rule })?;
    let mut events = Vec::with_capacity(wire.events.len());
    for (index, event) in wire.events.iter().enumerate() {
        let event = reader.event(event).map_err(|source| BatchError::Event { index, source })?;
        events.push(event);
    }
    Ok(Contents { events, origin: reader.origin() })
}

/// Decompresses into exactly as many bytes as the header says; a bomb finds no room.
fn decompress(header: &Header, body: &[u8]) -> Result<Bytes, BatchError> {
    let mut raw = vec![0; header.body_raw_bytes()];
    let rule = "zstd of as many bytes as the header says";
    let refuse = || BatchError::Body { field: "zstd", rule };
    let mut decompressor = zstd::bulk::Decompressor::new().ok().ok_or_else(refuse)?;
    let bytes = decompressor.decompress_to_buffer(body, &mut raw).ok().ok_or_else(refuse)?;
    if bytes != raw.len() {
        return Err(refuse());
    }
    Ok(raw.into())
}

/// Counts the entries of the body's tables before anything is allocated for them: two bytes on the
/// wire would otherwise become hundreds in memory.
fn count_entries(raw: &[u8], events_wanted: usize) -> Result<(), BatchError> {
    let refuse = |field, rule| BatchError::Body { field, rule };
    let malformed = || refuse("protobuf", "a cordon.v1.BatchBody");
    let (mut strings, mut events, mut processes) = (0, 0, 0);
    let mut rest = raw;
    while !rest.is_empty() {
        let key = prost::encoding::decode_varint(&mut rest).ok().ok_or_else(malformed)?;
        // All fields of a BatchBody are length-delimited (wire type 2).
        if key & 7 != 2 {
            return Err(malformed());
        }
        let length = prost::encoding::decode_varint(&mut rest).ok().ok_or_else(malformed)?;
        let length = usize::try_from(length).ok().ok_or_else(malformed)?;
        rest = rest.get(length..).ok_or_else(malformed)?;
        match key >> 3 {
            1 => strings += 1,
            2 => events += 1,
            4 => processes += 1,
            _ => (),
        }
    }
    if events != events_wanted {
        return Err(refuse("events", "as many as the header says"));
    }
    if strings > limit::BATCH_STRINGS_MAX {
        return Err(refuse("strings", "at most 32768"));
    }
    if processes > limit::BATCH_PROCESSES_MAX {
        return Err(refuse("processes", "at most 768"));
    }
    if count::entries::<v1::BatchBody>(raw, limit::BATCH_ENTRIES_MAX) == Err(CountError::TooMany) {
        return Err(refuse("entries", "at most 50176, all together"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
