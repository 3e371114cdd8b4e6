//! The border: bytes that a peer sent become a batch that keeps its promises, or are refused with
//! field and rule.
//!
//! On the road: before the queue of the journal, on the session's own thread, so that a hostile
//! agent spends its own share and nobody else's. Everything is bounded before it is allocated
//! (F-27, F-28, F-29): the message by the transport, the body by its header, the tables by count.
//!
//! It never repairs anything: a batch is taken as it is or not at all.

use std::sync::Arc;

use bytes::Bytes;
use cordon_shared::{
    batch::{BatchError, Contents, Header, Sealed},
    digest::Sha256,
    error::{Classify, Kind},
};

/// A batch whose every event was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    sealed: Sealed,
    contents: Arc<Contents>,
    digest: Sha256,
}

impl Checked {
    /// The batch as it came.
    #[must_use]
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Lane, epoch, numbers.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.sealed.header()
    }

    /// The events.
    #[must_use]
    pub fn contents(&self) -> &Arc<Contents> {
        &self.contents
    }

    /// SHA-256 of the batch as it came.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.digest
    }
}

/// Why a batch was refused for good.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// There is no header to be read: nothing on this stream can be relied on any more.
    #[error("{0}")]
    Framing(BatchError),
    /// The header stands and says what is refused; the stream goes on.
    #[error("{reason}")]
    Batch {
        /// Which batch.
        header: Header,
        /// Field and rule.
        reason: BatchError,
    },
}

impl Classify for Refused {
    fn kind(&self) -> Kind {
        match self {
            Self::Framing(reason) | Self::Batch { reason, .. } => reason.kind(),
        }
    }
}

/// Checks a batch to the last event.
///
/// - units: costs about half a microsecond of CPU per event; decompresses to at most
///   `limit::BATCH_BODY_BYTES_MAX`.
///
/// # Errors
/// [`Refused`] naming field and rule.
pub fn validate(bytes: Bytes) -> Result<Checked, Refused> {
    let header = Header::parse(&bytes).map_err(Refused::Framing)?;
    let refuse = |reason| Refused::Batch { header, reason };
    let sealed = Sealed::parse(bytes).map_err(refuse)?;
    let contents = sealed.open().map_err(refuse)?;
    if contents.events.iter().any(|event| event.body.lane() != header.lane()) {
        let rule = "the one that its events take";
        return Err(refuse(BatchError::Body { field: "lane", rule }));
    }
    let digest = Sha256::of(sealed.bytes());
    Ok(Checked { sealed, contents: Arc::new(contents), digest })
}

#[cfg(test)]
mod tests;
