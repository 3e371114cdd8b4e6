//! Who and what things are: ids as types of their own, so that none can stand for another.
//!
//! An id is made once ([`AgentId::random`] and its siblings take the randomness), read with `parse`,
//! shown by `Display`. A process is named by [`ProcessKey`] on its host's boot and by [`ProcessUid`]
//! in the world; the latter is derived, never sent.

use std::{fmt, num::NonZeroU64};

use aws_lc_rs::digest::{Context, SHA256};

use crate::entropy::Entropy;

/// Declares a 16-byte id: the same few functions for each, which is what keeps them apart.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Takes 16 bytes; all zeros name nothing and are refused, as is any other length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let id = uuid::Uuid::from_slice(bytes).ok()?;
                (!id.is_nil()).then_some(Self(id))
            }

            /// Reads the hyphenated form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let id = uuid::Uuid::try_parse(text).ok()?;
                (!id.is_nil()).then_some(Self(id))
            }

            /// Makes an id that begins with the time, so that younger ids sort later (UUID
            /// version 7, RFC 9562 section 5.7).
            #[must_use]
            pub fn random(clock: &dyn crate::time::Clock, entropy: &dyn Entropy) -> Self {
                let mut random = [0; 10];
                entropy.fill(&mut random);
                let millis = clock.now().as_ns().max(0).unsigned_abs() / 1_000_000;
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The 16 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }
    };
}

uuid_id!(
    /// One enrolment of a machine.
    AgentId
);
uuid_id!(
    /// The record of a machine, over all its enrolments.
    HostId
);
uuid_id!(
    /// One collector; part of its journal's and its files' names.
    CollectorId
);
uuid_id!(
    /// One incident.
    IncidentId
);
uuid_id!(
    /// One detection.
    DetectionId
);
uuid_id!(
    /// What keeps detections of a rule from becoming incidents for a time.
    SuppressionId
);
uuid_id!(
    /// One signed order; remembered by agents until it expires.
    CommandId
);
uuid_id!(
    /// One forensic collection.
    SnapshotId
);
uuid_id!(
    /// One enrolment token.
    TokenId
);
uuid_id!(
    /// One exercise.
    ExerciseId
);
uuid_id!(
    /// One question to the whole fleet.
    SweepId
);
uuid_id!(
    /// One entry of an agent's undo ledger.
    LedgerId
);

/// One boot of one host: `/proc/sys/kernel/random/boot_id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// Takes 16 bytes, no other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads the kernel's hyphenated form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text.trim()).ok().map(|it| Self(*it.as_bytes()))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
    }
}

/// The three lanes of the upper road: each with a segment log, a sequence and a quota of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Lane {
    /// Process, privilege, receipts, health.
    Critical,
    /// Connections and name look-ups.
    Network,
    /// Files.
    File,
}

impl Lane {
    /// All lanes, in the order in which the uplink serves them.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Network, Self::File];

    /// The number on the wire and in batch headers.
    #[must_use]
    pub fn as_u8(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::Network => 2,
            Self::File => 3,
        }
    }

    /// Position in [`Lane::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.as_u8() - 1)
    }

    /// Reads the number of the wire.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_u8() == number)
    }

    /// The name in the lake, in logs and in folder names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Network => "network",
            Self::File => "file",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One opening of a spool. Random, so that a restored or copied disk cannot use a number twice.
///
/// 63 bits, never zero: it fits the signed columns of every engine that reads the lake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(NonZeroU64);

impl Epoch {
    /// Takes 1..=`i64::MAX`.
    #[must_use]
    pub fn from_u64(number: u64) -> Option<Self> {
        NonZeroU64::new(number).filter(|it| i64::try_from(it.get()).is_ok()).map(Self)
    }

    /// A new one.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let number = u64::from_le_bytes(bytes) >> 1;
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// The number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// Reads 16 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 16)
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .and_then(Self::from_u64)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// Place of an event in its lane's epoch; the first is 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EventSeq(NonZeroU64);

impl EventSeq {
    /// The first.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Takes 1..=`i64::MAX`.
    #[must_use]
    pub fn from_u64(number: u64) -> Option<Self> {
        NonZeroU64::new(number).filter(|it| i64::try_from(it.get()).is_ok()).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// The seq `count` further on; nothing past `i64::MAX`.
    #[must_use]
    pub fn checked_add(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).and_then(|it| Self::from_u64(it.get()))
    }
}

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one event; can never be used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EventId {
    /// Whose event.
    pub agent: AgentId,
    /// Which opening of its spool.
    pub epoch: Epoch,
    /// Which lane.
    pub lane: Lane,
    /// Which one.
    pub seq: EventSeq,
}

impl EventId {
    /// Reads what `Display` wrote: `AGENT.EPOCH.LANE.SEQ`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let agent = AgentId::parse(parts.next()?)?;
        let epoch = Epoch::parse(parts.next()?)?;
        let lane = Lane::parse(parts.next()?)?;
        let seq = EventSeq::from_u64(parts.next()?.parse().ok()?)?;
        parts.next().is_none().then_some(Self { agent, epoch, lane, seq })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.agent, self.epoch, self.lane, self.seq)
    }
}

/// A process of one boot of one host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ProcessKey {
    /// As the initial pid namespace counts.
    pub pid: u32,
    /// Start time in `USER_HZ` ticks since boot: field 22 of `/proc/PID/stat`, proc(5).
    pub start_ticks: u64,
}

impl ProcessKey {
    /// The name of this process in the world: the first 16 bytes of
    /// SHA-256(agent ‖ boot id ‖ pid ‖ start ticks), numbers big-endian.
    #[must_use]
    pub fn uid(&self, agent: AgentId, boot: BootId) -> ProcessUid {
        let mut context = Context::new(&SHA256);
        context.update(agent.as_bytes());
        context.update(&boot.0);
        context.update(&self.pid.to_be_bytes());
        context.update(&self.start_ticks.to_be_bytes());
        let digest = context.finish();
        let mut uid = [0; 16];
        for (into, from) in uid.iter_mut().zip(digest.as_ref()) {
            *into = *from;
        }
        ProcessUid(uid)
    }
}

/// 128 bits that name one process of one boot of one agent's host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessUid([u8; 16]);

impl ProcessUid {
    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ProcessUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ProcessUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessUid({self})")
    }
}

#[cfg(test)]
mod tests;
