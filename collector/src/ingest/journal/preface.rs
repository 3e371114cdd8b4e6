//! What each segment of the journal begins with: all positions, and which records nobody is to see.
//!
//! ```text
//! magic "CDNJ" | skipped u32 | skipped × position u64 | positions (dedupe/snapshot.rs)   little-endian
//! magic "CDNS" | skipped u32 | skipped × position u64
//! ```
//!
//! The second is that of a segment which begins while records are lost: positions would vouch for them.
//!
//! A record is skipped when its batch is elsewhere in the journal: it was lost before it was
//! durable, written again, and may have come back with the disk. A start that reads from this
//! segment on would not see that it is there twice; so it is told (IG-1).

use cordon_shared::seglog::PREFACE_BYTES_MAX;

use crate::ingest::dedupe::Known;

const MAGIC: [u8; 4] = *b"CDNJ";
const MAGIC_SKIPPED: [u8; 4] = *b"CDNS";

/// Skipped records that are remembered over a start (chosen: a group can lose 64, so a thousand
/// failures of the disk); of more, the newest.
const SKIPPED_MAX: usize = 65_536;

/// The preface of the segment that begins now. `skipped` rises.
pub(super) fn encode(known: &Known, skipped: &[u64]) -> Vec<u8> {
    let mut bytes = begin(MAGIC, skipped);
    let room = PREFACE_BYTES_MAX.saturating_sub(bytes.len());
    bytes.extend_from_slice(&known.to_bytes(room));
    bytes
}

/// The preface of a segment that begins while records are lost. `skipped` rises.
pub(super) fn encode_skipped(skipped: &[u64]) -> Vec<u8> {
    begin(MAGIC_SKIPPED, skipped)
}

fn begin(magic: [u8; 4], skipped: &[u64]) -> Vec<u8> {
    let newest = skipped.get(skipped.len().saturating_sub(SKIPPED_MAX)..).unwrap_or_default();
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&u32::try_from(newest.len()).unwrap_or(u32::MAX).to_le_bytes());
    newest.iter().for_each(|it| bytes.extend_from_slice(&it.to_le_bytes()));
    bytes
}

/// What a preface says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Said {
    /// Positions, unless records were lost when the segment began.
    pub(super) known: Option<Known>,
    /// Records that nobody is to see.
    pub(super) skipped: Vec<u64>,
}

/// Reads a preface; nothing when it is not one, whole.
pub(super) fn decode(bytes: &[u8]) -> Option<Said> {
    let (rest, has_known) = match (bytes.strip_prefix(&MAGIC), bytes.strip_prefix(&MAGIC_SKIPPED)) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        // Of a release older: positions only.
        (None, None) => {
            let known = Some(Known::from_bytes(bytes)?);
            return Some(Said { known, skipped: Vec::new() });
        }
    };
    let (count, rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (skipped, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let (numbers, _) = skipped.as_chunks();
    let skipped = numbers.iter().map(|it| u64::from_le_bytes(*it)).collect();
    let known = match has_known {
        true => Some(Known::from_bytes(rest)?),
        false if rest.is_empty() => None,
        false => return None,
    };
    Some(Said { known, skipped })
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        digest::Sha256,
        id::{Epoch, EventSeq, Lane},
        test_support::{Random, agent},
    };

    use super::*;
    use crate::ingest::dedupe::Source;

    fn known() -> Known {
        let batch =
            Random::new(1).batch(Lane::File, Epoch::from_u64(7).unwrap(), EventSeq::FIRST, 3);
        let mut known = Known::default();
        known.add(agent(), batch.header(), Sha256::of(batch.bytes()), Source::Agent);
        known
    }

    #[test]
    fn a_preface_reads_back_as_it_was_written() {
        let said = |known, skipped| Some(Said { known, skipped });
        assert_eq!(decode(&encode(&known(), &[3, 9])), said(Some(known()), vec![3, 9]));
        assert_eq!(decode(&encode_skipped(&[3, 9])), said(None, vec![3, 9]));
    }

    #[test]
    fn one_of_a_release_older_reads_too() {
        let said = Said { known: Some(known()), skipped: Vec::new() };
        assert_eq!(decode(&known().to_bytes(PREFACE_BYTES_MAX)), Some(said));
    }

    #[test]
    fn every_cut_is_none() {
        for bytes in [encode(&known(), &[3, 9]), encode_skipped(&[3, 9])] {
            for cut in 0..bytes.len() {
                assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_the_oldest() {
        let skipped: Vec<u64> = (0..70_000).collect();
        let read = decode(&encode(&known(), &skipped)).unwrap().skipped;
        assert_eq!((read.len(), read.first()), (SKIPPED_MAX, Some(&4_464)));
    }
}
