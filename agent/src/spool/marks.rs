//! High-water marks: how far each lane's log was once known to be durable (F-10), and until when an
//! agent was there.
//!
//! In: after each sync, the last batch of each epoch that is on disk, the last one acknowledged, and
//! the agent's sign of life. Out, at open: where a log must at least end, and since when no agent was
//! there. A log that ends before was cut from outside, and what is missing is declared by its numbers.
//! It never decides what is let go; that is the book's.
//!
//! One block, overwritten in place and never synced for itself: after a loss of power an older one, or
//! none, is there, which asks for less. It never runs ahead of the log. At open the log itself says
//! more: it is durable then, and its own records are marks too.
//!
//! ```text
//! spool/marks, 4 KiB                          all numbers little-endian
//!   0   4   magic "CDNM"
//!   4   2   version = 1
//!   6   2   zero
//!   8  16   boot of the last sign of life; zero for none
//!  24   8   its nanoseconds of CLOCK_BOOTTIME
//!  32   …   each lane: the mark acknowledged last, then 16 of epochs, oldest first; each 24 bytes:
//!           epoch 8 (0: none), number of its last event 8, index after its record 8
//!   …   4   crc32c of the block up to here
//! ```

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    id::{BootId, Epoch, EventSeq, Lane},
    seglog::{Disk, DiskFile, Index, Mode},
    time::Boottime,
};
use tracing::warn;

/// The file's name.
const NAME: &str = "marks";

const MAGIC: [u8; 4] = *b"CDNM";
const VERSION: u16 = 1;

/// Size of the file.
const BLOCK_BYTES: usize = 4 << 10;

/// Epochs of a lane that are kept (chosen: restarts in one outage); of older ones the records that are
/// missing are counted, not their events.
const EPOCHS_MAX: usize = 16;

/// How old a sign of life becomes before it is written anew, when nothing else is (chosen: an idle host
/// writes one block so often; after `kill -9` a gap is told that much too long).
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// A sign of life: the agent ran, and what its sensors had given by then was in the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alive {
    /// In which boot of the host.
    pub boot: BootId,
    /// When.
    pub at: Boottime,
}

/// The last batch of an epoch: of its numbers and of its lane's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    pub(super) epoch: Epoch,
    pub(super) last: EventSeq,
    /// The index after its record.
    pub(super) end: Index,
}

/// The marks of a lane.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LaneMarks {
    /// Of the batch that was acknowledged last.
    pub(super) acked: Option<Mark>,
    /// Of batches that are durable and were not acknowledged, oldest first.
    pub(super) durable: Vec<Mark>,
}

impl LaneMarks {
    /// All of the epoch up to `mark` is durable. One that says less than was known says nothing.
    pub(super) fn reach(&mut self, mark: Mark) {
        if self.durable.iter().any(|it| it.epoch == mark.epoch && it.end >= mark.end) {
            return;
        }
        self.durable.retain(|it| it.epoch != mark.epoch);
        let at = self.durable.partition_point(|it| it.end < mark.end);
        self.durable.insert(at, mark);
        if self.durable.len() > EPOCHS_MAX {
            self.durable.remove(0);
        }
    }

    /// Whether epochs before the first may be forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.durable.len() >= EPOCHS_MAX
    }

    /// All below `floor` is done with.
    pub(super) fn drop_before(&mut self, floor: Index) {
        self.durable.retain(|it| it.end > floor);
    }

    /// Where the log ends at least.
    pub(super) fn end(&self) -> Index {
        self.durable.last().map_or(Index::ZERO, |it| it.end)
    }
}

/// What the file holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Contents {
    alive: Option<Alive>,
    lanes: [LaneMarks; 3],
}

/// The file.
#[derive(Debug)]
pub(super) struct Marks {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
    /// As they were read or written last.
    written: Contents,
    is_failing: bool,
}

