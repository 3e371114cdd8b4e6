//! A small durable file of named positions.

use std::{path::Path, sync::Arc};

use super::{Disk, Index, SeglogError};

/// Named positions: what each consumer reads next.
#[derive(Debug)]
pub struct Ledger {
    disk: Arc<dyn Disk>,
}

/// What opening a ledger found (F-11). Only `Absent` may be taken for a first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerState {
    /// No slot is there.
    Absent,
    /// The newest save is whole.
    Whole,
    /// One slot is damaged or gone: the positions may be those of the save before the last, so
    /// that some records may come again.
    Older,
    /// Slots are there and none is whole: rebuild the positions from the log, or start at its
    /// oldest record.
    Corrupt,
}

impl Ledger {
    /// Reads the ledger called `name` in `dir`: files `name.0` and `name.1`.
    ///
    /// # Errors
    /// [`SeglogError::Disk`] when a slot is there and the system does not let it be read.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        name: &str,
    ) -> Result<(Self, LedgerState), SeglogError> {
        let _ = (dir, name);
        Ok((Self { disk }, LedgerState::Absent))
    }

    /// A consumer's position, if it has one.
    #[must_use]
    pub fn get(&self, consumer: &str) -> Option<Index> {
        let _ = (consumer, &self.disk);
        None
    }

    /// Changes a position in memory; [`Ledger::save`] makes it durable. `consumer` is 1 to
    /// [`super::LEDGER_NAME_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`SeglogError::Size`] when the name is out of bounds or there are too many.
    pub fn set(&mut self, consumer: &str, position: Index) -> Result<(), SeglogError> {
        let _ = (consumer, position);
        Ok(())
    }

    /// Makes the positions durable: written aside, synced, renamed over the older slot, directory
    /// synced.
    ///
    /// # Errors
    /// [`SeglogError::Full`], [`SeglogError::Disk`]: the last save stays in force.
    pub fn save(&mut self) -> Result<(), SeglogError> {
        Ok(())
    }
}
