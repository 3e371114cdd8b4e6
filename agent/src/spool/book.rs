//! The spool's book: how far each lane is done with, and which losses are owed a declaration.
//!
//! In: what was acknowledged and what was given up. Out: where to go on after a restart, and the
//! losses, to be declared. Nothing is let go before it stands in here: so after `kill -9` no loss is
//! undeclared, on a full disk either (F-6). A loss stands in here until the batch that declares it is
//! acknowledged: should that batch be lost too, it is owed again. A book that is damaged is rebuilt from
//! what the lanes hold, and says that losses may be forgotten: as one of each lane, of unknown count.
//!
//! For that it is a file of fixed size, made in advance and overwritten in place, which takes no room.
//! (A file system that never overwrites, as btrfs, may refuse all the same: then nothing is let go.)
//! Two slots are written in turn, so that one is whole whatever happens to the other:
//!
//! ```text
//! spool/book, two slots of 28 KiB            all numbers little-endian
//!   0   4   magic "CDNK"
//!   4   2   version = 1
//!   6   2   count: losses, 0..=536
//!   8   8   save: rises by one with each; the higher one is in force
//!  16  24   floor of each lane: its records below it are done with
//!  40  24   told of each lane: gaps below it stood in here once
//!  64  48   source of each lane, epoch and position: past it the lane's observations are not lost
//! 112   8   epoch of the batch that is to declare losses just now; 0 for none
//! 120   8   number of its last event
//! 128   8   its record in the critical lane
//! 136   …   48 each: lane 1, cause 1, zero 6, count 8, epoch 8 (0: no numbers known), first 8, last 8,
//!           record that declares it 8, plus one (0: owed)
//!   …   4   crc32c of the slot up to here
//! ```

mod slot;

use std::{
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use cordon_shared::{
    batch::{Header, Source},
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Disk, DiskFile, Index, Mode},
};
use tracing::{error, warn};

use self::slot::SLOT_BYTES;
use super::Shed;

/// The file's name.
const NAME: &str = "book";

/// Losses that are kept apart (chosen: what a slot holds); what is more is told as one sum.
const LOSSES_MAX: usize = 512;

/// Losses that wait for the acknowledgement of their declaration (chosen: half of what is kept); what
/// is owed meanwhile waits, and grows together.
const DECLARED_MAX: usize = LOSSES_MAX / 2;

/// A declaration under way: a batch of the critical lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Declaration {
    epoch: Epoch,
    last_seq: EventSeq,
    record: Index,
}

/// A loss, and the record of the critical lane that declares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    shed: Shed,
    declared: Option<Index>,
}

/// What is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct State {
    floors: [Index; 3],
    told: [Index; 3],
    sources: [Source; 3],
    declaration: Option<Declaration>,
    losses: Vec<Entry>,
}

/// Whether a save is to survive a loss of power too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Against {
    /// `kill -9`.
    Kill,
    /// A loss of power.
    PowerLoss,
}

/// Whether what was written is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sync {
    Done,
    Due,
    /// What was written since the last sync may be forgotten, whatever the next one says (F-8).
    Failed,
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `None` while it could not be made.
    file: Option<Arc<dyn DiskFile>>,
    save: u64,
    state: State,
    /// As it is on disk; the default when nothing is.
    saved: State,
    sync: Sync,
    is_failing: bool,
    /// It was found to say nothing, or less than it once did.
    is_damaged: bool,
}

