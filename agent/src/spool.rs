//! The spool: sealed batches on disk until the collector has them.
//!
//! In: sealed batches, from the road. Out: leases, to the session: the same bytes, oldest first, as
//! often as it takes. Three lanes, each with a segment log, a sequence and a quota of its own, so
//! that a flood in one costs the others nothing. Each opening numbers its events in a new random
//! epoch; what older epochs left behind comes first, since the log is in order of time.
//!
//! It knows bytes and the headers of batches, never an event. It never ends the agent: what a full
//! disk or a quota takes stands in its book (`book.rs`) as a range of numbers, until the caller has
//! declared it, and nothing is let go before that. A log that was cut from outside shows by its
//! high-water mark (`marks.rs`).
//!
//! - **SP-1**: a batch is deleted only after its acknowledgement, or is a declared loss.
//! - **SP-2**: leases come in sequence order; what is missing is a declared loss.
//! - **SP-3**: a torn tail is cut at open and never handed out (by `seglog`).
//!
//! Numbers: the critical lane may use half of the spool, the others a quarter each. A lane's segment
//! is an eighth of its quota, 64 KiB to 8 MiB, and is the unit in which it sheds.

mod book;
mod error;
mod lane;
mod marks;
mod reserve;
mod shed;

use std::{fmt, io, path::Path, sync::Arc};

use cordon_shared::{
    batch::{Sealed, Source},
    digest::Sha256,
    entropy::Entropy,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Disk, Index, SeglogError},
};

use self::{
    book::{Against, Book},
    lane::Lease,
    marks::{LaneMarks, Marks},
    reserve::Reserve,
};
pub use self::{
    error::SpoolError,
    lane::LaneSpool,
    marks::Alive,
    shed::{Fate, Shed},
};

/// How far an epoch of a lane was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acked {
    /// Whose.
    pub lane: Lane,
    /// Which opening.
    pub epoch: Epoch,
    /// The last event, and the digest of the batch that it ends.
    pub at: Option<(EventSeq, Sha256)>,
}

/// What is known of the agent that had this spool before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// There was none.
    Nobody,
    /// There was one; nothing says until when.
    Unknown,
    /// Its last sign of life.
    Alive(Alive),
}

/// How the spool is opened.
#[derive(Debug)]
pub struct Settings<'a> {
    /// The spool's folder; its parent is there.
    pub folder: &'a Path,
    /// Quota of all lanes together.
    pub bytes_max: u64,
    /// The door to the file system.
    pub disk: Arc<dyn Disk>,
    /// Makes epochs.
    pub entropy: &'a dyn Entropy,
}

/// Three lanes.
#[derive(Debug)]
pub struct Spool {
    lanes: [LaneSpool; 3],
    book: Book,
    marks: Marks,
    before: Before,
    /// The agent's newest sign of life.
    alive: Option<Alive>,
    reserve: Reserve,
    bytes_max: u64,
    /// Takes the folder for this process.
    _lock: Box<dyn fmt::Debug + Send + Sync>,
}

impl Spool {
    /// Opens all lanes, each in a new epoch.
    ///
    /// # Errors
    /// [`SpoolError`] naming the folder or the lane.
    pub fn open(settings: &Settings<'_>) -> Result<Self, SpoolError> {
        settings
            .disk
            .create_dir(settings.folder)
            .map_err(|source| SpoolError::Folder { path: settings.folder.to_owned(), source })?;
        let lock = settings.disk.lock(settings.folder).map_err(|source| {
            let path = settings.folder.to_owned();
            if source.kind() == io::ErrorKind::WouldBlock {
                SpoolError::InUse { path }
            } else {
                SpoolError::Folder { path, source }
            }
        })?;
        let mut book = Book::open(Arc::clone(&settings.disk), settings.folder);
        let disk = Arc::clone(&settings.disk);
        let mut reserve = Reserve::find(disk, settings.folder, settings.bytes_max);
        let marks = Marks::open(Arc::clone(&settings.disk), settings.folder);
        let mut open = |lane| {
            let open = || Self::open_lane(lane, &book, &marks, settings);
            match open() {
                Err(SpoolError::Log { source: SeglogError::Full { .. }, .. }) if reserve.give() => {
                    open()
                }
                opened => opened,
            }
        };
        let lanes = [open(Lane::Critical)?, open(Lane::Network)?, open(Lane::File)?];
        let is_new = lanes.iter().all(|it| it.next_record() == Index::ZERO);
        let before = match marks.alive() {
            Some(alive) => Before::Alive(alive),
            None if is_new => Before::Nobody,
            None => Before::Unknown,
        };
        if book.is_damaged() || (!book.is_known() && !is_new) {
            book.rebuild(Lane::ALL.map(|it| (it, lanes[it.index()].floor())));
        }
        if let Some((epoch, last_seq)) = book.interrupted() {
            let is_written = lanes[Lane::Critical.index()].holds(epoch, last_seq);
            book.conclude(
                is_written.map_err(|source| SpoolError::Log { lane: Lane::Critical, source })?,
            );
        }
        book.save(Against::PowerLoss);
        reserve.restore();
        let (alive, bytes_max) = (None, settings.bytes_max);
        Ok(Self { lanes, book, marks, before, alive, reserve, bytes_max, _lock: lock })
    }

