//! One lane of the spool: append, lease, acknowledge, shed, over one segment log.

mod back;

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::Arc,
};

use cordon_shared::{
    batch::{Header, Sealed, Source},
    digest::Sha256,
    entropy::Entropy,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{
        Entry, Gap, GapCause, Index, Ledger, LedgerState, LogId, Options, Reader, SeglogError,
        Writer,
    },
};
use tracing::warn;

use super::{Acked, Settings, Shed};

/// The ledger's file name, and the one consumer in it.
const LEDGER: &str = "acked";

/// Smallest and largest segment.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(8 << 20);

/// Acknowledged batches between two saves of the position (chosen: what is sent again after a crash
/// is dropped by the collector, so saving seldom costs only that).
const ACKS_PER_SAVE: u32 = 64;

/// A batch that was leased and is not acknowledged.
#[derive(Debug)]
struct Leased {
    index: Index,
    epoch: Epoch,
    last_seq: EventSeq,
    digest: Sha256,
}

/// One lane.
#[derive(Debug)]
pub struct LaneSpool {
    lane: Lane,
    writer: Writer,
    reader: Reader,
    ledger: Ledger,
    /// All below is acknowledged or shed.
    floor: Index,
    leased: VecDeque<Leased>,
    acked: BTreeMap<Epoch, Option<(EventSeq, Sha256)>>,
    acks_unsaved: u32,
    epoch: Epoch,
    next_seq: EventSeq,
    resume: Option<Source>,
    bytes_max: u64,
    is_failing: bool,
}

