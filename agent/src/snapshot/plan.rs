//! What a triage takes, in order of volatility (RFC 3227 section 2.1): what is gone first comes first.
//! Pure: the whole list is one golden text.

use std::fmt;

use cordon_shared::{id::ProcessKey, limit, snapshot::EntryName};

/// Processes whose files and executables are taken (chosen: a tree that a person names by hand).
pub const PROCESSES_MAX: usize = 8;

/// The least that makes sense: the small entries alone.
pub const BYTES_MIN: u64 = 1 << 20;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The closed set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Artefact {
    /// Clocks, boot, agent and system.
    Agent,
    /// The process table: executables with digests, arguments, names of environment variables.
    Processes,
    /// Open files of each process.
    OpenFiles,
    /// Executable mappings of each process; all of the named ones'.
    Maps,
    /// Sockets of every network namespace and who holds them.
    Sockets,
    /// Routes, neighbours, interfaces.
    Network,
    /// Who is logged in, and the last logins that worked and did not.
    Sessions,
    /// What is mounted.
    Mounts,
    /// Modules and the switches that an intruder turns.
    Modules,
    /// Loaded BPF programs.
    Bpf,
    /// What a named process executes, also when its file is deleted.
    Executable(u8),
    /// Files that the named processes use, and what lies beside them.
    RecentFiles,
    /// Cron tables and jobs.
    Cron,
    /// Units of systemd.
    Units,
    /// What else runs at a start or a login.
    Startup,
    /// Keys that open accounts.
    AuthorizedKeys,
    /// Accounts and groups.
    Users,
}

impl Artefact {
    /// The name of its entry: never made of what the host says.
    ///
    /// # Panics
    /// Never: all of them are names.
    #[must_use]
    pub fn name(self) -> EntryName {
        EntryName::parse(&self.to_string()).expect("each of these is a name")
    }

    /// How many bytes it may have.
    const fn bytes_max(self) -> u64 {
        match self {
            Self::Agent => 64 * KIB,
            Self::Processes | Self::OpenFiles | Self::Maps => 8 * MIB,
            Self::Sockets | Self::Units => 4 * MIB,
            Self::Executable(_) => limit::SNAPSHOT_ENTRY_BYTES_MAX,
            Self::Network
            | Self::Sessions
            | Self::Mounts
            | Self::Modules
            | Self::Bpf
            | Self::RecentFiles
            | Self::Cron
            | Self::Startup
            | Self::AuthorizedKeys
            | Self::Users => MIB,
        }
    }
}

impl fmt::Display for Artefact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent.json",
            Self::Processes => "processes.jsonl",
            Self::OpenFiles => "open_files.jsonl",
            Self::Maps => "maps.jsonl",
            Self::Sockets => "sockets.jsonl",
            Self::Network => "network.txt",
            Self::Sessions => "sessions.jsonl",
            Self::Mounts => "mounts.txt",
            Self::Modules => "modules.txt",
            Self::Bpf => "bpf.jsonl",
            Self::Executable(number) => return write!(f, "executable.{number}.bin"),
            Self::RecentFiles => "recent_files.jsonl",
            Self::Cron => "cron.jsonl",
            Self::Units => "units.jsonl",
            Self::Startup => "startup.jsonl",
            Self::AuthorizedKeys => "authorized_keys.jsonl",
            Self::Users => "users.txt",
        })
    }
}

/// One thing to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item {
    /// What.
    pub artefact: Artefact,
    /// At most so many bytes.
    pub bytes_max: u64,
}

/// What a snapshot takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// In order.
    pub items: Vec<Item>,
    /// The processes that were named.
    pub processes: Vec<ProcessKey>,
    /// All entries together have at most so many bytes.
    pub bytes_max: u64,
}

/// Nothing is taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// The plan of a triage.
///
/// # Errors
/// [`PlanError`] when more processes are named, or fewer bytes allowed, than make sense.
pub fn triage(processes: &[ProcessKey], bytes_max: u64) -> Result<Plan, PlanError> {
    if processes.len() > PROCESSES_MAX {
        return Err(PlanError(format!("a snapshot names {PROCESSES_MAX} processes at most")));
    }
    if bytes_max < BYTES_MIN {
        return Err(PlanError(format!("a snapshot takes {BYTES_MIN} bytes or more")));
    }
    let before = [
        Artefact::Agent,
        Artefact::Processes,
        Artefact::OpenFiles,
        Artefact::Maps,
        Artefact::Sockets,
        Artefact::Network,
        Artefact::Sessions,
        Artefact::Mounts,
        Artefact::Modules,
        Artefact::Bpf,
    ];
    let after = [
        Artefact::RecentFiles,
        Artefact::Cron,
        Artefact::Units,
        Artefact::Startup,
        Artefact::AuthorizedKeys,
        Artefact::Users,
    ];
    let executables = (1_u8..).take(processes.len()).map(Artefact::Executable);
    let all = before.into_iter().chain(executables).chain(after);
    Ok(Plan {
        items: all.map(|artefact| Item { artefact, bytes_max: artefact.bytes_max() }).collect(),
        processes: processes.to_vec(),
        // A container must not outgrow what is taken of it.
        bytes_max: bytes_max.min(limit::SNAPSHOT_BYTES_MAX / 2),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use cordon_shared::id::ProcessKey;
    use expect_test::expect;

    use super::{BYTES_MIN, PROCESSES_MAX, triage};

    #[test]
    fn the_whole_list_in_order_of_volatility() {
        let processes = [1, 2].map(|pid| ProcessKey { pid, start_ticks: 9 });
        let plan = triage(&processes, 1 << 40).expect("good");
        let mut text = format!("{} bytes in all\n", plan.bytes_max);
        for it in &plan.items {
            writeln!(text, "{} {}", it.artefact.name(), it.bytes_max).expect("a string");
        }
        expect![[r"
            134217728 bytes in all
            agent.json 65536
            processes.jsonl 8388608
            open_files.jsonl 8388608
            maps.jsonl 8388608
            sockets.jsonl 4194304
            network.txt 1048576
            sessions.jsonl 1048576
            mounts.txt 1048576
            modules.txt 1048576
            bpf.jsonl 1048576
            executable.1.bin 16777216
            executable.2.bin 16777216
            recent_files.jsonl 1048576
            cron.jsonl 1048576
            units.jsonl 4194304
            startup.jsonl 1048576
            authorized_keys.jsonl 1048576
            users.txt 1048576
        "]]
        .assert_eq(&text);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let many = vec![ProcessKey { pid: 2, start_ticks: 9 }; PROCESSES_MAX + 1];
        assert!(triage(&many, 1 << 30).is_err());
        assert!(triage(&[], BYTES_MIN - 1).is_err());
        assert!(triage(&[], BYTES_MIN).is_ok());
    }
}
