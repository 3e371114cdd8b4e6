//! Commands and their deliveries ↔ wire, both directions.

use ::bytes::Bytes;
use cordon_proto::v1;

use super::{WireError, bytes, kinds, optional, refuse, required, signed};
use crate::{
    command::{
        Command, Delivery, Opened,
        scope::{Citation, FileIs, Lease, Precondition},
        target::{Proof, TARGETS_MAX, TIER_BYTES_MAX, Targets},
    },
    crypto::signing::{PublicKey, SignatureError, SignedBytes, SigningKey},
    digest::Sha256,
    error::{Classify, Kind},
    id::{AgentId, CommandId, Epoch, EventId, EventSeq, IncidentId, ProcessKey},
    limit,
    text::Text,
    time::Timestamp,
};

mod action;
mod operand;

/// Payload type of a command.
pub const COMMAND: &str = "cordon.v1.Command";

/// Characters of a reason, for people (chosen).
const REASON_BYTES_MAX: usize = 1_024;

/// Preconditions of one command (chosen: one per operand is usual).
const PRECONDITIONS_MAX: usize = 64;

/// Bytes of a rule's id.
const RULE_BYTES_MAX: usize = 256;

/// Why a command was not opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// Signature, type or form: nothing of it may be used.
    #[error("failed to open the command")]
    Signature(#[from] SignatureError),
    /// A field breaks a rule.
    #[error("failed to read the command")]
    Field(#[from] WireError),
    /// The action is of a later release.
    #[error("action is not one of those that this program knows")]
    UnknownAction,
}

impl Classify for OpenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Signature(error) => error.kind(),
            Self::Field(_) | Self::UnknownAction => Kind::BadInput,
        }
    }
}

/// Signs a command with one key; others may add theirs.
#[must_use]
pub fn sign(command: &Command, key: &SigningKey) -> SignedBytes {
    key.sign(COMMAND, &to_wire(command))
}

/// Opens a command that at least one of `trusted` signed.
///
/// # Errors
/// [`OpenError`]: nothing of it may be used.
pub fn open(signed: &SignedBytes, trusted: &[PublicKey]) -> Result<Opened, OpenError> {
    let opened = signed.open::<v1::Command>(COMMAND, trusted)?;
    let command = from_wire(&opened.message)?;
    Ok(Opened { command, signers: opened.signers, payload_sha256: opened.payload_sha256 })
}

/// Reads a command's id, incident and digest without believing them: for a receipt that says why it
/// was refused. Nothing when not even that can be read.
#[must_use]
pub fn peek(signed: &SignedBytes) -> Option<(CommandId, Option<IncidentId>, Sha256)> {
    let wire = <v1::Command as prost::Message>::decode(signed.payload.as_ref()).ok()?;
    let incident = IncidentId::from_slice(&wire.incident);
    Some((CommandId::from_slice(&wire.id)?, incident, Sha256::of(&signed.payload)))
}

/// Reads a command without checking its signatures: of bytes that were checked when they were kept.
///
/// # Errors
/// [`OpenError`] when it does not read.
pub fn read(signed: &SignedBytes) -> Result<Command, OpenError> {
    match crate::crypto::canonical::decode::<v1::Command>(&signed.payload) {
        Some(wire) => from_wire(&wire),
        None => Err(SignatureError::NotCanonical { wanted: COMMAND }.into()),
    }
}

/// Domain → wire.
#[must_use]
pub fn delivery_to(delivery: &Delivery) -> v1::CommandDelivery {
    let proof = &delivery.proof;
    v1::CommandDelivery {
        command: Some(signed::to_wire(&delivery.signed)),
        proof: Some(v1::TargetProof {
            host_name: proof.host_name.clone(),
            host_tier: proof.host_tier.clone(),
            index: proof.index,
            siblings: proof.siblings.iter().map(|it| bytes(it.as_bytes())).collect(),
        }),
    }
}

/// Wire → domain. Nothing is opened yet.
///
/// # Errors
/// [`WireError`] for a missing or oversized part.
pub fn delivery_from(wire: &v1::CommandDelivery) -> Result<Delivery, WireError> {
    let Some(command) = &wire.command else { return refuse("command", "present") };
    let Some(proof) = &wire.proof else { return refuse("proof", "present") };
    if proof.host_name.len() > limit::HOST_NAME_CHARS_MAX {
        return refuse("proof.host_name", "at most 253 bytes");
    }
    if proof.host_tier.len() > TIER_BYTES_MAX {
        return refuse("proof.host_tier", "at most 64 bytes");
    }
    if proof.siblings.len() > limit::TARGET_PROOF_MAX {
        return refuse("proof.siblings", "at most 20");
    }
    let siblings: Option<Vec<_>> = proof.siblings.iter().map(|it| Sha256::from_slice(it)).collect();
    let Some(siblings) = siblings else { return refuse("proof.siblings", "32 bytes each") };
    let (host_name, host_tier) = (proof.host_name.clone(), proof.host_tier.clone());
    let proof = Proof { host_name, host_tier, index: proof.index, siblings };
    Ok(Delivery { signed: signed::from_wire(command)?, proof })
}

