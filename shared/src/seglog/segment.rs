//! One segment's records, in order, with what is damaged between them.
//!
//! On the road: below reader, writer and recovery. Bytes come from a [`DiskFile`] in chunks, one
//! `pread` each; records come out, or the range that is lost. It never writes, and it believes a
//! record only when its checksums hold.
//!
//! - **SP-3**: [`Found::Torn`] is where an end that was never finished begins; nothing behind it
//!   is handed out, and recovery cuts there.
//! - A damaged record costs itself: after it the scan goes on at the next header that is whole.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use rustix::io::Errno;

use super::{
    CHUNK_BYTES, DiskFile, GapCause, Index,
    format::{
        END_MARK_BYTES, RECORD_BYTES_MIN, RECORD_HEADER_BYTES, RECORD_MAGIC, RecordHeader, Seal,
    },
};

/// A block that the disk refuses is skipped in this unit: the smallest that disks fail in.
const BLOCK_BYTES: usize = 4096;

/// After so many refused blocks the rest of the segment counts as unreadable (chosen: a dying disk
/// takes seconds for each).
const BLOCKS_REFUSED_MAX: u32 = 16;

/// A refused read is tried so often before it counts as damage (chosen: what a loose cable or a
/// busy controller refuses once must not be reported as lost).
const READ_ATTEMPTS: u32 = 3;

/// What comes next in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record that is whole.
    Record {
        index: Index,
        payload: Bytes,
        /// All below was durable when it was appended.
        durable: Index,
        /// Where it begins in the file.
        at: u64,
    },
    /// Records from the expected one up to this are lost.
    Gap { until: Index, cause: GapCause },
    /// The limit is reached, between two records.
    End,
    /// From `at` on there is nothing whole.
    Torn { at: u64, cause: GapCause },
}

/// Reads a segment's records up to a limit.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    seal: Seal,
    /// Where the next record is looked for.
    offset: u64,
    /// Where the part of the file that may be read ends.
    limit: u64,
    /// The index that comes next.
    expected: Index,
    chunk: Bytes,
    chunk_at: u64,
    blocks_refused: u32,
    /// Whether a block was refused since the last damage was reported.
    is_refused: bool,
}

/// What lies at an offset.
enum Frame {
    Whole(RecordHeader, Bytes),
    /// Header and end mark agree, the payload does not.
    Damaged(RecordHeader),
    /// No header, or one whose record ends early.
    Nothing,
}

