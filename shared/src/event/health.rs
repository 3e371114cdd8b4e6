//! The agent's own state, and what it knows it did not see.

use crate::{
    digest::Sha256,
    id::{Epoch, EventSeq, Lane},
    time::Boottime,
};

/// A sensor of the agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sensor {
    /// Launches and exits.
    Process,
    /// Connections.
    Network,
    /// Files.
    File,
    /// Name look-ups.
    Dns,
    /// Kernel modules and BPF programs.
    Kernel,
    /// Login sessions.
    Login,
    /// Logs.
    Log,
}

impl Sensor {
    /// The name in configuration, logs and the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Network => "network",
            Self::File => "file",
            Self::Dns => "dns",
            Self::Kernel => "kernel",
            Self::Login => "login",
            Self::Log => "log",
        }
    }
}

/// How a sensor gets its facts, best first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Tier {
    /// Programs in the kernel.
    Ebpf,
    /// Kernel interfaces without BPF.
    KernelInterface,
    /// What any user may read.
    Portable,
    /// The host offers nothing that works.
    None,
}

impl Tier {
    /// The name in `check`, logs and the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ebpf => "ebpf",
            Self::KernelInterface => "kernel",
            Self::Portable => "portable",
            Self::None => "none",
        }
    }
}

/// What a sensor got at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SensorState {
    /// Which sensor.
    pub sensor: Sensor,
    /// How it gets its facts.
    pub tier: Tier,
    /// For people: what was tried, and what refused it.
    pub reason: String,
}

/// The agent's own state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// What each sensor got.
    pub sensors: Vec<SensorState>,
    /// CPU time of the agent so far.
    pub cpu_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Bytes in the spool.
    pub spool_bytes_used: u64,
    /// The spool's quota.
    pub spool_bytes_max: u64,
    /// Events sealed since the agent's start.
    pub events_total: u64,
    /// Digest of the agent's own executable.
    pub agent_sha256: Option<Sha256>,
}

/// Why events are not here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LossCause {
    /// The kernel's buffer was full.
    KernelBuffer,
    /// The queue between sensor and enrichment was full.
    QueueFull,
    /// The spool's quota shed whole batches.
    Quota,
    /// A configured filter dropped them.
    Filter,
    /// The sensor was not running.
    SensorDown,
    /// A kernel record did not parse.
    BadRecord,
    /// A record of the spool failed its checksum.
    Corrupt,
    /// The tier sees only what lives long enough.
    ShortLived,
}

impl LossCause {
    /// The name in logs, metrics and the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KernelBuffer => "kernel_buffer",
            Self::QueueFull => "queue_full",
            Self::Quota => "quota",
            Self::Filter => "filter",
            Self::SensorDown => "sensor_down",
            Self::BadRecord => "bad_record",
            Self::Corrupt => "corrupt",
            Self::ShortLived => "short_lived",
        }
    }
}

/// Numbers of events that will never come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostRange {
    /// Which opening of the spool.
    pub epoch: Epoch,
    /// The first that is gone.
    pub first: EventSeq,
    /// The last that is gone.
    pub last: EventSeq,
}

/// Events that were and are not here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Why.
    pub cause: LossCause,
    /// Whose events.
    pub sensor: Option<Sensor>,
    /// The lane that they would have taken.
    pub lane: Lane,
    /// How many, as far as known.
    pub count: u64,
    /// Whether `count` is all of them.
    pub is_count_exact: bool,
    /// Since when.
    pub from: Boottime,
    /// Until when.
    pub until: Boottime,
    /// Their numbers, when they had been given any.
    pub range: Option<LostRange>,
}
