//! What each segment of the journal begins with: all positions, and which records nobody is to see.
//!
//! ```text
//! magic "CDNJ" | skipped u32 | skipped × position u64 | positions (dedupe/snapshot.rs)   little-endian
//! ```
//!
//! A record is skipped when its batch is elsewhere in the journal: it was lost before it was
//! durable, written again, and may have come back with the disk. A start that reads from this
//! segment on would not see that it is there twice; so it is told (IG-1).

use cordon_shared::seglog::PREFACE_BYTES_MAX;

use crate::ingest::dedupe::Known;

const MAGIC: [u8; 4] = *b"CDNJ";

/// Skipped records that are remembered over a start (chosen: a group can lose 64, so a thousand
/// failures of the disk); of more, the newest.
const SKIPPED_MAX: usize = 65_536;

/// The preface of the segment that begins now. `skipped` rises.
pub(super) fn encode(known: &Known, skipped: &[u64]) -> Vec<u8> {
    let newest = skipped.get(skipped.len().saturating_sub(SKIPPED_MAX)..).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(newest.len()).unwrap_or(u32::MAX).to_le_bytes());
    newest.iter().for_each(|it| bytes.extend_from_slice(&it.to_le_bytes()));
    let room = PREFACE_BYTES_MAX.saturating_sub(bytes.len());
    bytes.extend_from_slice(&known.to_bytes(room));
    bytes
}

/// Reads a preface; nothing when it is not one, whole.
pub(super) fn decode(bytes: &[u8]) -> Option<(Known, Vec<u64>)> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        // Of a release older: positions only.
        return Some((Known::from_bytes(bytes)?, Vec::new()));
    };
    let (count, rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (skipped, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let (numbers, _) = skipped.as_chunks();
    Some((Known::from_bytes(rest)?, numbers.iter().map(|it| u64::from_le_bytes(*it)).collect()))
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
        assert_eq!(decode(&encode(&known(), &[3, 9])), Some((known(), vec![3, 9])));
    }

    #[test]
    fn one_of_a_release_older_reads_too() {
        assert_eq!(decode(&known().to_bytes(PREFACE_BYTES_MAX)), Some((known(), Vec::new())));
    }

    #[test]
    fn every_cut_is_none() {
        let bytes = encode(&known(), &[3, 9]);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn what_does_not_fit_is_the_oldest() {
        let skipped: Vec<u64> = (0..70_000).collect();
        let (_, read) = decode(&encode(&known(), &skipped)).unwrap();
        assert_eq!((read.len(), read.first()), (SKIPPED_MAX, Some(&4_464)));
    }
}