impl Marks {
    /// Reads the file in the spool's folder. Never fails: what is not there asks for nothing.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        let path = folder.join(NAME);
        let (written, is_failing) = (Contents::default(), false);
        let mut it = Self { disk, path, file: None, written, is_failing };
        if let Err(error) = it.read() {
            it.note_failure(&error);
        }
        it
    }

    fn read(&mut self) -> io::Result<()> {
        let file = match self.disk.open(&self.path, Mode::Existing) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let mut bytes = vec![0; BLOCK_BYTES];
        file.read_at(&mut bytes, 0)?;
        self.file = Some(file);
        match decode(&bytes) {
            Some(marks) => self.written = marks,
            None if bytes.iter().all(|it| *it == 0) => (),
            None => warn!("`{}` is damaged: a cut log would not show", self.path.display()),
        }
        Ok(())
    }

    /// What stands on disk of a lane.
    pub(super) fn lane(&self, lane: Lane) -> &LaneMarks {
        &self.written.lanes[lane.index()]
    }

    /// The last sign of life that stands on disk.
    pub(super) fn alive(&self) -> Option<Alive> {
        self.written.alive
    }

    /// Overwrites them, when they changed; without a sign of life the older one stands. A disk that
    /// refuses keeps all the older ones.
    pub(super) fn write(&mut self, lanes: [LaneMarks; 3], alive: Option<Alive>) {
        let before = self.written.alive;
        let is_due = alive.is_some_and(|now| {
            before.is_none_or(|it| it.boot != now.boot || now.at.since(it.at) >= ALIVE_EVERY)
        });
        if lanes == self.written.lanes && !is_due {
            return;
        }
        let contents = Contents { alive: alive.or(before), lanes };
        match self.put(&encode(&contents)) {
            Ok(()) => (self.written, self.is_failing) = (contents, false),
            Err(error) => self.note_failure(&error),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.disk.open(&self.path, Mode::Emptied)?,
        };
        file.write_at(bytes, 0)?;
        self.file = Some(file);
        Ok(())
    }

    fn note_failure(&mut self, error: &io::Error) {
        if !self.is_failing {
            warn!("failed to keep `{}`: a cut log may not show: {error}", self.path.display());
        }
        self.is_failing = true;
    }
}

fn encode(contents: &Contents) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&contents.alive.map_or([0; 16], |it| it.boot.0));
    bytes.extend_from_slice(&contents.alive.map_or(0, |it| it.at.as_ns()).to_le_bytes());
    for lane in &contents.lanes {
        let durable = (0..EPOCHS_MAX).map(|at| lane.durable.get(at).copied());
        for mark in std::iter::once(lane.acked).chain(durable) {
            let numbers = mark.map(|it| [it.epoch.as_u64(), it.last.as_u64(), it.end.as_u64()]);
            for number in numbers.unwrap_or_default() {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.resize(BLOCK_BYTES, 0);
    bytes
}

/// A whole block, or nothing.
fn decode(bytes: &[u8]) -> Option<Contents> {
    let (head, mut rest) = bytes.split_first_chunk::<8>()?;
    let [version_low, version_high] = VERSION.to_le_bytes();
    if head.get(..6)? != [MAGIC.as_slice(), &[version_low, version_high]].concat() {
        return None;
    }
    let (boot, after) = rest.split_first_chunk()?;
    let (at, after) = after.split_first_chunk()?;
    rest = after;
    let at = Boottime::from_ns(u64::from_le_bytes(*at));
    let alive = (*boot != [0; 16]).then_some(Alive { boot: BootId(*boot), at });
    let mut contents = Contents { alive, lanes: Default::default() };
    for lane in &mut contents.lanes {
        lane.acked = take_mark(&mut rest)?;
        for _ in 0..EPOCHS_MAX {
            lane.durable.extend(take_mark(&mut rest)?);
        }
    }
    let covered = bytes.get(..bytes.len() - rest.len())?;
    (u32::from_le_bytes(*rest.first_chunk()?) == crc32c::crc32c(covered)).then_some(contents)
}

fn take_mark(rest: &mut &[u8]) -> Option<Option<Mark>> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        let (bytes, after) = rest.split_first_chunk()?;
        (*number, *rest) = (u64::from_le_bytes(*bytes), after);
    }
    let [epoch, last, end] = numbers;
    let Some(epoch) = Epoch::from_u64(epoch) else { return Some(None) };
    Some(Some(Mark { epoch, last: EventSeq::from_u64(last)?, end: Index::from_u64(end) }))
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        id::{BootId, Epoch, EventSeq},
        seglog::Index,
        time::Boottime,
    };

    use super::{Alive, Contents, LaneMarks, Mark, decode, encode};

    fn mark(number: u64) -> Mark {
        let epoch = Epoch::from_u64(number).expect("not zero");
        let last = EventSeq::from_u64(number * 10).expect("not zero");
        Mark { epoch, last, end: Index::from_u64(number * 100) }
    }

    #[test]
    fn a_damaged_block_is_none() {
        let mut lane = LaneMarks { acked: Some(mark(1)), ..LaneMarks::default() };
        (2..=40).for_each(|it| lane.reach(mark(it)));
        let alive = Some(Alive { boot: BootId([7; 16]), at: Boottime::from_ns(9) });
        let lanes = [lane, LaneMarks::default(), LaneMarks::default()];
        let contents = Contents { alive, lanes };
        let block = encode(&contents);
        assert_eq!(decode(&block), Some(contents));
        for at in 0..1_260 {
            let mut hit = block.clone();
            hit[at] ^= 4;
            assert_eq!(decode(&hit), None, "flipped at {at}");
        }
    }
}
