//! Options of the verbs that order something about processes, files and evidence, and of what is
//! asked about such orders afterwards.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::{Listing, contain::Signing, duration};

/// What is ordered.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// End a process, or it and its descendants.
    Kill(Process),
    /// Stop a process where it is.
    Suspend(Process),
    /// Let a suspended process go on.
    Resume(Process),
    /// Take a file away, to where nothing runs it.
    Quarantine(File),
    /// Bring a quarantined file back.
    Restore(Entry),
    /// Remove a trace of the adversary, with a backup.
    Remove(Remove),
    /// Undo an entry of the ledger.
    Undo(Entry),
    /// Look for files on many hosts.
    Sweep(Sweep),
    /// Take a forensic collection.
    Snapshot(Snapshot),
}

/// One process of a host.
#[derive(Debug, clap::Args)]
pub(crate) struct Process {
    /// The host's name, or its agent's id.
    pub(crate) host: String,
    /// Which process.
    #[command(flatten)]
    pub(crate) which: Which,
    /// Its descendants too.
    #[arg(long)]
    pub(crate) tree: bool,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// Which process: one way of naming it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// By its pid, as the host counts now.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// By its uid, as events name it.
    #[arg(long = "process", value_name = "UID")]
    pub(crate) uid: Option<String>,
}

/// One file of a host.
#[derive(Debug, clap::Args)]
pub(crate) struct File {
    /// The host's name, or its agent's id.
    pub(crate) host: String,
    /// The absolute path.
    pub(crate) path: String,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// One entry of a host's ledger.
#[derive(Debug, clap::Args)]
pub(crate) struct Entry {
    /// The host's name, or its agent's id.
    pub(crate) host: String,
    /// The entry: see `cordon ledger`.
    pub(crate) entry: String,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// Options of `remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// The host's name, or its agent's id.
    pub(crate) host: String,
    /// What.
    #[command(flatten)]
    pub(crate) what: Trace,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// What is removed: one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Trace {
    /// A line of a crontab: the file, and the whole line.
    #[arg(long, num_args = 2, value_names = ["PATH", "LINE"])]
    pub(crate) cron: Vec<String>,
    /// A systemd unit, timer or drop-in: its file.
    #[arg(long, value_name = "PATH")]
    pub(crate) unit: Option<String>,
    /// A line of a file of authorized keys: the file, and the whole line.
    #[arg(long, num_args = 2, value_names = ["PATH", "LINE"])]
    pub(crate) authorized_key: Vec<String>,
    /// A line of ld.so.preload, an rc or profile file, or sudoers: the file, and the whole line.
    #[arg(long, num_args = 2, value_names = ["PATH", "LINE"])]
    pub(crate) text_line: Vec<String>,
    /// A file.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<String>,
}

/// Options of `sweep`.
#[derive(Debug, clap::Args)]
pub(crate) struct Sweep {
    /// The incident that it belongs to.
    #[arg(value_name = "INCIDENT")]
    pub(crate) of: Option<String>,
    /// A file of these contents; may be given several times.
    #[arg(long, required_unless_present = "path")]
    pub(crate) sha256: Vec<String>,
    /// A file of this path; may be given several times.
    #[arg(long)]
    pub(crate) path: Vec<String>,
    /// Ask this host; may be given several times.
    #[arg(long = "host", required_unless_present = "all")]
    pub(crate) hosts: Vec<String>,
    /// Ask every host.
    #[arg(long, conflicts_with = "hosts")]
    pub(crate) all: bool,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// How much a snapshot takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Profile {
    /// What is gone first, in seconds.
    Triage,
}

/// Options of `snapshot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// The host's name, or its agent's id.
    pub(crate) host: String,
    /// How much.
    #[arg(long, value_enum, default_value_t = Profile::Triage)]
    pub(crate) profile: Profile,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// Orders that were given.
#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// Newest first.
    List(Listing),
    /// One, with what its receipt says.
    Show {
        /// Its id.
        id: String,
    },
    /// Sign a command that isolated as the second person, so that it stays.
    Approve(Renew),
    /// Take back a command that has not been sent yet.
    Withdraw {
        /// Its id.
        id: String,
        /// Why, for the timeline and the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Leases.
#[derive(Debug, Subcommand)]
pub(crate) enum Lease {
    /// Those that are in force, as far as the collector knows.
    List,
    /// Have one last longer: another person signs than those who did.
    Renew(Renew),
}

/// Options of `lease renew` and `command approve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Renew {
    /// The command that isolated.
    pub(crate) id: String,
    /// How long it lasts from now on.
    #[arg(long, default_value = "24h", value_parser = duration)]
    pub(crate) lease: Duration,
    /// It ends with its lease, instead of staying.
    #[arg(long)]
    pub(crate) ends: bool,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}