impl Book {
    /// Reads the book in the spool's folder, or makes it. Never fails: without a file nothing is let
    /// go, and it is tried again with each save. Of one that is damaged the older slot is taken, if
    /// that is whole, and [`Book::is_damaged`] says so (F-11).
    pub(super) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        let path = folder.join(NAME);
        let (state, saved) = (State::default(), State::default());
        let (file, save, sync) = (None, 0, Sync::Done);
        let (is_failing, is_damaged) = (false, false);
        let mut it = Self { disk, path, file, save, state, saved, sync, is_failing, is_damaged };
        if let Err(error) = it.read() {
            it.is_damaged = true;
            it.note_failure(&error);
        }
        it
    }

    fn read(&mut self) -> io::Result<()> {
        let file = match self.disk.open(&self.path, Mode::Existing) {
            Err(error) if error.kind() == ErrorKind::NotFound => return self.make(),
            opened => opened?,
        };
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        let is_empty = bytes.iter().all(|it| *it == 0);
        let slots: Vec<_> = bytes.chunks_exact(SLOT_BYTES).filter_map(slot::decode).collect();
        let whole = slots.len() as u64;
        match slots.into_iter().max_by_key(|it| it.0) {
            Some((save, state)) => {
                (self.save, self.state) = (save, state);
                // From the second save on there are two.
                self.is_damaged = whole < save.min(2);
            }
            None if is_empty => (),
            None => {
                self.is_damaged = true;
                return self.make();
            }
        }
        self.saved = self.state.clone();
        let missing = bytes.get(read..).unwrap_or_default();
        if !missing.is_empty() {
            file.write_at(&vec![0; missing.len()], read as u64)?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Takes its room on the disk.
    fn make(&mut self) -> io::Result<()> {
        let file = self.disk.open(&self.path, Mode::Emptied)?;
        let made = file.write_at(&vec![0; 2 * SLOT_BYTES], 0).and_then(|()| file.sync());
        if let Err(error) = made {
            drop(self.disk.remove(&self.path));
            return Err(error);
        }
        if let Some(folder) = self.path.parent() {
            self.disk.sync_dir(folder)?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Whether it was ever written: else its floors say nothing.
    pub(super) fn is_known(&self) -> bool {
        self.save > 0
    }

    /// Whether it said more once than it does now.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Goes on from where the lanes stand, since nobody knows what the book said: of every lane, losses
    /// may have stood in it that were never declared.
    pub(super) fn rebuild(&mut self, floors: [(Lane, Index); 3]) {
        let path = self.path.display();
        error!("`{path}` is damaged: losses may be forgotten, and some batches sent again");
        for (lane, floor) in floors {
            self.raise_floor(lane, floor);
            let (cause, range, count) = (LossCause::Corrupt, None, 0);
            self.owe(Shed { lane, cause, range, count });
        }
    }

    pub(super) fn floor(&self, lane: Lane) -> Index {
        self.state.floors[lane.index()]
    }

    /// All of the lane below `floor` is acknowledged.
    pub(super) fn acknowledge(&mut self, lane: Lane, floor: Index) {
        self.raise_floor(lane, floor);
        if lane == Lane::Critical {
            self.state.losses.retain(|it| it.declared.is_none_or(|record| record >= floor));
        }
    }

    /// All of the lane below `floor` is given up.
    pub(super) fn give_up(&mut self, lane: Lane, floor: Index) {
        self.raise_floor(lane, floor);
        self.owe_again(lane, Index::ZERO..floor);
    }

    fn raise_floor(&mut self, lane: Lane, floor: Index) {
        let here = &mut self.state.floors[lane.index()];
        *here = floor.max(*here);
    }

    /// What these records declared is owed again.
    pub(super) fn owe_again(&mut self, lane: Lane, records: Range<Index>) {
        if lane == Lane::Critical {
            for it in &mut self.state.losses {
                it.declared = it.declared.filter(|record| !records.contains(record));
            }
        }
    }

    /// Where the lane's source stood after the newest batch that was given up.
    pub(super) fn source(&self, lane: Lane) -> Source {
        self.state.sources[lane.index()]
    }

    /// Losses that no batch declares, oldest first.
    pub(super) fn owed(&self) -> impl Iterator<Item = &Shed> {
        self.state.losses.iter().filter(|it| it.declared.is_none()).map(|it| &it.shed)
    }

    /// How many more losses may be declared now.
    pub(super) fn room(&self) -> usize {
        let declared = self.state.losses.iter().filter(|it| it.declared.is_some()).count();
        DECLARED_MAX.saturating_sub(declared)
    }

    /// Whether all losses stand on disk, so that what they took may be let go.
    pub(super) fn is_settled(&self) -> bool {
        self.state.losses == self.saved.losses && self.state.sources == self.saved.sources
    }

    /// Notes a loss.
    pub(super) fn owe(&mut self, shed: Shed) {
        let is_full = self.state.losses.len() >= LOSSES_MAX;
        let mut owed = self.state.losses.iter_mut().filter(|it| it.declared.is_none());
        if owed.any(|it| it.shed.extend(&shed)) {
            return;
        }
        // As one sum without numbers, in the place of the oldest of its kind.
        let same = |it: &&mut Entry| {
            let kind = (it.shed.lane, it.shed.cause);
            is_full && it.declared.is_none() && kind == (shed.lane, shed.cause)
        };
        match self.state.losses.iter_mut().find(same) {
            Some(it) => {
                it.shed.range = None;
                it.shed.count = it.shed.count.saturating_add(shed.count);
            }
            None => self.state.losses.push(Entry { shed, declared: None }),
        }
    }

    /// Notes a batch that the spool could not take, and with it how far its source came.
    pub(super) fn owe_batch(&mut self, header: &Header, cause: LossCause) {
        self.owe(Shed::of(header, cause));
        if header.source() != Source::default() {
            self.state.sources[header.lane().index()] = header.source();
        }
    }

    /// Notes records of a lane's log that cannot be read, unless that was done.
    pub(super) fn owe_gap(&mut self, shed: Shed, records: Range<Index>) {
        if self.state.told[shed.lane.index()] < records.end {
            self.state.told[shed.lane.index()] = records.end;
            self.owe_again(shed.lane, records);
            self.owe(shed);
        }
    }

    /// The first `losses` that are owed are about to be declared by the batch that ends with
    /// `last_seq`, as the critical lane's `record`. Says whether that stands on disk: only then the
    /// batch may be written.
    pub(super) fn begin(
        &mut self,
        epoch: Epoch,
        last_seq: EventSeq,
        record: Index,
        losses: usize,
    ) -> bool {
        self.state.declaration = Some(Declaration { epoch, last_seq, record });
        let owed = self.state.losses.iter_mut().filter(|it| it.declared.is_none());
        owed.take(losses).for_each(|it| it.declared = Some(record));
        self.save(Against::Kill)
    }

    /// The batch was written, or not: what it declared is owed again.
    pub(super) fn conclude(&mut self, is_written: bool) {
        if let Some(it) = self.state.declaration.take()
            && !is_written
        {
            self.owe_again(Lane::Critical, it.record..it.record.plus(1));
        }
    }

    /// The batch of a declaration that a crash interrupted.
    pub(super) fn interrupted(&self) -> Option<(Epoch, EventSeq)> {
        self.state.declaration.map(|it| (it.epoch, it.last_seq))
    }

    /// What there is now, to go back to.
    pub(super) fn mark(&self) -> impl FnOnce(&mut Self) + use<> {
        let before = self.state.clone();
        move |it| it.state = before
    }

    /// Writes what changed; says whether it stands on disk now.
    pub(super) fn save(&mut self, against: Against) -> bool {
        match self.write(against) {
            Ok(()) => {
                self.is_failing = false;
                true
            }
            Err(error) => {
                self.note_failure(&error);
                false
            }
        }
    }

    fn write(&mut self, against: Against) -> io::Result<()> {
        if self.file.is_none() {
            self.make()?;
        }
        let Some(file) = &self.file else { return Ok(()) };
        let is_suspect = self.sync == Sync::Failed;
        if self.state != self.saved || self.save == 0 || is_suspect {
            // What may be forgotten takes its own place again: the other slot is known to be there.
            let save = if is_suspect { self.save } else { self.save + 1 };
            let at = if save.is_multiple_of(2) { 0 } else { SLOT_BYTES };
            // A slot that was written in part is the older one: the other stays in force.
            file.write_at(&slot::encode(save, &self.state), at as u64)?;
            self.save = save;
            self.saved = self.state.clone();
            self.sync = if is_suspect { Sync::Failed } else { Sync::Due };
        }
        if against == Against::PowerLoss && self.sync != Sync::Done {
            self.sync = Sync::Failed;
            file.sync()?;
            self.sync = Sync::Done;
        }
        Ok(())
    }

    fn note_failure(&mut self, error: &io::Error) {
        if !self.is_failing {
            let path = self.path.display();
            warn!("failed to write `{path}`: nothing is let go until that works: {error}");
        }
        self.is_failing = true;
    }
}

#[cfg(test)]
mod tests;