    fn open_lane(
        lane: Lane,
        book: &Book,
        marks: &Marks,
        settings: &Settings<'_>,
    ) -> Result<LaneSpool, SpoolError> {
        let path = settings.folder.join(lane.as_str());
        let made = settings.disk.create_dir(&path);
        made.map_err(|source| SpoolError::Folder { path: path.clone(), source })?;
        LaneSpool::open(lane, &path, (book, marks.lane(lane)), settings)
            .map_err(|source| SpoolError::Log { lane, source })
    }

    /// One lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &LaneSpool {
        let [critical, network, file] = &self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    /// One lane, to change it.
    pub fn lane_mut(&mut self, lane: Lane) -> &mut LaneSpool {
        let [critical, network, file] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    /// Takes a batch in and writes it, so that it survives `kill -9`, or gives it up (SP-1).
    ///
    /// When the disk is full although the lane is within its quota, the lanes give way in the order
    /// file, network, critical; never the other way.
    pub fn push(&mut self, batch: &Sealed) -> Fate {
        if self.take(batch) {
            return Fate::Spooled;
        }
        self.lane_mut(batch.header().lane()).skip(batch.header());
        self.book.owe_batch(batch.header(), LossCause::Quota);
        self.book.save(Against::Kill);
        Fate::Lost
    }

    /// Writes a batch, if it can; says whether it did.
    fn take(&mut self, batch: &Sealed) -> bool {
        let lane = batch.header().lane();
        let bytes_more = u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX);
        while self.lane(lane).is_over_quota(bytes_more) && self.shed_oldest(lane) {}
        let mut pushed = self.lane_mut(lane).push(batch);
        // A lesser lane takes nothing from a greater one; another failure is not mended by room.
        let victims = [Lane::File, Lane::Network, Lane::Critical];
        for victim in victims.into_iter().filter(|it| it.index() >= lane.index()) {
            while matches!(pushed, Err(SeglogError::Full { .. })) && self.shed_oldest(victim) {
                pushed = self.lane_mut(lane).push(batch);
            }
        }
        pushed.is_ok()
    }

    /// Gives up a lane's oldest segment; says whether there was one to give. What was leased of it
    /// counts as lost although it may arrive: a loss too many is seen, one too few is not.
    fn shed_oldest(&mut self, lane: Lane) -> bool {
        let Some((until, losses)) = self.lane(lane).oldest_segment(LossCause::Quota) else {
            return false;
        };
        let go_back = self.book.mark();
        losses.into_iter().for_each(|it| self.book.owe(it));
        self.book.give_up(lane, until);
        if !self.book.save(Against::PowerLoss) {
            go_back(&mut self.book);
            return false;
        }
        self.lane_mut(lane).raise_floor(until);
        self.lane_mut(lane).trim()
    }