/// A delivery as one piece, for the outbox.
#[must_use]
pub fn encode_delivery(delivery: &Delivery) -> Bytes {
    prost::Message::encode_to_vec(&delivery_to(delivery)).into()
}

/// Reads what [`encode_delivery`] wrote.
///
/// # Errors
/// [`WireError`].
pub fn decode_delivery(bytes: &[u8]) -> Result<Delivery, WireError> {
    match <v1::CommandDelivery as prost::Message>::decode(bytes) {
        Ok(wire) => delivery_from(&wire),
        Err(_) => refuse("delivery", "a message of this type"),
    }
}

fn to_wire(it: &Command) -> v1::Command {
    v1::Command {
        id: bytes(it.id.as_bytes()),
        incident: it.incident.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        target_count: it.targets.count,
        target_root: bytes(it.targets.root.as_bytes()),
        issued_ns: it.issued.as_ns(),
        not_before_ns: it.not_before.as_ns(),
        expires_ns: it.expires.as_ns(),
        lease: it.lease.map(lease_to),
        preconditions: it.preconditions.iter().map(precondition_to).collect(),
        supersedes: it.supersedes.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        citation: it.citation.as_ref().map(citation_to),
        overrides: it.overrides.iter().map(|it| kinds::override_to(*it)).collect(),
        is_dry_run: it.is_dry_run,
        reason: it.reason.clone(),
        action: Some(action::to_wire(&it.action)),
    }
}

fn from_wire(wire: &v1::Command) -> Result<Command, OpenError> {
    let Some(action) = &wire.action else { return Err(OpenError::UnknownAction) };
    let mut overrides = Vec::with_capacity(wire.overrides.len().min(4));
    for it in &wire.overrides {
        let it = kinds::override_from(*it)?;
        if overrides.contains(&it) {
            return Err(WireError::new("overrides", "each at most once").into());
        }
        overrides.push(it);
    }
    let lease = wire.lease.as_ref().map(lease_from).transpose()?;
    let citation = wire.citation.as_ref().map(citation_from).transpose()?;
    let (not_before, expires) = window(wire)?;
    Ok(Command {
        id: required("id", &wire.id, CommandId::from_slice)?,
        incident: optional("incident", &wire.incident, IncidentId::from_slice)?,
        targets: targets_from(wire)?,
        issued: Timestamp::from_ns(wire.issued_ns),
        not_before,
        expires,
        lease,
        preconditions: preconditions_from(&wire.preconditions)?,
        supersedes: optional("supersedes", &wire.supersedes, CommandId::from_slice)?,
        citation,
        overrides,
        is_dry_run: wire.is_dry_run,
        reason: reason(&wire.reason)?,
        action: action::from_wire(action)?,
    })
}

fn window(wire: &v1::Command) -> Result<(Timestamp, Timestamp), WireError> {
    let not_before = Timestamp::from_ns(wire.not_before_ns);
    let expires = Timestamp::from_ns(wire.expires_ns);
    if expires <= not_before {
        return refuse("expires_ns", "after `not_before_ns`");
    }
    if expires.since(not_before) > limit::COMMAND_LIFETIME_MAX {
        return refuse("expires_ns", "at most 7 days after `not_before_ns`");
    }
    Ok((not_before, expires))
}

fn targets_from(wire: &v1::Command) -> Result<Targets, WireError> {
    if wire.target_count == 0 || wire.target_count as usize > TARGETS_MAX {
        return refuse("target_count", "1..=1048576");
    }
    let root = required("target_root", &wire.target_root, Sha256::from_slice)?;
    Ok(Targets { count: wire.target_count, root })
}

fn reason(text: &str) -> Result<String, WireError> {
    if text.len() > REASON_BYTES_MAX {
        return refuse("reason", "at most 1024 bytes");
    }
    Ok(text.to_owned())
}

fn lease_to(it: Lease) -> v1::Lease {
    v1::Lease {
        duration_ns: super::duration_to(it.duration),
        end: kinds::lease_end_to(it.end),
        duration_ns_max: super::duration_to(it.duration_max),
    }
}

fn lease_from(wire: &v1::Lease) -> Result<Lease, WireError> {
    if wire.duration_ns == 0 || wire.duration_ns_max < wire.duration_ns {
        return refuse("lease.duration_ns", "1..=`duration_ns_max`");
    }
    Ok(Lease {
        duration: super::duration_from(wire.duration_ns),
        end: kinds::lease_end_from(wire.end)?,
        duration_max: super::duration_from(wire.duration_ns_max),
    })
}

