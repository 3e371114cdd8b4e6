//! The session's own messages ↔ wire: hello, welcome, acknowledgement, credit, goodbye.
//!
//! Batches, commands and keyrings have modules of their own; here is what the two sides say to each
//! other about them. Values are declared here too: nothing but the two ends of a session has a use
//! for them.

use cordon_proto::v1;

use super::{
    WireError, bytes,
    event::{clock_from, clock_to, sensors_from, sensors_to},
    kinds, refuse, required,
};
use crate::{
    digest::Sha256,
    event::health::SensorState,
    id::{AgentId, BootId, Epoch, EventSeq, Lane},
    limit,
    time::ClockSample,
};

// A hello that is full, sensors included, is not too much for the wire.
const _: () = assert!(limit::HELLO_POSITIONS_MAX + 64 <= cordon_proto::codec::ENTRIES_MAX);

/// What an agent says of its machine. Never its identity: that is in its certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostFacts {
    /// 1..=253 bytes.
    pub host_name: String,
    /// `/etc/machine-id`, or empty.
    pub machine_id: String,
    /// This boot.
    pub boot: BootId,
    /// `PRETTY_NAME` of os-release(5), or empty.
    pub os: String,
    /// As uname(2) has it.
    pub kernel: String,
    /// As uname(2) has it.
    pub architecture: String,
    /// Of the agent.
    pub agent_version: String,
}

/// How far a lane of one epoch got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LanePosition {
    /// Which lane.
    pub lane: Lane,
    /// Which opening of the spool.
    pub epoch: Epoch,
    /// The last that was acknowledged, and the digest of the sealed batch that ends there; `None`
    /// when none was.
    pub acked: Option<(EventSeq, Sha256)>,
}

/// What an agent says first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Its machine.
    pub host: HostFacts,
    /// New at each start of the agent, 16 bytes.
    pub process_nonce: [u8; 16],
    /// Its clocks.
    pub clock: ClockSample,
    /// Where it stands, for each epoch that it still holds.
    pub positions: Vec<LanePosition>,
    /// What its sensors got.
    pub sensors: Vec<SensorState>,
    /// Of its keyring's policy and members; zeros when it has none.
    pub keyring_versions: (u64, u64),
    /// What it speaks.
    pub wire_revision: u32,
}

/// What a collector answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// Whom it took the caller for.
    pub agent: AgentId,
    /// Where it stands, for the lanes and epochs that it knows.
    pub positions: Vec<LanePosition>,
    /// What may be unacknowledged.
    pub credit: Credit,
    /// Its clocks.
    pub clock: ClockSample,
    /// What it speaks.
    pub wire_revision: u32,
    /// The host's tier, at most 64 bytes.
    pub host_tier: String,
    /// True until a person approves this agent.
    pub is_held: bool,
    /// Lanes that begin a new epoch, because the positions disagree.
    pub disagreed: Vec<Lane>,
}

/// What may be unacknowledged at one time, all lanes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credit {
    /// At least 1.
    pub batches_max: u32,
    /// At least one full batch.
    pub bytes_max: u64,
}

/// Everything of the epoch up to and with `seq` is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// Which lane.
    pub lane: Lane,
    /// Which opening of the spool.
    pub epoch: Epoch,
    /// Up to and with this one.
    pub seq: EventSeq,
}

/// Why a stream ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GoodbyeReason {
    /// The collector stops; come back.
    Stopping,
    /// Another stream of the same identity took over.
    Replaced,
    /// This identity is no longer good.
    Revoked,
    /// A message broke a rule.
    BadInput,
    /// Too much at once; come back later.
    Busy,
}

/// Domain → wire.
#[must_use]
pub fn host_to(it: &HostFacts) -> v1::HostFacts {
    v1::HostFacts {
        host_name: it.host_name.clone(),
        machine_id: it.machine_id.clone(),
        boot_id: bytes(&it.boot.0),
        os: it.os.clone(),
        kernel: it.kernel.clone(),
        architecture: it.architecture.clone(),
        agent_version: it.agent_version.clone(),
    }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] for a missing name or boot, or a fact that is too long.
