//! Manifests, offers, chunks and progress of snapshots ↔ wire.

use std::collections::BTreeSet;

use bytes::Bytes;
use cordon_proto::v1;

use super::{
    WireError, bytes,
    command::OpenError,
    event::{clock_from, clock_to},
    kinds, optional, refuse, required, signed,
};
use crate::{
    crypto::signing::{PublicKey, SignatureError, SignedBytes, SigningKey},
    digest::Sha256,
    id::{AgentId, BootId, CommandId, IncidentId, SnapshotId},
    limit,
    snapshot::{Entry, EntryName, Manifest, Outcome},
    time::ClockSample,
};

/// Payload type of a manifest.
pub const MANIFEST: &str = "cordon.v1.Manifest";

/// What zstd and a tar header may add to an entry that does not shrink.
const PACKING_BYTES_MAX: u64 = 1 << 20;

/// Says what is coming.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Its name.
    pub snapshot: SnapshotId,
    /// The command that asked for it.
    pub command: CommandId,
    /// Of the container.
    pub size_bytes: u64,
    /// The manifest, to be opened with the agent's receipt key.
    pub manifest: SignedBytes,
}

/// A piece of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Of which.
    pub snapshot: SnapshotId,
    /// Where it belongs.
    pub offset: u64,
    /// 1 to [`limit::SNAPSHOT_CHUNK_BYTES_MAX`] bytes.
    pub data: Bytes,
}

/// How much has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// From the beginning, without a gap.
    pub received_bytes: u64,
    /// Whether the whole container was found to be what the manifest says, and is kept.
    pub is_complete: bool,
}

/// Signs a manifest with the agent's receipt key.
#[must_use]
pub fn sign(manifest: &Manifest, key: &SigningKey) -> SignedBytes {
    key.sign(MANIFEST, &to_wire(manifest))
}

/// Opens a manifest that the agent's receipt key signed.
///
/// # Errors
/// [`OpenError`]: it proves nothing.
pub fn open(signed: &SignedBytes, key: &PublicKey) -> Result<Manifest, OpenError> {
    let opened = signed.open::<v1::Manifest>(MANIFEST, std::slice::from_ref(key))?;
    Ok(from_wire(&opened.message)?)
}

/// Reads a manifest without checking its signature: for showing one beside the mark that it was not
/// checked.
///
/// # Errors
/// [`OpenError`] when it does not read.
pub fn peek(signed: &SignedBytes) -> Result<Manifest, OpenError> {
    match crate::crypto::canonical::decode::<v1::Manifest>(&signed.payload) {
        Some(wire) => Ok(from_wire(&wire)?),
        None => Err(SignatureError::NotCanonical { wanted: MANIFEST }.into()),
    }
}

/// Domain → wire.
#[must_use]
pub fn offer_to(it: &Offer) -> v1::SnapshotOffer {
    v1::SnapshotOffer {
        snapshot_id: bytes(it.snapshot.as_bytes()),
        command_id: bytes(it.command.as_bytes()),
        size_bytes: it.size_bytes,
        manifest: Some(signed::to_wire(&it.manifest)),
    }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`].
pub fn offer_from(wire: &v1::SnapshotOffer) -> Result<Offer, WireError> {
    if wire.size_bytes > limit::SNAPSHOT_BYTES_MAX {
        return refuse("size_bytes", "at most 268435456");
    }
    let Some(manifest) = &wire.manifest else { return refuse("manifest", "present") };
    Ok(Offer {
        snapshot: required("snapshot_id", &wire.snapshot_id, SnapshotId::from_slice)?,
        command: required("command_id", &wire.command_id, CommandId::from_slice)?,
        size_bytes: wire.size_bytes,
        manifest: signed::from_wire(manifest)?,
    })
}

/// Domain → wire.
#[must_use]
pub fn chunk_to(it: Chunk) -> v1::SnapshotChunk {
    let snapshot_id = bytes(it.snapshot.as_bytes());
    v1::SnapshotChunk { snapshot_id, offset: it.offset, data: it.data }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`].
pub fn chunk_from(wire: v1::SnapshotChunk) -> Result<Chunk, WireError> {
    let snapshot = required("snapshot_id", &wire.snapshot_id, SnapshotId::from_slice)?;
    if !(1..=limit::SNAPSHOT_CHUNK_BYTES_MAX).contains(&wire.data.len()) {
        return refuse("data", "1 to 262144 bytes");
    }
    if wire.offset > limit::SNAPSHOT_BYTES_MAX {
        return refuse("offset", "at most 268435456");
    }
    Ok(Chunk { snapshot, offset: wire.offset, data: wire.data })
}

/// Domain → wire.
#[must_use]
pub fn progress_to(it: Progress) -> v1::SnapshotProgress {
    v1::SnapshotProgress { received_bytes: it.received_bytes, is_complete: it.is_complete }
}

