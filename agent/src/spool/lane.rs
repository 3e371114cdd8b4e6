//! One lane of the spool: append, lease, acknowledge, shed, over one segment log.

mod back;
mod hole;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    path::Path,
    sync::Arc,
};

use cordon_shared::{
    batch::{Header, Sealed, Source},
    digest::Sha256,
    entropy::Entropy,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Entry, Index, LogId, Options, Reader, SeglogError, Writer},
};
use tracing::warn;

use self::hole::Holes;
use super::{
    Acked, Settings, Shed,
    book::Book,
    marks::{LaneMarks, Mark},
};

/// Smallest and largest segment.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(8 << 20);

/// A batch that was leased and is not acknowledged.
#[derive(Debug)]
struct Leased {
    index: Index,
    epoch: Epoch,
    last_seq: EventSeq,
    digest: Sha256,
}

/// What is leased at once.
#[derive(Debug)]
pub(super) struct Lease {
    /// Oldest first.
    pub(super) batches: Vec<Sealed>,
    /// What is missing in between, each with its records.
    pub(super) gaps: Vec<(Shed, Range<Index>)>,
}

/// One lane.
#[derive(Debug)]
pub struct LaneSpool {
    lane: Lane,
    writer: Writer,
    reader: Reader,
    /// All below is acknowledged or shed.
    floor: Index,
    leased: VecDeque<Leased>,
    /// What is missing between the batches that are leased.
    holes: Holes,
    acked: BTreeMap<Epoch, Option<(EventSeq, Sha256)>>,
    epoch: Epoch,
    next_seq: EventSeq,
    resume: Option<Source>,
    /// How far the log is known to be durable.
    marks: LaneMarks,
    /// What was written since.
    written: LaneMarks,
    bytes_max: u64,
    is_failing: bool,
}

impl LaneSpool {
    pub(super) fn open(
        lane: Lane,
        folder: &Path,
        (book, marks): (&Book, &LaneMarks),
        settings: &Settings<'_>,
    ) -> Result<Self, SeglogError> {
        let share = if lane == Lane::Critical { 2 } else { 4 };
        let bytes_max = settings.bytes_max / share;
        let is_known = book.is_known() && !book.is_damaged();
        // What the collector has is done with, whatever the book says.
        let acked = marks.acked.filter(|_| !is_known).map_or(Index::ZERO, |it| it.end);
        let floor = book.floor(lane).max(acked);
        let mut log_id = [0; 16];
        settings.entropy.fill(&mut log_id);
        let options = Options {
            segment_bytes_max: (bytes_max / 8).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
            needed_from: floor,
            next_min: floor.max(marks.end()),
            ..Options::spool(LogId::from_bytes(log_id))
        };
        let (writer, recovery) = Writer::open(Arc::clone(&settings.disk), folder, &options)?;
        if let Some(torn) = &recovery.torn {
            warn!(%lane, bytes = torn.bytes, "cut an unfinished batch from the end of the spool");
        }
        let marks = marks.clone();
        // What lies between floor and oldest is missing; without a book nobody knows.
        let floor = if is_known { floor } else { floor.max(recovery.oldest) };
        let reader = writer.log().reader(floor);
        let mut it = Self {
            lane,
            writer,
            reader,
            floor,
            leased: VecDeque::new(),
            holes: Holes::after(marks.acked.filter(|it| it.end == floor)),
            acked: BTreeMap::new(),
            epoch: Epoch::random(settings.entropy),
            next_seq: EventSeq::FIRST,
            resume: None,
            marks,
            written: LaneMarks::default(),
            bytes_max,
            is_failing: false,
        };
        it.resume = back::newest_source(&it.writer.log())?;
        it.know_epochs()?;
        Ok(it)
    }

    /// Epoch and number of the next event.
    #[must_use]
    pub fn next(&self) -> (Epoch, EventSeq) {
        (self.epoch, self.next_seq)
    }

    /// Begins a new epoch: the collector does not agree about the present one.
    pub fn renew_epoch(&mut self, entropy: &dyn Entropy) {
        self.epoch = Epoch::random(entropy);
        self.next_seq = EventSeq::FIRST;
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.writer.log().bytes_used()
    }

    pub(super) fn resume(&self) -> Option<Source> {
        self.resume
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = Acked> + '_ {
        self.acked.iter().map(|(epoch, at)| Acked { lane: self.lane, epoch: *epoch, at: *at })
    }

