//! A journal record: what the collector adds in front of a sealed batch, which is kept as it came.
//!
//! ```text
//! offset size
//!  0      1   version = 1                          numbers little-endian
//!  1      1   flags: bit 0 = `boot_epoch` was measured on the session
//!  2      6   0
//!  8     16   agent
//! 24      8   received: nanoseconds since 1970
//! 32      8   boot epoch: what the collector's clock showed when the host booted
//! 40      …   the sealed batch
//! ```
//!
//! It never opens the batch's body; whoever reads the journal does.

use bytes::Bytes;
use cordon_shared::{
    batch::{BatchError, Sealed},
    error::{Classify, Kind},
    id::AgentId,
    time::Timestamp,
};

/// Bytes in front of the batch.
pub const HEAD_BYTES: usize = 40;

const VERSION: u8 = 1;
const FLAG_CORRECTED: u8 = 1;

/// What the collector knows of a batch beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Who sent it.
    pub agent: AgentId,
    /// When it came.
    pub received: Timestamp,
    /// What the collector's clock showed when the host booted.
    pub boot_epoch: Timestamp,
    /// Whether that was measured on the session.
    pub is_corrected: bool,
}

/// Why a journal record cannot be used, though its checksum is good.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// The head breaks a rule.
    #[error("journal record: `{field}` must be {rule}")]
    Head {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The batch in it does.
    #[error("journal record: {0}")]
    Batch(BatchError),
}

impl Classify for RecordError {
    fn kind(&self) -> Kind {
        Kind::Corrupt
    }
}

impl Head {
    /// The bytes in front of the batch.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = VERSION;
        bytes[1] = if self.is_corrected { FLAG_CORRECTED } else { 0 };
        bytes[8..24].copy_from_slice(self.agent.as_bytes());
        bytes[24..32].copy_from_slice(&self.received.as_ns().to_le_bytes());
        bytes[32..].copy_from_slice(&self.boot_epoch.as_ns().to_le_bytes());
        bytes
    }
}

/// Reads a record; the batch's header and checksums are checked, its body stays closed.
///
/// # Errors
/// [`RecordError`] naming what is wrong.
pub fn decode(payload: &Bytes) -> Result<(Head, Sealed), RecordError> {
    let refuse = |field, rule| RecordError::Head { field, rule };
    let Some((head, _)) = payload.split_first_chunk::<HEAD_BYTES>() else {
        return Err(refuse("length", "at least 40 bytes"));
    };
    let [version, flags, zero @ ..] = head;
    if *version != VERSION {
        return Err(refuse("version", "1"));
    }
    if *flags & !FLAG_CORRECTED != 0 || zero[..6] != [0; 6] {
        return Err(refuse("reserved", "0"));
    }
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&head[at..at + 8]);
        Timestamp::from_ns(i64::from_le_bytes(bytes))
    };
    let head = Head {
        agent: AgentId::from_slice(&head[8..24]).ok_or(refuse("agent", "not all zero"))?,
        received: number(24),
        boot_epoch: number(32),
        is_corrected: *flags & FLAG_CORRECTED != 0,
    };
    let sealed = Sealed::parse(payload.slice(HEAD_BYTES..)).map_err(RecordError::Batch)?;
    Ok((head, sealed))
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        id::{Epoch, EventSeq, Lane},
        test_support::{Random, agent},
    };

    use super::*;

    fn record() -> (Head, Sealed, Bytes) {
        let epoch = Epoch::from_u64(7).unwrap();
        let sealed = Random::new(1).batch(Lane::Critical, epoch, EventSeq::FIRST, 3);
        let head = Head {
            agent: agent(),
            received: Timestamp::from_ns(1_764_000_000_000_000_000),
            boot_epoch: Timestamp::from_ns(-5),
            is_corrected: true,
        };
        let bytes = [head.to_bytes().as_slice(), sealed.bytes()].concat().into();
        (head, sealed, bytes)
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let (head, sealed, bytes) = record();
        assert_eq!(decode(&bytes), Ok((head, sealed)));
    }

    #[test]
    fn every_cut_is_an_error() {
        let (_, _, bytes) = record();
        for cut in 0..bytes.len() {
            assert!(decode(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_reserved_bit_is_refused() {
        let (_, _, bytes) = record();
        for at in 0..8 {
            let mut bytes = bytes.to_vec();
            bytes[at] |= 0x80;
            assert!(decode(&bytes.into()).is_err(), "byte {at}");
        }
    }
}
