//! The bytes of one slot of the book.

use cordon_shared::{
    batch::Source,
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::Index,
};

use super::{Declaration, Entry, LOSSES_MAX, State};
use crate::spool::Shed;

/// Bytes of a slot: what the most losses take, rounded up to whole blocks.
pub(super) const SLOT_BYTES: usize = 28 << 10;

const MAGIC: [u8; 4] = *b"CDNK";
const VERSION: u16 = 1;

pub(super) fn encode(save: u64, state: &State) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let count = u16::try_from(state.losses.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    let mut put = |number: u64| bytes.extend_from_slice(&number.to_le_bytes());
    put(save);
    state.floors.iter().chain(&state.told).for_each(|it| put(it.as_u64()));
    for source in &state.sources {
        put(source.epoch);
        put(source.position);
    }
    let declaration = state.declaration;
    put(declaration.map_or(0, |it| it.epoch.as_u64()));
    put(declaration.map_or(0, |it| it.last_seq.as_u64()));
    put(declaration.map_or(0, |it| it.record.as_u64()));
    for Entry { shed, declared } in &state.losses {
        let range =
            shed.range.map(|(epoch, first, last)| [epoch.as_u64(), first.as_u64(), last.as_u64()]);
        put(u64::from_le_bytes([shed.lane.as_u8(), cause_to(shed.cause), 0, 0, 0, 0, 0, 0]));
        put(shed.count);
        range.unwrap_or_default().into_iter().for_each(&mut put);
        put(declared.map_or(0, |it| it.plus(1).as_u64()));
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// A whole slot, or nothing.
pub(super) fn decode(bytes: &[u8]) -> Option<(u64, State)> {
    let mut at = Cursor(bytes);
    let (magic, version, count) = (at.take::<4>()?, at.take::<2>()?, at.take::<2>()?);
    let count = usize::from(u16::from_le_bytes(count));
    if magic != MAGIC || u16::from_le_bytes(version) != VERSION {
        return None;
    }
    let save = at.number()?;
    let mut state = State::default();
    for it in state.floors.iter_mut().chain(&mut state.told) {
        *it = Index::from_u64(at.number()?);
    }
    for it in &mut state.sources {
        *it = Source { epoch: at.number()?, position: at.number()? };
    }
    let (epoch, last_seq, record) = (at.number()?, at.number()?, at.number()?);
    if let Some(epoch) = Epoch::from_u64(epoch) {
        let last_seq = EventSeq::from_u64(last_seq)?;
        let record = Index::from_u64(record);
        state.declaration = Some(Declaration { epoch, last_seq, record });
    }
    for _ in 0..count {
        let (shed, record) = (at.shed()?, at.number()?);
        let declared = record.checked_sub(1).map(Index::from_u64);
        state.losses.push(Entry { shed, declared });
    }
    let covered = bytes.len() - at.0.len();
    let crc = u32::from_le_bytes(at.take()?);
    (crc32c::crc32c(bytes.get(..covered)?) == crc).then_some((save, state))
}

/// Takes fixed pieces from the front of a slot.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (piece, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*piece)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn shed(&mut self) -> Option<Shed> {
        let [lane, cause, ..] = self.take::<8>()?;
        let count = self.number()?;
        let (epoch, first, last) = (self.number()?, self.number()?, self.number()?);
        let range = match Epoch::from_u64(epoch) {
            Some(epoch) => Some((epoch, EventSeq::from_u64(first)?, EventSeq::from_u64(last)?)),
            None => None,
        };
        Some(Shed { lane: Lane::from_u8(lane)?, cause: cause_from(cause)?, range, count })
    }
}

const CAUSES: [LossCause; 8] = [
    LossCause::KernelBuffer,
    LossCause::QueueFull,
    LossCause::Quota,
    LossCause::Filter,
    LossCause::SensorDown,
    LossCause::BadRecord,
    LossCause::Corrupt,
    LossCause::ShortLived,
];

fn cause_to(cause: LossCause) -> u8 {
    let at = CAUSES.iter().position(|it| *it == cause).unwrap_or_default();
    u8::try_from(at + 1).unwrap_or_default()
}

fn cause_from(number: u8) -> Option<LossCause> {
    CAUSES.get(usize::from(number).checked_sub(1)?).copied()
}

/// The most losses there can be: apart, and one sum of each kind.
const _: () = assert!(136 + (LOSSES_MAX + 3 * CAUSES.len()) * 48 + 4 <= SLOT_BYTES);
