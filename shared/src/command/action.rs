//! The closed set of actions, each with all its operands.
//!
//! Names are those of OpenC2's endpoint response profile where it has one. Adding an action is a new
//! number on the wire, a row in [`Action::effect`], a plan on the agent and a page in the manual;
//! there is no way around any of them.

use bytes::Bytes;

pub use super::network::Network;
use super::scope::{FileIs, Lease};
use crate::{
    digest::Sha256,
    id::{CommandId, ExerciseId, LedgerId, ProcessKey, SweepId},
    keyring::Bundle,
    text::Text,
};

/// What a command does to a host, which decides who may sign it and whether an expired keyring still
/// permits it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Takes something from the adversary: always the safe direction.
    Contains,
    /// Reads and reports.
    Gathers,
    /// Gives something back, or changes what cannot be changed back.
    Widens,
    /// Changes what the agent obeys.
    Administers,
}

/// A process, or it and all its descendants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessTarget {
    /// Which process.
    pub process: ProcessKey,
    /// Its descendants too.
    pub is_tree: bool,
}

/// Something that is kept out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// Any file of these contents.
    Sha256(Sha256),
    /// The file of this path.
    Path(Text),
    /// A network.
    Network(Network),
    /// A name and those below it.
    Domain(String),
}

/// One trace of the adversary, to be removed with a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Artefact {
    /// A line of a crontab.
    CronLine {
        /// The crontab.
        path: Text,
        /// The whole line.
        line: Text,
    },
    /// A systemd unit, timer or drop-in.
    SystemdUnit {
        /// Its file.
        path: Text,
        /// Digest of the file.
        sha256: Sha256,
    },
    /// A line of an `authorized_keys` file.
    AuthorizedKey {
        /// The file.
        path: Text,
        /// The whole line.
        line: Text,
    },
    /// A line of `ld.so.preload`, an rc or profile file, or sudoers.
    TextLine {
        /// The file.
        path: Text,
        /// The whole line.
        line: Text,
    },
    /// An account.
    Account(String),
    /// A file.
    File(FileIs),
}

/// How much a snapshot takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SnapshotProfile {
    /// What is gone first, in seconds.
    Triage,
    /// The memory of named processes too.
    Memory,
    /// Files and logs too.
    Full,
}

impl SnapshotProfile {
    /// The name in manifests, JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Memory => "memory",
            Self::Full => "full",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Triage, Self::Memory, Self::Full].into_iter().find(|it| it.as_str() == text)
    }
}

/// One thing that a sweep looks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Files and processes of these contents.
    Sha256(Sha256),
    /// Files of this path.
    Path(Text),
    /// Connections with this network.
    Network(Network),
    /// Look-ups of this name.
    Domain(String),
    /// Matches of these YARA rules.
    Yara(Sha256),
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Ends a process or a tree.
    Kill(ProcessTarget),
    /// Stops a process or a tree where it is.
    Suspend(ProcessTarget),
    /// Lets it go on.
    Resume(ProcessTarget),
    /// Cuts the host, or one container, off.
    Isolate {
        /// What stays reachable beside what always does.
        allowed: Vec<Network>,
        /// Only this container; the host when empty.
        container: Text,
    },
    /// Ends a hold.
    Release {
        /// The command that began it.
        hold: CommandId,
    },
    /// Keeps things out.
    Block(Vec<Blocked>),
    /// Lets them in again.
    Unblock {
        /// Which.
        blocked: Vec<Blocked>,
        /// The command that blocked them.
        hold: CommandId,
    },
    /// Ends live connections.
    Cut {
        /// Of this process alone.
        process: Option<ProcessKey>,
        /// With these networks alone.
        remote: Vec<Network>,
    },
    /// Takes a file away, to where nothing runs it.
    Quarantine(FileIs),
    /// Brings it back.
    Restore(LedgerId),
    /// Removes a trace of the adversary.
    Remove(Artefact),
    /// Locks an account.
    LockAccount(String),
    /// Unlocks it.
    UnlockAccount {
        /// Which.
        account: String,
        /// The command that locked it.
        hold: CommandId,
    },
    /// Ends the sessions of an account.
    EndSessions(String),
    /// Stops and disables a systemd unit.
    DisableUnit(String),
    /// Takes a forensic collection.
    Snapshot {
        /// How much.
        profile: SnapshotProfile,
        /// Whose memory.
        processes: Vec<ProcessKey>,
        /// At most so many bytes.
        bytes_max: u64,
    },
    /// Takes files.
    Collect {
        /// Which.
        paths: Vec<Text>,
        /// At most so many bytes.
        bytes_max: u64,
    },
    /// Answers a question to the whole fleet.
    Sweep {
        /// Which sweep.
        sweep: SweepId,
        /// What to look for.
        questions: Vec<Question>,
    },
    /// Runs YARA rules.
    Scan {
        /// Digest of the rules that the agent holds.
        rules_sha256: Sha256,
        /// Over files.
        paths: Vec<Text>,
        /// Over memory.
        processes: Vec<ProcessKey>,
    },
    /// Makes a hold last longer.
    RenewLease {
        /// The command that began it.
        hold: CommandId,
        /// From now on.
        lease: Lease,
    },
    /// Undoes an entry of the ledger.
    Undo(LedgerId),
    /// Plays one step of a built-in exercise.
    Rehearse {
        /// Which exercise.
        exercise: ExerciseId,
        /// Which scenario.
        scenario: String,
        /// Which step.
        step: u32,
    },
    /// Narrows the local policy.
    SetPolicy(Bytes),
    /// Replaces the YARA rules.
    SetRules {
        /// Their digest.
        rules_sha256: Sha256,
        /// The rules.
        rules: Bytes,
    },
    /// Says where the collector is.
    SetCollector {
        /// `host:port` each.
        addresses: Vec<String>,
        /// Authorities, DER each.
        authorities: Vec<Bytes>,
    },
    /// Replaces the keyring; it carries signatures of its own.
    UpdateKeyring(Bundle),
}

