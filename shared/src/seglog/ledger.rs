//! A small durable file of named positions: what each consumer of a log reads next.
//!
//! On the road: beside it. A consumer whose own store cannot hold its position keeps it here. It
//! is never the truth about records: when it is lost, positions are found again from the log
//! (F-11), and records come twice rather than not at all.
//!
//! Two files are written in turn, so that one whole save is there whatever happens to the other:
//!
//! ```text
//! NAME.0, NAME.1                  NAME.new while being written
//!   0   4   magic "CDNP"
//!   4   2   version = 1
//!   6   2   count: positions, 0..=64
//!   8   8   save: rises by one with each; the higher one is in force
//!   then count times, by rising name:
//!       1   name_bytes, 1..=64
//!       n   name
//!       8   position
//!   end 4   crc32c over all before it
//! ```

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Disk, Index, LEDGER_NAME_BYTES_MAX, LEDGER_NAMES_MAX, SeglogError,
    disk::Mode,
    segment::{insist, is_refused},
};

const MAGIC: [u8; 4] = *b"CDNP";
const VERSION: u16 = 1;
const SLOTS: [&str; 2] = [".0", ".1"];

/// A slot can be no larger than this.
const SLOT_BYTES_MAX: usize = 20 + LEDGER_NAMES_MAX * (9 + LEDGER_NAME_BYTES_MAX);

/// Named positions: what each consumer reads next.
#[derive(Debug)]
pub struct Ledger {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    name: String,
    save: u64,
    positions: BTreeMap<String, Index>,
}

/// What opening a ledger found (F-11). Only `Absent` may be taken for a first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerState {
    /// No slot is there.
    Absent,
    /// What is there is whole.
    Whole,
    /// One slot is damaged: the positions may be those of the save before the last, so that some
    /// records may come again.
    Older,
    /// Slots are there and none is whole: rebuild the positions from the log, or start at its
    /// oldest record.
    Corrupt,
}

/// What one slot holds.
#[derive(Debug, PartialEq, Eq)]
enum Slot {
    Absent,
    Damaged,
    Whole { save: u64, positions: BTreeMap<String, Index> },
}

impl Ledger {
    /// Reads the ledger called `name` in `dir`, which is there: files `name.0` and `name.1`.
    ///
    /// # Errors
    /// [`SeglogError::Disk`] when the system does not let a slot be read for another reason than a
    /// bad block.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        name: &str,
    ) -> Result<(Self, LedgerState), SeglogError> {
        let (dir, name) = (dir.to_owned(), name.to_owned());
        let mut ledger = Self { disk, dir, name, save: 0, positions: BTreeMap::new() };
        let (mut whole, mut damaged) = (0, 0);
        for end in SLOTS {
            match ledger.read(end)? {
                Slot::Absent => (),
                Slot::Damaged => damaged += 1,
                Slot::Whole { save, positions } => {
                    whole += 1;
                    if save > ledger.save {
                        (ledger.save, ledger.positions) = (save, positions);
                    }
                }
            }
        }
        let state = match (whole, damaged) {
            (0, 0) => LedgerState::Absent,
            (0, _) => LedgerState::Corrupt,
            (_, 0) => LedgerState::Whole,
            (_, _) => LedgerState::Older,
        };
        Ok((ledger, state))
    }

    /// A consumer's position, if it has one.
    #[must_use]
    pub fn get(&self, consumer: &str) -> Option<Index> {
        self.positions.get(consumer).copied()
    }

    /// Changes a position in memory; [`Ledger::save`] makes it durable. `consumer` is 1 to
    /// [`LEDGER_NAME_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`SeglogError::Size`] when the name is out of bounds, or when there would be more than
    /// [`LEDGER_NAMES_MAX`].
    pub fn set(&mut self, consumer: &str, position: Index) -> Result<(), SeglogError> {
        let refuse = |what, bytes, bytes_max| Err(SeglogError::Size { what, bytes, bytes_max });
        if !(1..=LEDGER_NAME_BYTES_MAX).contains(&consumer.len()) {
            return refuse("consumer's name", consumer.len(), LEDGER_NAME_BYTES_MAX);
        }
        if !self.positions.contains_key(consumer) && self.positions.len() >= LEDGER_NAMES_MAX {
            return refuse("ledger", SLOT_BYTES_MAX + 1, SLOT_BYTES_MAX);
        }
        self.positions.insert(consumer.to_owned(), position);
        Ok(())
    }

    /// Makes the positions durable: written aside, synced, renamed over the older slot, directory
    /// synced.
    ///
    /// # Errors
    /// [`SeglogError::Full`], [`SeglogError::Disk`]: the last save stays in force, or this one is
    /// and a loss of power may still take it back; save again.
    pub fn save(&mut self) -> Result<(), SeglogError> {
        let save = self.save.saturating_add(1);
        let end = if save.is_multiple_of(2) { SLOTS[0] } else { SLOTS[1] };
        let (aside, path) = (self.path(".new"), self.path(end));
        let bytes = encode(save, &self.positions);
        let write = || -> io::Result<()> {
            let file = self.disk.open(&aside, Mode::Emptied)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
            self.disk.rename(&aside, &path)
        };
        write().map_err(|error| {
            drop(self.disk.remove(&aside));
            SeglogError::disk("save", &path, error)
        })?;
        // The name holds the new save from here on: the next one must go to the other slot.
        self.save = save;
        self.disk.sync_dir(&self.dir).map_err(|error| SeglogError::disk("name", &path, error))
    }

    fn path(&self, end: &str) -> PathBuf {
        self.dir.join(format!("{}{end}", self.name))
    }

    fn read(&self, end: &str) -> Result<Slot, SeglogError> {
        let path = self.path(end);
        let mut bytes = vec![0; SLOT_BYTES_MAX + 1];
        let read = insist(|| self.disk.open(&path, Mode::Existing)?.read_at(&mut bytes, 0));
        match read {
            Ok(read) => Ok(decode(&bytes[..read]).unwrap_or(Slot::Damaged)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Slot::Absent),
            Err(error) if is_refused(&error) => Ok(Slot::Damaged),
            Err(error) => Err(SeglogError::disk("read", &path, error)),
        }
    }
}

fn encode(save: u64, positions: &BTreeMap<String, Index>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    // `set` keeps the count and the names' lengths in bounds.
    bytes.extend_from_slice(&u16::try_from(positions.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(&save.to_le_bytes());
    for (name, position) in positions {
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&position.as_u64().to_le_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// A whole slot, or nothing: a newer version counts as damage, since its positions cannot be read.
fn decode(bytes: &[u8]) -> Option<Slot> {
    let (body, crc) = bytes.split_last_chunk()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (magic, rest) = body.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (save, mut rest) = rest.split_first_chunk()?;
    if *magic != MAGIC || u16::from_le_bytes(*version) != VERSION {
        return None;
    }
    let mut positions = BTreeMap::new();
    for _ in 0..u16::from_le_bytes(*count) {
        let (length, after) = rest.split_first()?;
        let (name, after) = after.split_at_checked(usize::from(*length))?;
        let (position, after) = after.split_first_chunk()?;
        let position = Index::from_u64(u64::from_le_bytes(*position));
        positions.insert(String::from_utf8(name.to_vec()).ok()?, position);
        rest = after;
    }
    rest.is_empty().then(|| Slot::Whole { save: u64::from_le_bytes(*save), positions })
}
