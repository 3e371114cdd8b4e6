//! Holds on disk: one JSON document, whole or as it was, whatever happens while it is written.
//!
//! Root on the host can read it with nothing but eyes, which is what is at hand on the worst day. A
//! file that cannot be read is not taken for "no holds": the agent then says so, and the host stays
//! as it is.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    command::{
        action::Network,
        scope::{Lease, LeaseEnd},
    },
    durable,
    error::{Classify, Kind},
    id::{BootId, CommandId, IncidentId},
    time::{Boottime, ClockSample, Timestamp},
};
use serde::{Deserialize, Serialize};

use super::{Hold, Holds};

/// The version that is written. One older, which knows no persons, is read.
const VERSION: u32 = 2;

/// Holds cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What is there is not what this program writes.
    #[error(
        "`{path}` cannot be understood ({reason}): the host stays as it is until it is isolated or \
         released by command"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it ends to make sense.
        reason: String,
    },
}

impl Classify for FileError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk { .. } => Kind::Unavailable,
            Self::Damaged { .. } => Kind::Corrupt,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    /// Where the collector was when the network was closed, `ADDRESS:PORT` each: names do not resolve
    /// behind a closed network.
    collector: Vec<String>,
    holds: Vec<RawHold>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHold {
    command: String,
    incident: Option<String>,
    /// The persons who have signed for it.
    #[serde(default)]
    signed_by: Vec<String>,
    /// `ADDRESS/BITS` each.
    allowed: Vec<String>,
    lease: Option<RawLease>,
    since_ns: i64,
    realtime_ns: i64,
    boottime_ns: u64,
    boot: [u8; 16],
    is_overdue: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLease {
    duration_ms: u64,
    longest_ms: u64,
    stays: bool,
}

/// Reads the holds, and where the collector was; none when there is no file.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path) -> Result<(Holds, Vec<SocketAddr>), FileError> {
    let damaged = |reason: String| FileError::Damaged { path: path.to_owned(), reason };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(source) => return Err(disk("read", path, source)),
    };
    let raw: Raw = serde_json::from_slice(&text).map_err(|it| damaged(it.to_string()))?;
    if !(1..=VERSION).contains(&raw.version) {
        return Err(damaged(format!("it is of version {}, not 1 to {VERSION}", raw.version)));
    }
    let mut holds = Holds::default();
    for it in &raw.holds {
        let (command, hold) =
            parse(it).ok_or_else(|| damaged(format!("the hold of `{}`", it.command)))?;
        holds.add(command, hold).map_err(|it| damaged(it.to_string()))?;
    }
    let far_ends = raw.collector.iter().map(|it| it.parse().ok()).collect::<Option<Vec<_>>>();
    let far_ends = far_ends.ok_or_else(|| damaged("the collector's addresses".to_owned()))?;
    Ok((holds, far_ends))
}

/// Writes the holds, and where the collector is.
///
/// # Errors
/// [`FileError::Disk`]; the file is then as it was.
pub fn write(path: &Path, holds: &Holds, far_ends: &[SocketAddr]) -> Result<(), FileError> {
    let holds = holds.iter().map(|(command, hold)| raw(command, hold)).collect();
    let collector = far_ends.iter().map(ToString::to_string).collect();
    let text = serde_json::to_vec_pretty(&Raw { version: VERSION, collector, holds });
    let text = text.map_err(|it| disk("write", path, it.into()))?;
    durable::write(path, &text, durable::MODE_SECRET).map_err(|it| disk("write", path, it))
}

fn disk(doing: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::Disk { doing, path: path.to_owned(), source }
}

fn raw(command: CommandId, hold: &Hold) -> RawHold {
    let ms = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    RawHold {
        command: command.to_string(),
        incident: hold.incident.map(|it| it.to_string()),
        signed_by: hold.holders.iter().cloned().collect(),
        allowed: hold.allowed.iter().map(ToString::to_string).collect(),
        lease: hold.lease.map(|it| RawLease {
            duration_ms: ms(it.duration),
            longest_ms: ms(it.duration_max),
            stays: it.end == LeaseEnd::Hold,
        }),
        since_ns: hold.since.as_ns(),
        realtime_ns: hold.began.realtime.as_ns(),
        boottime_ns: hold.began.boottime.as_ns(),
        boot: hold.boot.0,
        is_overdue: hold.is_overdue,
    }
}

fn parse(raw: &RawHold) -> Option<(CommandId, Hold)> {
    let incident = match &raw.incident {
        Some(text) => Some(IncidentId::parse(text)?),
        None => None,
    };
    let allowed = raw.allowed.iter().map(|it| Network::parse(it)).collect::<Option<Vec<_>>>()?;
    let lease = raw.lease.as_ref().map(|it| Lease {
        duration: Duration::from_millis(it.duration_ms),
        end: if it.stays { LeaseEnd::Hold } else { LeaseEnd::Release },
        duration_max: Duration::from_millis(it.longest_ms),
    });
    let hold = Hold {
        incident,
        holders: raw.signed_by.iter().cloned().collect(),
        allowed,
        lease,
        since: Timestamp::from_ns(raw.since_ns),
        began: ClockSample {
            realtime: Timestamp::from_ns(raw.realtime_ns),
            boottime: Boottime::from_ns(raw.boottime_ns),
        },
        boot: BootId(raw.boot),
        is_overdue: raw.is_overdue,
    };
    Some((CommandId::parse(&raw.command)?, hold))
}