    /// Whether all that was given up stands on disk: only then its sources may let go of it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.book.is_settled()
    }

    /// What is owed a declaration and may be declared now, oldest first.
    #[must_use]
    pub fn owed(&self) -> Vec<Shed> {
        self.book.owed().take(self.book.room()).copied().collect()
    }

    /// Notes a loss of events that have numbers and are not in the spool.
    pub fn owe(&mut self, shed: Shed) {
        self.lane_mut(shed.lane).skip_to(shed.range);
        self.book.owe(shed);
        self.book.save(Against::Kill);
    }

    /// The collector refused a leased batch for good, the oldest of its lane: it is given up.
    pub fn refuse(&mut self, shed: Shed) {
        let Some((epoch, _, last)) = shed.range else { return };
        if let Some(record) = self.lane(shed.lane).leased(epoch, last) {
            self.book.owe_again(shed.lane, record..record.plus(1));
        }
        self.owe(shed);
        let floor = self.lane_mut(shed.lane).refuse(epoch, last);
        self.let_go(shed.lane, floor);
    }

    /// Takes the batch that declares the first `losses` that are owed. Nothing is given up for it:
    /// while there is no room they stay owed, and its numbers are given anew.
    pub fn declare(&mut self, batch: &Sealed, losses: usize) -> Fate {
        let header = batch.header();
        let record = self.lane(header.lane()).next_record();
        if !self.book.begin(header.epoch(), header.last_seq(), record, losses) {
            self.book.conclude(false);
            return Fate::Lost;
        }
        let lane = self.lane_mut(header.lane());
        let is_written = lane.push(batch).is_ok();
        if is_written {
            lane.sync();
        }
        self.book.conclude(is_written);
        self.book.save(Against::Kill);
        if is_written { Fate::Spooled } else { Fate::Lost }
    }

    /// What is known of the agent before this one.
    #[must_use]
    pub fn before(&self) -> Before {
        self.before
    }

    /// Notes a sign of life; it is written with the next sync, every few seconds.
    pub fn note_alive(&mut self, alive: Alive) {
        self.alive = Some(alive);
    }

    /// Makes everything durable against a loss of power. A disk that fails keeps what it has; the
    /// next call tries again.
    pub fn sync(&mut self) {
        for lane in &mut self.lanes {
            lane.sync();
        }
        if self.book.save(Against::PowerLoss) {
            // What could not be trimmed when it was done with.
            for lane in self.lanes.iter_mut().filter(|it| it.is_trim_due()) {
                lane.trim();
            }
        }
        let marks = self.lanes.each_ref().map(LaneSpool::marks);
        self.marks.write(marks.map(LaneMarks::clone), self.alive);
        // What is owed goes before what may be needed.
        if self.book.owed().next().is_none() && self.lanes.iter().all(LaneSpool::is_well) {
            self.reserve.restore();
        }
    }

    /// Up to `batches_max` batches and `bytes_max` bytes of one lane, oldest first, that are not
    /// leased yet (SP-2). What is missing in between is owed.
    ///
    /// # Errors
    /// [`SpoolError::Log`] when the disk does not let them be read: try again later.
    pub fn lease(
        &mut self,
        lane: Lane,
        batches_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Sealed>, SpoolError> {
        let Lease { batches, gaps } = self
            .lane_mut(lane)
            .lease(batches_max, bytes_max)
            .map_err(|source| SpoolError::Log { lane, source })?;
        if !gaps.is_empty() {
            gaps.into_iter().for_each(|(shed, records)| self.book.owe_gap(shed, records));
            self.book.save(Against::Kill);
        }
        Ok(batches)
    }

    /// The newest batches of a lane that are on disk, acknowledged or not, oldest first: as many as
    /// hold `events_max` events or less. What cannot be read is left out.
    ///
    /// # Errors
    /// [`SpoolError::Log`] when the disk refuses.
    pub fn newest(&self, lane: Lane, events_max: usize) -> Result<Vec<Sealed>, SpoolError> {
        self.lane(lane).newest(events_max).map_err(|source| SpoolError::Log { lane, source })
    }

    /// Everything of the epoch up to and with `seq` is on the collector's disk: it may go (SP-1).
    pub fn ack(&mut self, lane: Lane, epoch: Epoch, seq: EventSeq) {
        let floor = self.lane_mut(lane).ack(epoch, seq);
        self.let_go(lane, floor);
    }

    /// Nobody needs what lies below `floor` any more.
    fn let_go(&mut self, lane: Lane, floor: Option<Index>) {
        let Some(floor) = floor else { return };
        self.book.acknowledge(lane, floor);
        self.lane_mut(lane).raise_floor(floor);
        // Unless it stands in the book what is trimmed would look lost after a crash.
        if self.lane(lane).is_trim_due() && self.book.save(Against::PowerLoss) {
            self.lane_mut(lane).trim();
        }
    }

    /// What was leased and is not acknowledged will be leased again.
    pub fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.rewind();
        }
    }

    /// How far each epoch that is still held was acknowledged.
    #[must_use]
    pub fn positions(&self) -> Vec<Acked> {
        self.lanes.iter().flat_map(LaneSpool::positions).collect()
    }

    /// Where a lane's source stood after its newest batch, spooled or given up.
    #[must_use]
    pub fn resume(&self, lane: Lane) -> Option<Source> {
        let (spooled, given_up) = (self.lane(lane).resume(), self.book.source(lane));
        match spooled {
            Some(it) if it.epoch != given_up.epoch || it.position >= given_up.position => Some(it),
            Some(_) | None => Some(given_up).filter(|it| *it != Source::default()),
        }
    }

    /// Bytes on disk, and the quota.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.lanes.iter().map(LaneSpool::bytes_used).sum(), self.bytes_max)
    }
}

#[cfg(test)]
mod tests;
