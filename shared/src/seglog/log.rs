//! The handle that writer, readers and the owner share.

use std::sync::Arc;

use super::{Index, Reader, SeglogError};

/// Handle to an open log: cheap to clone, for any thread.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<()>,
}

/// One segment, as accounting sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpan {
    /// Its first record.
    pub first: Index,
    /// The first record after it.
    pub until: Index,
    /// Its size on disk.
    pub bytes: u64,
}

/// What a trim deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Log {
    /// A cursor that begins at `at`, which may lie before the oldest record (then a gap comes
    /// first) or after the newest (then nothing comes until it is there).
    #[must_use]
    pub fn reader(&self, at: Index) -> Reader {
        Reader { log: self.clone(), position: at }
    }

    /// The first record that is there; the end when none is.
    #[must_use]
    pub fn oldest(&self) -> Index {
        Index::ZERO
    }

    /// The end of what readers can see: all below it was flushed.
    #[must_use]
    pub fn flushed(&self) -> Index {
        Index::ZERO
    }

    /// The end of what survives a loss of power: all below it was synced.
    #[must_use]
    pub fn durable(&self) -> Index {
        Index::ZERO
    }

    /// Bytes of all segments on disk.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        0
    }

    /// The segments, oldest first. The last is never trimmed.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentSpan> {
        Vec::new()
    }

    /// Deletes the segments whose records all lie below `before` (SP-1: the owner names an index
    /// only when all below it is acknowledged). The newest segment always stays, and so do the
    /// [`super::PREFACES_KEPT`] newest that have a preface, with what follows them.
    ///
    /// # Errors
    /// [`SeglogError::Disk`]: some may have been deleted; call again.
    pub fn trim(&self, before: Index) -> Result<Trimmed, SeglogError> {
        let _ = (before, &self.shared);
        Ok(Trimmed::default())
    }
}