impl LaneSpool {
    pub(super) fn open(
        lane: Lane,
        folder: &Path,
        bytes_max: u64,
        settings: &Settings<'_>,
    ) -> Result<Self, SeglogError> {
        let disk = Arc::clone(&settings.disk);
        let (ledger, state) = Ledger::open(Arc::clone(&disk), folder, LEDGER)?;
        if matches!(state, LedgerState::Older | LedgerState::Corrupt) {
            warn!(%lane, "the spool's position was damaged: what was acknowledged may be sent again");
        }
        let floor = ledger.get(LEDGER).unwrap_or(Index::ZERO);
        let mut log_id = [0; 16];
        settings.entropy.fill(&mut log_id);
        let options = Options {
            segment_bytes_max: (bytes_max / 8).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
            needed_from: floor,
            next_min: floor,
            ..Options::spool(LogId::from_bytes(log_id))
        };
        let (writer, recovery) = Writer::open(disk, folder, &options)?;
        if let Some(torn) = &recovery.torn {
            warn!(%lane, bytes = torn.bytes, "cut an unfinished batch from the end of the spool");
        }
        let floor = floor.max(recovery.oldest);
        let reader = writer.log().reader(floor);
        let mut it = Self {
            lane,
            writer,
            reader,
            ledger,
            floor,
            leased: VecDeque::new(),
            acked: BTreeMap::new(),
            acks_unsaved: 0,
            epoch: Epoch::random(settings.entropy),
            next_seq: EventSeq::FIRST,
            resume: None,
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
        // What an earlier call appended and could not write goes first, or its batch would be told
        // to be lost and then appear.
        let written = self.writer.flush().and_then(|_end| {
            self.writer.append(batch.bytes())?;
            Ok(())
        });
        if let Err(error) = written {
            self.note_failure(&error);
            return Err(error);
        }
        let header = batch.header();
        if header.epoch() == self.epoch {
            self.next_seq = header.last_seq().checked_add(1).unwrap_or(self.next_seq);
        }
        if header.source() != Source::default() {
            self.resume = Some(header.source());
        }
        self.acked.entry(header.epoch()).or_insert(None);
        // In memory by now and written at the latest by the next call: a full disk here loses the
        // batch only to a kill before that.
        match self.writer.flush() {
            Ok(_end) => self.is_failing = false,
            Err(error) => self.note_failure(&error),
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        if let Err(error) = self.writer.sync() {
            self.note_failure(&error);
        }
        self.save_position();
    }

    fn note_failure(&mut self, error: &SeglogError) {
        if !self.is_failing {
            let error = error as &dyn std::error::Error;
            warn!(lane = %self.lane, error, "the spool's disk refuses; going on with what fits");
        }
        self.is_failing = true;
    }

    /// Sheds until `bytes_more` fit into the quota.
    pub(super) fn keep_quota(&mut self, bytes_more: usize, shed: &mut Vec<Shed>) {
        let bytes_more = u64::try_from(bytes_more).unwrap_or(u64::MAX);
        while self.bytes_used().saturating_add(bytes_more) > self.bytes_max {
            if !self.shed_oldest(LossCause::Quota, shed) {
                return;
            }
        }
    }

    /// Gives up the oldest segment; says whether there was one to give. What was leased of it counts
    /// as lost although it may arrive: a loss too many is seen, one too few is not.
    pub(super) fn shed_oldest(&mut self, cause: LossCause, shed: &mut Vec<Shed>) -> bool {
        let segments = self.writer.log().segments();
        let [oldest, _, ..] = segments.as_slice() else { return false };
        let until = oldest.until;
        let from = self.floor;
        if from < until {
            let mut reader = self.writer.log().reader(from);
            while reader.position() < until {
                match reader.next_entry() {
                    Ok(Some(Entry::Record(record))) => match Header::parse(&record.payload) {
                        Ok(header) => merge(shed, shed_of(&header, cause)),
                        Err(_) => merge(shed, self.unreadable(1)),
                    },
                    Ok(Some(Entry::Gap(gap))) => merge(shed, self.gap(&gap)),
                    Ok(None) | Err(_) => break,
                }
            }
        }
        self.leased.retain(|it| it.index >= until);
        self.raise_floor(until);
        if self.reader.position() < until {
            self.reader.rewind(until);
        }
        self.writer.log().oldest() >= until
    }

    pub(super) fn lease(
        &mut self,
        batches_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Sealed>, Vec<Shed>), SeglogError> {
        let (mut batches, mut shed) = (Vec::new(), Vec::new());
        if batches_max == 0 {
            return Ok((batches, shed));
        }
        for entry in self.reader.next_batch(batches_max, bytes_max)? {
            let record = match entry {
                Entry::Record(record) => record,
                Entry::Gap(gap) => {
                    if gap.cause != GapCause::Trimmed {
                        shed.push(self.gap(&gap));
                    }
                    continue;
                }
            };
            // The log's checksum held, so what does not parse was never ours to send.
            let Ok(sealed) = Sealed::parse(record.payload) else {
                shed.push(self.unreadable(1));
                continue;
            };
            let (epoch, last_seq) = (sealed.header().epoch(), sealed.header().last_seq());
            let digest = Sha256::of(sealed.bytes());
            self.leased.push_back(Leased { index: record.index, epoch, last_seq, digest });
            batches.push(sealed);
        }
        Ok((batches, shed))
    }

    pub(super) fn ack(&mut self, epoch: Epoch, seq: EventSeq) {
        let mut floor = None;
        while let Some(first) = self.leased.front() {
            if first.epoch != epoch || first.last_seq > seq {
                break;
            }
            self.acked.insert(epoch, Some((first.last_seq, first.digest)));
            floor = Some(first.index.plus(1));
            self.leased.pop_front();
            self.acks_unsaved += 1;
        }
        let Some(floor) = floor else { return };
        // Epochs before the one that is being acknowledged are drained; the present one stays.
        let present = self.epoch;
        if let Some(first) = self.leased.front().map(|it| it.epoch).filter(|it| *it != epoch) {
            self.acked.retain(|it, _| *it == first || *it == present || *it == epoch);
        }
        self.raise_floor(floor);
        if self.acks_unsaved >= ACKS_PER_SAVE {
            self.save_position();
        }
    }

    pub(super) fn rewind(&mut self) {
        self.leased.clear();
        self.reader.rewind(self.floor);
    }

    fn raise_floor(&mut self, floor: Index) {
        self.floor = self.floor.max(floor);
        if let Err(error) = self.writer.log().trim(self.floor) {
            self.note_failure(&error);
        }
    }

    fn save_position(&mut self) {
        if self.ledger.get(LEDGER) == Some(self.floor) {
            return;
        }
        let saved = self.ledger.set(LEDGER, self.floor).and_then(|()| self.ledger.save());
        match saved {
            Ok(()) => self.acks_unsaved = 0,
            Err(error) => self.note_failure(&error),
        }
    }

    fn gap(&self, gap: &Gap) -> Shed {
        self.unreadable(gap.records())
    }

    fn unreadable(&self, count: u64) -> Shed {
        Shed { lane: self.lane, cause: LossCause::Corrupt, range: None, count }
    }

    pub(super) fn newest(&self, events_max: usize) -> Result<Vec<Sealed>, SeglogError> {
        back::newest(&self.writer.log(), events_max)
    }

    /// The epochs that are still held.
    fn know_epochs(&mut self) -> Result<(), SeglogError> {
        let mut reader = self.writer.log().reader(self.floor);
        while let Some(entry) = reader.next_entry()? {
            let Entry::Record(record) = entry else { continue };
            if let Ok(header) = Header::parse(&record.payload) {
                self.acked.entry(header.epoch()).or_insert(None);
            }
        }
        Ok(())
    }
}

/// A batch that is given up.
pub(super) fn shed_of(header: &Header, cause: LossCause) -> Shed {
    let range = Some((header.epoch(), header.first_seq(), header.last_seq()));
    let count = u64::try_from(header.count()).unwrap_or(u64::MAX);
    Shed { lane: header.lane(), cause, range, count }
}

/// Adds to the last loss when it goes on from there.
fn merge(shed: &mut Vec<Shed>, more: Shed) {
    if let Some(last) = shed.last_mut()
        && (last.lane, last.cause) == (more.lane, more.cause)
    {
        match (&mut last.range, more.range) {
            (Some((epoch, _, end)), Some((next, first, last_seq)))
                if *epoch == next && end.checked_add(1) == Some(first) =>
            {
                *end = last_seq;
                last.count += more.count;
                return;
            }
            (None, None) => {
                last.count += more.count;
                return;
            }
            _ => (),
        }
    }
    shed.push(more);
}