pub fn host_from(wire: &v1::HostFacts) -> Result<HostFacts, WireError> {
    if wire.host_name.is_empty() || wire.host_name.len() > limit::HOST_NAME_CHARS_MAX {
        return refuse("host.host_name", "1..=253 bytes");
    }
    let Some(boot) = BootId::from_slice(&wire.boot_id) else {
        return refuse("host.boot_id", "16 bytes");
    };
    Ok(HostFacts {
        host_name: wire.host_name.clone(),
        machine_id: fact("host.machine_id", &wire.machine_id)?,
        boot,
        os: fact("host.os", &wire.os)?,
        kernel: fact("host.kernel", &wire.kernel)?,
        architecture: fact("host.architecture", &wire.architecture)?,
        agent_version: fact("host.agent_version", &wire.agent_version)?,
    })
}

fn fact(field: &'static str, text: &str) -> Result<String, WireError> {
    if text.len() > limit::HOST_FACT_CHARS_MAX {
        return refuse(field, "at most 256 bytes");
    }
    Ok(text.to_owned())
}

/// Domain → wire.
#[must_use]
pub fn position_to(it: &LanePosition) -> v1::LanePosition {
    v1::LanePosition {
        lane: kinds::lane_to(it.lane),
        epoch: it.epoch.as_u64(),
        seq: it.acked.map_or(0, |(seq, _)| seq.as_u64()),
        digest: it.acked.map(|(_, digest)| bytes(digest.as_bytes())).unwrap_or_default(),
    }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] naming the field and the rule.
pub fn position_from(wire: &v1::LanePosition) -> Result<LanePosition, WireError> {
    let acked = match (wire.seq, wire.digest.as_ref()) {
        (0, []) => None,
        (seq, digest) => Some((
            seq_from("position.seq", seq)?,
            required("position.digest", digest, Sha256::from_slice)?,
        )),
    };
    let epoch = epoch_from("position.epoch", wire.epoch)?;
    Ok(LanePosition { lane: kinds::lane_from(wire.lane)?, epoch, acked })
}

fn positions_from(wire: &[v1::LanePosition]) -> Result<Vec<LanePosition>, WireError> {
    if wire.len() > limit::HELLO_POSITIONS_MAX {
        return refuse("positions", "at most 3072");
    }
    wire.iter().map(position_from).collect()
}

fn epoch_from(field: &'static str, number: u64) -> Result<Epoch, WireError> {
    Epoch::from_u64(number).ok_or(WireError::new(field, "1..2^63"))
}

fn seq_from(field: &'static str, number: u64) -> Result<EventSeq, WireError> {
    EventSeq::from_u64(number).ok_or(WireError::new(field, "1..2^63"))
}

fn clock(wire: Option<&v1::ClockSample>) -> Result<ClockSample, WireError> {
    wire.map(clock_from).ok_or(WireError::new("clock", "present"))
}

/// Domain → wire.
#[must_use]
pub fn hello_to(it: &Hello) -> v1::Hello {
    v1::Hello {
        host: Some(host_to(&it.host)),
        process_nonce: bytes(&it.process_nonce),
        clock: Some(clock_to(it.clock)),
        positions: it.positions.iter().map(position_to).collect(),
        sensors: sensors_to(&it.sensors),
        keyring_version: it.keyring_versions.0,
        wire_revision: it.wire_revision,
        keyring_members_version: it.keyring_versions.1,
    }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] naming the field and the rule.