impl Action {
    /// The name in commands, logs and receipts.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Suspend(_) => "suspend",
            Self::Resume(_) => "resume",
            Self::Isolate { .. } => "isolate",
            Self::Release { .. } => "release",
            Self::Block(_) => "block",
            Self::Unblock { .. } => "unblock",
            Self::Cut { .. } => "cut",
            Self::Quarantine(_) => "quarantine",
            Self::Restore(_) => "restore",
            Self::Remove(_) => "remove",
            Self::LockAccount(_) => "lock-account",
            Self::UnlockAccount { .. } => "unlock-account",
            Self::EndSessions(_) => "end-sessions",
            Self::DisableUnit(_) => "disable-unit",
            Self::Snapshot { .. } => "snapshot",
            Self::Collect { .. } => "collect",
            Self::Sweep { .. } => "sweep",
            Self::Scan { .. } => "scan",
            Self::RenewLease { .. } => "renew",
            Self::Undo(_) => "undo",
            Self::Rehearse { .. } => "rehearse",
            Self::SetPolicy(_) => "set-policy",
            Self::SetRules { .. } => "set-rules",
            Self::SetCollector { .. } => "set-collector",
            Self::UpdateKeyring(_) => "update-keyring",
        }
    }

    /// What it does to a host.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Kill(_)
            | Self::Suspend(_)
            | Self::Isolate { .. }
            | Self::Block(_)
            | Self::Cut { .. }
            | Self::Quarantine(_)
            | Self::LockAccount(_)
            | Self::EndSessions(_)
            | Self::DisableUnit(_)
            | Self::RenewLease { .. } => Effect::Contains,
            Self::Snapshot { .. }
            | Self::Collect { .. }
            | Self::Sweep { .. }
            | Self::Scan { .. } => Effect::Gathers,
            Self::Resume(_)
            | Self::Release { .. }
            | Self::Unblock { .. }
            | Self::Restore(_)
            | Self::Remove(_)
            | Self::UnlockAccount { .. }
            | Self::Undo(_)
            | Self::Rehearse { .. } => Effect::Widens,
            Self::SetPolicy(_)
            | Self::SetRules { .. }
            | Self::SetCollector { .. }
            | Self::UpdateKeyring(_) => Effect::Administers,
        }
    }

    /// Whether what it does can be undone.
    #[must_use]
    pub fn is_reversible(&self) -> bool {
        match self {
            Self::Kill(_) | Self::Cut { .. } | Self::EndSessions(_) | Self::Remove(_) => false,
            Self::Suspend(_)
            | Self::Resume(_)
            | Self::Isolate { .. }
            | Self::Release { .. }
            | Self::Block(_)
            | Self::Unblock { .. }
            | Self::Quarantine(_)
            | Self::Restore(_)
            | Self::LockAccount(_)
            | Self::UnlockAccount { .. }
            | Self::DisableUnit(_)
            | Self::Snapshot { .. }
            | Self::Collect { .. }
            | Self::Sweep { .. }
            | Self::Scan { .. }
            | Self::RenewLease { .. }
            | Self::Undo(_)
            | Self::Rehearse { .. }
            | Self::SetPolicy(_)
            | Self::SetRules { .. }
            | Self::SetCollector { .. }
            | Self::UpdateKeyring(_) => true,
        }
    }
}