impl Scan {
    /// Begins at `offset`, where record `expected` should lie.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        seal: Seal,
        offset: u64,
        limit: u64,
        expected: Index,
    ) -> Self {
        Self {
            file,
            seal,
            offset,
            limit,
            expected,
            chunk: Bytes::new(),
            chunk_at: 0,
            blocks_refused: 0,
            is_refused: false,
        }
    }

    /// The index that comes next.
    pub(super) fn expected(&self) -> Index {
        self.expected
    }

    /// Where the next record would lie.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the disk refused a block so far.
    pub(super) fn has_refused(&self) -> bool {
        self.blocks_refused > 0
    }

    /// Lets the scan go further, after more was written.
    pub(super) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The next record, or what is in its place. After `End` and `Torn` the scan stays there; it
    /// goes on when the limit is raised.
    ///
    /// # Errors
    /// What the system says, save for blocks that the disk refuses: those are damage.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        loop {
            if self.offset >= self.limit {
                return Ok(Found::End);
            }
            match self.frame_at(self.offset)? {
                Frame::Whole(header, _payload) if header.index > self.expected => {
                    return Ok(self.gap(header.index));
                }
                Frame::Whole(header, payload) => {
                    let at = self.offset;
                    self.offset += header.frame_bytes() as u64;
                    self.expected = header.index.plus(1);
                    let durable = header.durable.min(header.index);
                    return Ok(Found::Record { index: header.index, payload, durable, at });
                }
                Frame::Damaged(header) => {
                    self.offset += header.frame_bytes() as u64;
                    return Ok(self.gap(header.index.plus(1)));
                }
                Frame::Nothing => match self.find_frame(self.offset + 1)? {
                    Some((at, index)) => {
                        self.offset = at;
                        if index > self.expected {
                            return Ok(self.gap(index));
                        }
                    }
                    None if self.ends_complete()? => {
                        self.offset = self.limit;
                        return Ok(self.gap(self.expected.plus(1)));
                    }
                    None => {
                        let cause = self.damage_cause();
                        return Ok(Found::Torn { at: self.offset, cause });
                    }
                },
            }
        }
    }

    fn gap(&mut self, until: Index) -> Found {
        self.expected = until;
        let cause = self.damage_cause();
        self.is_refused = false;
        Found::Gap { until, cause }
    }

    fn damage_cause(&self) -> GapCause {
        if self.is_refused { GapCause::Unreadable } else { GapCause::Corrupt }
    }

    fn frame_at(&mut self, at: u64) -> io::Result<Frame> {
        let seal = self.seal;
        let Some(bytes) = self.peek(at, RECORD_HEADER_BYTES)? else { return Ok(Frame::Nothing) };
        let Some(header) = RecordHeader::decode(&bytes, seal) else { return Ok(Frame::Nothing) };
        if header.index < self.expected {
            return Ok(Frame::Nothing);
        }
        let Some(frame) = self.peek(at, header.frame_bytes())? else { return Ok(Frame::Nothing) };
        let payload = frame.slice(RECORD_HEADER_BYTES..frame.len() - END_MARK_BYTES);
        if crc32c::crc32c(&payload) == header.payload_crc {
            Ok(Frame::Whole(header, payload))
        } else if frame.ends_with(&header.header_crc.to_le_bytes()) {
            Ok(Frame::Damaged(header))
        } else {
            Ok(Frame::Nothing)
        }
    }

    /// The first place from `at` on with a record that can be told apart.
    fn find_frame(&mut self, mut at: u64) -> io::Result<Option<(u64, Index)>> {
        while let Some(bytes) = self.peek_most(at)? {
            let found = bytes.windows(RECORD_MAGIC.len()).position(|it| it == RECORD_MAGIC);
            let Some(found) = found else {
                // The magic may lie across the end of what was looked at.
                let passed = bytes.len().saturating_sub(RECORD_MAGIC.len() - 1).max(1);
                at += passed as u64;
                continue;
            };
            at += found as u64;
            match self.frame_at(at)? {
                Frame::Whole(header, _) | Frame::Damaged(header) => {
                    return Ok(Some((at, header.index)));
                }
                Frame::Nothing => at += 1,
            }
        }
        Ok(None)
    }

    /// Whether the one record from here to the limit was written to its last byte: its end mark
    /// agrees with its header or with its header's checksum, so that the damage came later.
    fn ends_complete(&mut self) -> io::Result<bool> {
        let bytes = self.limit - self.offset;
        if bytes < RECORD_BYTES_MIN {
            return Ok(false);
        }
        let seal = self.seal;
        let Some(header) = self.peek(self.offset, RECORD_HEADER_BYTES)? else { return Ok(false) };
        let mark_at = self.limit - END_MARK_BYTES as u64;
        let Some(mark) = self.peek(mark_at, END_MARK_BYTES)? else { return Ok(false) };
        let (fields, stored) = header.split_at(RECORD_HEADER_BYTES - END_MARK_BYTES);
        let is_zero = mark.iter().all(|byte| *byte == 0);
        Ok(!is_zero && (mark == stored || *mark == seal.header_crc(fields).to_le_bytes()))
    }

    /// What can be seen from `at` on with one read or none, a magic's length at least; `None` at
    /// the limit.
    fn peek_most(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        if self.peek(at, RECORD_MAGIC.len())?.is_none() {
            return Ok(None);
        }
        let seen = self.chunk.slice(self.in_chunk(at)..);
        let room = usize::try_from(self.limit - at).unwrap_or(usize::MAX);
        Ok(Some(seen.slice(..seen.len().min(room))))
    }

    /// `bytes` bytes from `at` on; `None` when they pass the limit or the end of the file.
    fn peek(&mut self, at: u64, bytes: usize) -> io::Result<Option<Bytes>> {
        let end = at.saturating_add(bytes as u64);
        if end > self.limit {
            return Ok(None);
        }
        let chunk_end = self.chunk_at + self.chunk.len() as u64;
        if at < self.chunk_at || end > chunk_end {
            self.fill(at, bytes)?;
        }
        let start = self.in_chunk(at);
        let is_there = self.chunk.len() >= start.saturating_add(bytes);
        Ok(is_there.then(|| self.chunk.slice(start..start + bytes)))
    }

    fn in_chunk(&self, at: u64) -> usize {
        usize::try_from(at - self.chunk_at).unwrap_or(usize::MAX)
    }

    /// Reads a chunk that begins at `at` and has `bytes` bytes or more, if the file has them.
    fn fill(&mut self, at: u64, bytes: usize) -> io::Result<()> {
        let room = usize::try_from(self.limit - at).unwrap_or(usize::MAX);
        let mut chunk = BytesMut::zeroed(bytes.max(CHUNK_BYTES).min(room));
        let read = match self.file.read_at(&mut chunk, at) {
            Err(error) if is_refused(&error) => self.fill_by_blocks(&mut chunk, at)?,
            read => read?,
        };
        chunk.truncate(read);
        self.chunk = chunk.freeze();
        self.chunk_at = at;
        Ok(())
    }

    /// Reads block by block and leaves zeros for those that the disk refuses.
    fn fill_by_blocks(&mut self, chunk: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        for block in chunk.chunks_mut(BLOCK_BYTES) {
            let block_at = at + done as u64;
            match insist(|| self.file.read_at(block, block_at)) {
                Ok(read) if read < block.len() => return Ok(done + read),
                Ok(_whole) => (),
                Err(error) if is_refused(&error) => {
                    block.fill(0);
                    self.is_refused = true;
                    self.blocks_refused += 1;
                    if self.blocks_refused >= BLOCKS_REFUSED_MAX {
                        self.limit = self.limit.min(block_at);
                        return Ok(done);
                    }
                }
                Err(error) => return Err(error),
            }
            done += block.len();
        }
        Ok(done)
    }
}

/// Whether the disk refused a block, as against a system that is short of something.
pub(super) fn is_refused(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Reads, again if the disk refuses.
pub(super) fn insist<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..READ_ATTEMPTS {
        match read() {
            Err(error) if is_refused(&error) => (),
            done => return done,
        }
    }
    read()
}