pub fn hello_from(wire: &v1::Hello) -> Result<Hello, WireError> {
    let Some(host) = &wire.host else { return refuse("host", "present") };
    let Ok(process_nonce) = wire.process_nonce.as_ref().try_into() else {
        return refuse("process_nonce", "16 bytes");
    };
    Ok(Hello {
        host: host_from(host)?,
        process_nonce,
        clock: clock(wire.clock.as_ref())?,
        positions: positions_from(&wire.positions)?,
        sensors: sensors_from(&wire.sensors)?,
        keyring_versions: (wire.keyring_version, wire.keyring_members_version),
        wire_revision: wire.wire_revision,
    })
}

/// Domain → wire.
#[must_use]
pub fn welcome_to(it: &Welcome) -> v1::Welcome {
    v1::Welcome {
        agent_id: bytes(it.agent.as_bytes()),
        positions: it.positions.iter().map(position_to).collect(),
        credit: Some(credit_to(it.credit)),
        clock: Some(clock_to(it.clock)),
        wire_revision: it.wire_revision,
        host_tier: it.host_tier.clone(),
        is_held: it.is_held,
        disagreed: it.disagreed.iter().map(|it| kinds::lane_to(*it)).collect(),
    }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] naming the field and the rule.
pub fn welcome_from(wire: &v1::Welcome) -> Result<Welcome, WireError> {
    let Some(credit) = &wire.credit else { return refuse("credit", "present") };
    if wire.host_tier.len() > crate::command::target::TIER_BYTES_MAX {
        return refuse("host_tier", "at most 64 bytes");
    }
    if wire.disagreed.len() > Lane::ALL.len() {
        return refuse("disagreed", "each lane at most once");
    }
    let disagreed = wire.disagreed.iter().map(|it| kinds::lane_from(*it));
    Ok(Welcome {
        agent: required("agent_id", &wire.agent_id, AgentId::from_slice)?,
        positions: positions_from(&wire.positions)?,
        credit: credit_from(credit)?,
        clock: clock(wire.clock.as_ref())?,
        wire_revision: wire.wire_revision,
        host_tier: wire.host_tier.clone(),
        is_held: wire.is_held,
        disagreed: disagreed.collect::<Result<_, _>>()?,
    })
}

/// Domain → wire.
#[must_use]
pub fn credit_to(it: Credit) -> v1::Credit {
    v1::Credit { batches_max: it.batches_max, bytes_max: it.bytes_max }
}

/// Wire → domain. Less than one batch would stop the road for good.
///
/// # Errors
/// [`WireError`] for less than one batch.
pub fn credit_from(wire: &v1::Credit) -> Result<Credit, WireError> {
    if wire.batches_max == 0 || wire.bytes_max < limit::MESSAGE_BYTES_MAX as u64 {
        return refuse("credit", "at least one batch of the largest size");
    }
    Ok(Credit { batches_max: wire.batches_max, bytes_max: wire.bytes_max })
}

/// Domain → wire.
#[must_use]
pub fn ack_to(it: Ack) -> v1::Ack {
    let lane = kinds::lane_to(it.lane);
    v1::Ack { lane, epoch: it.epoch.as_u64(), seq: it.seq.as_u64() }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] naming the field and the rule.
pub fn ack_from(wire: &v1::Ack) -> Result<Ack, WireError> {
    let epoch = epoch_from("ack.epoch", wire.epoch)?;
    Ok(Ack { lane: kinds::lane_from(wire.lane)?, epoch, seq: seq_from("ack.seq", wire.seq)? })
}

/// Domain → wire, with a sentence for the log.
#[must_use]
pub fn goodbye_to(reason: GoodbyeReason, detail: &str) -> v1::Goodbye {
    v1::Goodbye { reason: kinds::goodbye_to(reason), detail: detail.to_owned() }
}

/// Wire → domain.
///
/// # Errors
/// [`WireError`] for a reason that this program does not know.
pub fn goodbye_from(wire: &v1::Goodbye) -> Result<GoodbyeReason, WireError> {
    kinds::goodbye_from(wire.reason)
}

#[cfg(test)]
mod tests;