/// Wire → domain.
#[must_use]
pub fn progress_from(wire: &v1::SnapshotProgress) -> Progress {
    Progress { received_bytes: wire.received_bytes, is_complete: wire.is_complete }
}

fn to_wire(it: &Manifest) -> v1::Manifest {
    v1::Manifest {
        snapshot_id: bytes(it.snapshot.as_bytes()),
        command_id: bytes(it.command.as_bytes()),
        agent_id: bytes(it.agent.as_bytes()),
        profile: it.profile.as_str().to_owned(),
        began: Some(clock_to(it.began)),
        ended: Some(clock_to(it.ended)),
        entries: it.entries.iter().map(entry_to).collect(),
        size_bytes: it.size_bytes,
        sha256: bytes(it.sha256.as_bytes()),
        incident: it.incident.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        host_name: it.host_name.clone(),
        boot_id: bytes(&it.boot.0),
    }
}

fn entry_to(it: &Entry) -> v1::ManifestEntry {
    v1::ManifestEntry {
        name: it.name.as_str().to_owned(),
        size_bytes: it.size_bytes,
        sha256: it.sha256.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        outcome: kinds::artefact_to(it.outcome),
        reason: it.reason.clone(),
        packed_bytes: it.packed_bytes,
    }
}

fn from_wire(wire: &v1::Manifest) -> Result<Manifest, WireError> {
    if wire.entries.len() > limit::SNAPSHOT_ENTRIES_MAX {
        return refuse("entries", "at most 64");
    }
    if wire.size_bytes > limit::SNAPSHOT_BYTES_MAX {
        return refuse("size_bytes", "at most 268435456");
    }
    if wire.host_name.len() > limit::HOST_NAME_CHARS_MAX {
        return refuse("host_name", "at most 253 bytes");
    }
    let entries = wire.entries.iter().map(entry_from).collect::<Result<Vec<_>, _>>()?;
    let names: BTreeSet<_> = entries.iter().map(|it| &it.name).collect();
    if names.len() != entries.len() {
        return refuse("entries.name", "said once");
    }
    let packed: u64 = entries.iter().map(|it| it.packed_bytes).sum();
    if packed > wire.size_bytes {
        return refuse("entries.packed_bytes", "within the container");
    }
    let profile = crate::command::action::SnapshotProfile::parse(&wire.profile);
    Ok(Manifest {
        snapshot: required("snapshot_id", &wire.snapshot_id, SnapshotId::from_slice)?,
        command: required("command_id", &wire.command_id, CommandId::from_slice)?,
        agent: required("agent_id", &wire.agent_id, AgentId::from_slice)?,
        incident: optional("incident", &wire.incident, IncidentId::from_slice)?,
        host_name: wire.host_name.clone(),
        boot: required("boot_id", &wire.boot_id, |it| it.try_into().ok().map(BootId))?,
        profile: profile.ok_or(WireError::new("profile", "`triage`, `memory` or `full`"))?,
        began: clock("began", wire.began.as_ref())?,
        ended: clock("ended", wire.ended.as_ref())?,
        entries,
        size_bytes: wire.size_bytes,
        sha256: required("sha256", &wire.sha256, Sha256::from_slice)?,
    })
}

fn entry_from(wire: &v1::ManifestEntry) -> Result<Entry, WireError> {
    let name = EntryName::parse(&wire.name);
    let name = name.ok_or(WireError::new("entries.name", "letters, digits, `_`, `-` and `.`"))?;
    let outcome = kinds::artefact_from(wire.outcome)?;
    let sha256 = optional("entries.sha256", &wire.sha256, Sha256::from_slice)?;
    let is_missed = outcome == Outcome::Missed;
    if is_missed != sha256.is_none() {
        return refuse("entries.sha256", "absent when the entry was missed, and only then");
    }
    if is_missed && (wire.size_bytes, wire.packed_bytes) != (0, 0) {
        return refuse("entries.size_bytes", "0 when the entry was missed");
    }
    if wire.size_bytes > limit::SNAPSHOT_ENTRY_BYTES_MAX {
        return refuse("entries.size_bytes", "at most 16777216");
    }
    if wire.packed_bytes > limit::SNAPSHOT_ENTRY_BYTES_MAX + PACKING_BYTES_MAX {
        return refuse("entries.packed_bytes", "at most 17825792");
    }
    if wire.reason.len() > limit::RECEIPT_TEXT_BYTES_MAX {
        return refuse("entries.reason", "at most 512 bytes");
    }
    let (size_bytes, packed_bytes) = (wire.size_bytes, wire.packed_bytes);
    Ok(Entry { name, outcome, reason: wire.reason.clone(), size_bytes, sha256, packed_bytes })
}

fn clock(field: &'static str, wire: Option<&v1::ClockSample>) -> Result<ClockSample, WireError> {
    match wire {
        Some(wire) => Ok(clock_from(wire)),
        None => refuse(field, "present"),
    }
}

#[cfg(test)]
mod tests;
