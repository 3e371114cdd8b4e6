//! Whether a container is still what a manifest says: as a whole, and entry by entry.
//!
//! The manifest is believed (its signature was checked by whoever opened it); the container is not:
//! no byte of it chooses how much is read or held. One entry is in memory at a time.

use std::io::{self, Read};

use zstd::stream::read::Decoder;

use super::{
    Entry, EntryName, Manifest, Outcome,
    container::{BLOCK_BYTES, padding},
};
use crate::digest::{Hasher, Sha256};

/// Bytes that are read at one time after the last entry.
const CHUNK_BYTES: usize = 64 << 10;

/// How an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// As the manifest says.
    Same,
    /// Its bytes are others.
    Differs,
    /// It does not unpack, or is not there.
    Unreadable,
    /// It was missed when the snapshot was taken: there is nothing to compare.
    Missed,
}

impl State {
    /// The name in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Unreadable => "unreadable",
            Self::Missed => "missed",
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Whether size and digest of the container are those of the manifest.
    pub is_container_same: bool,
    /// Each entry of the manifest, in its order.
    pub entries: Vec<(EntryName, State)>,
}

impl Checked {
    /// Whether everything is as it was taken.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_good = |state: State| matches!(state, State::Same | State::Missed);
        self.is_container_same && self.entries.iter().all(|(_, state)| is_good(*state))
    }
}

/// Compares a container with its manifest.
///
/// # Errors
/// What reading says: of the file, not of what is in it.
pub fn check(manifest: &Manifest, container: &mut dyn Read) -> io::Result<Checked> {
    let (mut hasher, mut size) = (Hasher::default(), 0_u64);
    let mut entries = Vec::with_capacity(manifest.entries.len());
    for entry in &manifest.entries {
        let mut frame = Vec::new();
        container.take(entry.packed_bytes).read_to_end(&mut frame)?;
        hasher.update(&frame);
        size = size.saturating_add(frame.len() as u64);
        entries.push((entry.name.clone(), state(entry, &frame)));
    }
    let mut chunk = vec![0; CHUNK_BYTES];
    // One byte more than there should be tells that there is more.
    let mut rest = container.take(manifest.size_bytes.saturating_sub(size).saturating_add(1));
    loop {
        match rest.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(chunk.get(..count).unwrap_or_default());
                size = size.saturating_add(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    let is_container_same = size == manifest.size_bytes && hasher.finish() == manifest.sha256;
    Ok(Checked { is_container_same, entries })
}

fn state(entry: &Entry, frame: &[u8]) -> State {
    let Some(sha256) = entry.sha256.filter(|_| entry.outcome != Outcome::Missed) else {
        return State::Missed;
    };
    match unpack(entry, frame) {
        Some(contents) if Sha256::of(&contents) == sha256 => State::Same,
        Some(_) => State::Differs,
        None => State::Unreadable,
    }
}

/// The contents of one entry, from its frame; `None` when it is no such entry.
#[must_use]
pub fn unpack(entry: &Entry, frame: &[u8]) -> Option<Vec<u8>> {
    let size = usize::try_from(entry.size_bytes).ok()?;
    let whole = BLOCK_BYTES.checked_add(size)?.checked_add(padding(size))?;
    let mut decoder = Decoder::with_buffer(frame).ok()?.single_frame();
    let mut block = [0; BLOCK_BYTES];
    decoder.read_exact(&mut block).ok()?;
    // Never more than the manifest says, and one byte to see that there is no more.
    let mut contents = Vec::new();
    let rest = whole.saturating_sub(BLOCK_BYTES).saturating_add(1) as u64;
    decoder.take(rest).read_to_end(&mut contents).ok()?;
    let is_named = block.starts_with(entry.name.as_str().as_bytes());
    if !is_named || contents.len() != whole - BLOCK_BYTES {
        return None;
    }
    contents.truncate(size);
    Some(contents)
}
