//! The snapshot of all positions that each journal segment begins with.
//!
//! ```text
//! head     magic "CDNP" | version u16 = 1 | 0 u16 | agents u32           numbers little-endian
//! agent    id 16 | epochs u16
//! epoch    lane u8 | ranges u8 | epoch u64 | floor u64 | solid u64 | digest 32 | ranges × (first u64, last u64)
//! ```
//!
//! An agent with an epoch a lane takes 240 bytes: ten thousand of them take a quarter of
//! `seglog::PREFACE_BYTES_MAX`. Should a fleet not fit, the epochs that were longest not added to
//! are left out of the snapshot, the longest list first, until it does.

use cordon_shared::{
    digest::Sha256,
    id::{AgentId, Epoch, Lane},
};

use super::{EPOCHS_MAX, Known, RANGES_MAX, Stored};

const MAGIC: [u8; 4] = *b"CDNP";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 12;
const AGENT_BYTES: usize = 18;
const EPOCH_BYTES: usize = 58;
const RANGE_BYTES: usize = 16;

impl Stored {
    fn bytes(&self) -> usize {
        EPOCH_BYTES + RANGE_BYTES * self.ranges.len()
    }
}

impl Known {
    /// The snapshot, at most `bytes_max` long.
    #[must_use]
    pub fn to_bytes(&self, bytes_max: usize) -> Vec<u8> {
        // The shortest lists first, and of each the newest epochs: what does not fit is what a
        // hostile or broken agent piled up.
        let mut agents: Vec<_> = self.agents.iter().collect();
        agents.sort_by_key(|(agent, epochs)| (epochs.len(), **agent));
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&u32::try_from(agents.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (left, (agent, epochs)) in (1..=agents.len()).rev().zip(agents) {
            let room = bytes_max.saturating_sub(bytes.len() + left * AGENT_BYTES);
            let kept = newest(epochs, room);
            bytes.extend_from_slice(agent.as_bytes());
            bytes.extend_from_slice(&u16::try_from(kept.len()).unwrap_or(u16::MAX).to_le_bytes());
            kept.iter().for_each(|stored| write(stored, &mut bytes));
        }
        bytes
    }

    /// Reads a snapshot; nothing when it is not one, whole.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        if head[..4] != MAGIC || head[4..6] != VERSION.to_le_bytes() || head[6..8] != [0; 2] {
            return None;
        }
        let count = usize::try_from(number(&head[8..])).ok()?;
        let mut known = Self::default();
        for _ in 0..count {
            let (agent, after) = rest.split_first_chunk::<AGENT_BYTES>()?;
            rest = after;
            let epochs = usize::try_from(number(&agent[16..])).ok()?;
            if epochs > Lane::ALL.len() * EPOCHS_MAX {
                return None;
            }
            let agent = AgentId::from_slice(&agent[..16])?;
            let stored = (0..epochs).map(|_| read(&mut rest)).collect::<Option<Vec<_>>>()?;
            known.agents.insert(agent, stored);
        }
        rest.is_empty().then_some(known)
    }
}

/// The newest epochs that fit into `room` bytes.
fn newest(epochs: &[Stored], mut room: usize) -> &[Stored] {
    let mut from = epochs.len();
    for stored in epochs.iter().rev() {
        let Some(less) = room.checked_sub(stored.bytes()) else { break };
        room = less;
        from -= 1;
    }
    epochs.get(from..).unwrap_or_default()
}

fn write(stored: &Stored, bytes: &mut Vec<u8>) {
    let ranges = u8::try_from(stored.ranges.len()).unwrap_or(u8::MAX);
    bytes.extend_from_slice(&[stored.lane.as_u8(), ranges]);
    bytes.extend_from_slice(&stored.epoch.as_u64().to_le_bytes());
    bytes.extend_from_slice(&stored.floor.to_le_bytes());
    bytes.extend_from_slice(&stored.solid.to_le_bytes());
    bytes.extend_from_slice(stored.digest.as_bytes());
    for (first, last) in &stored.ranges {
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&last.to_le_bytes());
    }
}

fn read(rest: &mut &[u8]) -> Option<Stored> {
    let (head, mut after) = rest.split_first_chunk::<EPOCH_BYTES>()?;
    let count = usize::from(head[1]);
    if !(1..=RANGES_MAX).contains(&count) {
        return None;
    }
    let mut ranges = Vec::with_capacity(count);
    let mut end = 0;
    for _ in 0..count {
        let (range, next) = after.split_first_chunk::<RANGE_BYTES>()?;
        after = next;
        let (first, last) = (number(&range[..8]), number(&range[8..]));
        // Ascending, apart, and within what an event's number can be.
        if first <= end || last < first || i64::try_from(last).is_err() {
            return None;
        }
        end = last + 1;
        ranges.push((first, last));
    }
    *rest = after;
    Some(Stored {
        lane: Lane::from_u8(head[0])?,
        epoch: Epoch::from_u64(number(&head[2..10]))?,
        floor: number(&head[10..18]),
        ranges,
        solid: number(&head[18..26]),
        digest: Sha256::from_slice(&head[26..])?,
    })
}

/// A little-endian number of at most 8 bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