    /// Appends and writes; the batch was taken exactly when this is `Ok`.
    pub(super) fn push(&mut self, batch: &Sealed) -> Result<(), SeglogError> {
        let written = self.writer.append(batch.bytes()).and_then(|_index| self.writer.flush());
        if let Err(error) = written {
            self.writer.take_back();
            self.note_failure(&error);
            return Err(error);
        }
        self.is_failing = false;
        let header = batch.header();
        let (epoch, last) = (header.epoch(), header.last_seq());
        self.written.reach(Mark { epoch, last, end: self.writer.next() });
        self.skip(header);
        if header.source() != Source::default() {
            self.resume = Some(header.source());
        }
        self.acked.entry(header.epoch()).or_insert(None);
        Ok(())
    }

    /// Gives the numbers of a batch to nobody else, whether it was taken or not.
    pub(super) fn skip(&mut self, header: &Header) {
        self.skip_to(Some((header.epoch(), header.first_seq(), header.last_seq())));
    }

    pub(super) fn skip_to(&mut self, range: Option<(Epoch, EventSeq, EventSeq)>) {
        if let Some((_, _, last)) = range.filter(|(epoch, _, _)| *epoch == self.epoch)
            && let Some(next) = last.checked_add(1)
        {
            self.next_seq = self.next_seq.max(next);
        }
    }

    /// Whether the last write worked.
    pub(super) fn is_well(&self) -> bool {
        !self.is_failing
    }

    pub(super) fn sync(&mut self) {
        match self.writer.sync() {
            Ok(_durable) => {
                self.written.durable.drain(..).for_each(|it| self.marks.reach(it));
            }
            Err(error) => self.note_failure(&error),
        }
    }

    /// How far the log is durable; to be written when it was synced.
    pub(super) fn marks(&self) -> &LaneMarks {
        &self.marks
    }

    fn note_failure(&mut self, error: &SeglogError) {
        if !self.is_failing {
            let error = error as &dyn std::error::Error;
            warn!(lane = %self.lane, error, "the spool's disk refuses; going on with what fits");
        }
        self.is_failing = true;
    }

    /// Whether so many bytes more are too many.
    pub(super) fn is_over_quota(&self, bytes_more: u64) -> bool {
        self.bytes_used().saturating_add(bytes_more) > self.bytes_max
    }

    /// What is lost with the oldest segment, and where the next one begins; nothing when there is
    /// only one.
    pub(super) fn oldest_segment(&self, cause: LossCause) -> Option<(Index, Vec<Shed>)> {
        let log = self.writer.log();
        let segments = log.segments();
        let [oldest, _, ..] = segments.as_slice() else { return None };
        let (until, mut losses) = (oldest.until, Vec::new());
        let mut reader = log.reader(self.floor);
        while reader.position() < until {
            match reader.next_entry() {
                Ok(Some(Entry::Record(record))) => match Header::parse(&record.payload) {
                    Ok(header) => losses.push(Shed::of(&header, cause)),
                    Err(_) => losses.push(hole::unknown(self.lane, 1)),
                },
                Ok(Some(Entry::Gap(gap))) => losses.push(hole::unknown(self.lane, gap.records())),
                Ok(None) | Err(_) => {
                    // Whatever they are, they go with the segment.
                    losses.push(hole::unknown(self.lane, until.since(reader.position())));
                    break;
                }
            }
        }
        Some((until, losses))
    }

    /// Whether there is a segment to trim.
    pub(super) fn is_trim_due(&self) -> bool {
        let segments = self.writer.log().segments();
        segments.len() > 1 && segments.first().is_some_and(|it| it.until <= self.floor)
    }

    /// All below is acknowledged or shed.
    pub(super) fn floor(&self) -> Index {
        self.floor
    }

    /// What lies below `floor` is done with; it stays until [`LaneSpool::trim`].
    pub(super) fn raise_floor(&mut self, floor: Index) {
        self.floor = self.floor.max(floor);
        self.marks.drop_before(self.floor);
        self.leased.retain(|it| it.index >= self.floor);
        if self.reader.position() < self.floor {
            self.reader.rewind(self.floor);
        }
    }

    /// Removes the segments that are done with; says whether room was made.
    pub(super) fn trim(&mut self) -> bool {
        match self.writer.log().trim(self.floor) {
            Ok(trimmed) => trimmed.segments > 0,
            Err(error) => {
                self.note_failure(&error);
                false
            }
        }
    }