fn precondition_to(it: &Precondition) -> v1::Precondition {
    use v1::precondition::Condition;
    let condition = match it {
        Precondition::ProcessIs { process, exe_sha256 } => Condition::ProcessIs(v1::ProcessIs {
            process: Some(process_to(*process)),
            exe_sha256: exe_sha256.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        }),
        Precondition::FileIs(it) => Condition::FileIs(file_to(it)),
    };
    v1::Precondition { condition: Some(condition) }
}

fn preconditions_from(wire: &[v1::Precondition]) -> Result<Vec<Precondition>, WireError> {
    use v1::precondition::Condition;
    if wire.len() > PRECONDITIONS_MAX {
        return refuse("preconditions", "at most 64");
    }
    let mut preconditions = Vec::with_capacity(wire.len());
    for it in wire {
        preconditions.push(match &it.condition {
            Some(Condition::ProcessIs(it)) => Precondition::ProcessIs {
                process: process_from(it.process.as_ref())?,
                exe_sha256: optional("exe_sha256", &it.exe_sha256, Sha256::from_slice)?,
            },
            Some(Condition::FileIs(it)) => Precondition::FileIs(file_from(Some(it))?),
            // One that this program cannot judge may be the one that matters.
            None => return refuse("preconditions", "of a kind that this program knows"),
        });
    }
    Ok(preconditions)
}

fn citation_to(it: &Citation) -> v1::Citation {
    v1::Citation {
        event: Some(event_to(&it.event)),
        rule: it.rule.clone(),
        rule_sha256: bytes(it.rule_sha256.as_bytes()),
    }
}

fn citation_from(wire: &v1::Citation) -> Result<Citation, WireError> {
    if wire.rule.is_empty() || wire.rule.len() > RULE_BYTES_MAX {
        return refuse("citation.rule", "1..=256 bytes");
    }
    Ok(Citation {
        event: event_from(wire.event.as_ref())?,
        rule: wire.rule.clone(),
        rule_sha256: required("citation.rule_sha256", &wire.rule_sha256, Sha256::from_slice)?,
    })
}

/// The name of an event, domain → wire.
#[must_use]
pub fn event_to(it: &EventId) -> v1::EventId {
    v1::EventId {
        agent: bytes(it.agent.as_bytes()),
        epoch: it.epoch.as_u64(),
        lane: kinds::lane_to(it.lane),
        seq: it.seq.as_u64(),
    }
}

/// The name of an event, wire → domain.
///
/// # Errors
/// [`WireError`] naming the field and the rule.
pub fn event_from(wire: Option<&v1::EventId>) -> Result<EventId, WireError> {
    let Some(wire) = wire else { return refuse("event", "present") };
    let Some(epoch) = Epoch::from_u64(wire.epoch) else { return refuse("epoch", "1..2^63") };
    let Some(seq) = EventSeq::from_u64(wire.seq) else { return refuse("seq", "1..2^63") };
    let agent = required("agent", &wire.agent, AgentId::from_slice)?;
    Ok(EventId { agent, epoch, lane: kinds::lane_from(wire.lane)?, seq })
}

pub(super) fn process_to(it: ProcessKey) -> v1::ProcessKey {
    v1::ProcessKey { pid: it.pid, start_ticks: it.start_ticks }
}

pub(super) fn process_from(wire: Option<&v1::ProcessKey>) -> Result<ProcessKey, WireError> {
    match wire {
        Some(it) if (1..=limit::PID_MAX).contains(&it.pid) => {
            Ok(ProcessKey { pid: it.pid, start_ticks: it.start_ticks })
        }
        Some(_) => refuse("process.pid", "1..=4194304"),
        None => refuse("process", "present"),
    }
}

pub(super) fn file_to(it: &FileIs) -> v1::FileIs {
    let path = it.path.to_bytes();
    v1::FileIs { path, device: it.device, inode: it.inode, sha256: bytes(it.sha256.as_bytes()) }
}

pub(super) fn file_from(wire: Option<&v1::FileIs>) -> Result<FileIs, WireError> {
    let Some(wire) = wire else { return refuse("file", "present") };
    Ok(FileIs {
        path: path_from("file.path", &wire.path)?,
        device: wire.device,
        inode: wire.inode,
        sha256: required("file.sha256", &wire.sha256, Sha256::from_slice)?,
    })
}

/// Absolute, without a zero byte, no longer than the kernel takes.
fn path_from(field: &'static str, wire: &Bytes) -> Result<Text, WireError> {
    let is_good = wire.first() == Some(&b'/') && !wire.contains(&0);
    if !is_good || wire.len() > limit::TEXT_BYTES_MAX {
        return refuse(field, "an absolute path of at most 4096 bytes");
    }
    Ok(Text::from_bytes(wire.clone()))
}

#[cfg(test)]
mod tests;