    pub(super) fn lease(
        &mut self,
        batches_max: usize,
        bytes_max: usize,
    ) -> Result<Lease, SeglogError> {
        let (mut batches, mut gaps) = (Vec::new(), Vec::new());
        if batches_max == 0 {
            return Ok(Lease { batches, gaps });
        }
        for entry in self.reader.next_batch(batches_max, bytes_max)? {
            let record = match entry {
                Entry::Record(record) => record,
                Entry::Gap(gap) => {
                    self.holes.gap(&gap);
                    continue;
                }
            };
            // The log's checksum held, so what does not parse was never ours to send.
            let Ok(sealed) = Sealed::parse(record.payload) else {
                self.holes.unreadable(record.index);
                continue;
            };
            let header = *sealed.header();
            gaps.extend(self.holes.batch(self.lane, &header, &self.marks));
            let (epoch, last_seq) = (header.epoch(), header.last_seq());
            let digest = Sha256::of(sealed.bytes());
            self.leased.push_back(Leased { index: record.index, epoch, last_seq, digest });
            batches.push(sealed);
        }
        if self.reader.position() >= self.writer.log().flushed() {
            gaps.extend(self.holes.end(self.lane, &self.marks));
        }
        Ok(Lease { batches, gaps })
    }

    /// Says from where on all is not acknowledged, when that changed.
    pub(super) fn ack(&mut self, epoch: Epoch, seq: EventSeq) -> Option<Index> {
        let mut floor = None;
        while let Some(first) = self.leased.front() {
            if first.epoch != epoch || first.last_seq > seq {
                break;
            }
            self.acked.insert(epoch, Some((first.last_seq, first.digest)));
            let end = first.index.plus(1);
            self.marks.acked = Some(Mark { epoch, last: first.last_seq, end });
            floor = Some(end);
            self.leased.pop_front();
        }
        // Epochs before the one that is being acknowledged are drained; the present one stays.
        let present = self.epoch;
        let next = self.leased.front().map(|it| it.epoch).filter(|it| *it != epoch);
        if let (Some(_), Some(next)) = (floor, next) {
            self.acked.retain(|it, _| *it == next || *it == present || *it == epoch);
        }
        floor
    }

    /// As [`LaneSpool::ack`], for a batch that was refused: the collector does not have it, so it
    /// is not said to be acknowledged.
    pub(super) fn refuse(&mut self, epoch: Epoch, last_seq: EventSeq) -> Option<Index> {
        let acked = self.acked.get(&epoch).copied().flatten();
        let floor = self.ack(epoch, last_seq)?;
        self.acked.insert(epoch, acked);
        Some(floor)
    }

    /// The record of a batch that is leased.
    pub(super) fn leased(&self, epoch: Epoch, last_seq: EventSeq) -> Option<Index> {
        let mut leased = self.leased.iter();
        leased.find(|it| (it.epoch, it.last_seq) == (epoch, last_seq)).map(|it| it.index)
    }

    /// The record that the next batch becomes.
    pub(super) fn next_record(&self) -> Index {
        self.writer.next()
    }

    pub(super) fn rewind(&mut self) {
        self.leased.clear();
        self.holes = Holes::after(self.marks.acked.filter(|it| it.end == self.floor));
        self.reader.rewind(self.floor);
    }

    pub(super) fn newest(&self, events_max: usize) -> Result<Vec<Sealed>, SeglogError> {
        back::newest(&self.writer.log(), events_max)
    }

    /// Whether a batch of the epoch that ends with `last_seq` or later is here.
    pub(super) fn holds(&self, epoch: Epoch, last_seq: EventSeq) -> Result<bool, SeglogError> {
        back::holds(&self.writer.log(), epoch, last_seq)
    }

    /// The epochs that are still held, and how far: opening the log made it durable.
    fn know_epochs(&mut self) -> Result<(), SeglogError> {
        let mut reader = self.writer.log().reader(self.floor);
        while let Some(entry) = reader.next_entry()? {
            let Entry::Record(record) = entry else { continue };
            if let Ok(header) = Header::parse(&record.payload) {
                let (epoch, last) = (header.epoch(), header.last_seq());
                self.acked.entry(epoch).or_insert(None);
                self.marks.reach(Mark { epoch, last, end: record.index.plus(1) });
            }
        }
        Ok(())
    }
}
