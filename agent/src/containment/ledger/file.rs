//! The ledger on disk: a line that says what it is, a digest, and one JSON document for each entry.
//!
//! ```text
//! cordon-ledger 1 SHA256-OF-THE-REST
//! {"id":…,"command":…,"change":{"taken":{…}},"state":"done"}
//! ```
//!
//! Root can read it with nothing but eyes. It is whole or as it was, whatever happens while it is
//! written; a digest that does not fit, or a line that is not what this program writes, makes all of
//! it [`FileError::Damaged`].

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use cordon_shared::{
    command::scope::FileIs,
    digest::Sha256,
    durable,
    error::{Classify, Kind},
    id::{CommandId, IncidentId, LedgerId},
    text::Text,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Attributes, Change, ENTRIES_MAX, Entry, Kept, Link, State};

/// Begins the file; the digest of what follows the line is behind it.
const HEADER: &str = "cordon-ledger 1 ";

/// The largest file that is read: [`ENTRIES_MAX`] of the usual size, ten times over (chosen).
const BYTES_MAX: u64 = 64 << 20;

/// The ledger cannot be read or written.
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
    #[error("`{path}` cannot be understood ({reason})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it ends to make sense.
        reason: String,
    },
    /// There is no room for more.
    #[error("the undo ledger is full: {ENTRIES_MAX} entries, none of them undone")]
    Full,
}

impl Classify for FileError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk { .. } => Kind::Unavailable,
            Self::Damaged { .. } => Kind::Corrupt,
            Self::Full => Kind::Busy,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    id: String,
    command: String,
    incident: Option<String>,
    at_ns: i64,
    change: RawChange,
    state: String,
    undo: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawChange {
    Taken { kept: RawKept, is_removal: bool },
    Cut { kept: RawKept, line: String, after: String },
    Unlinked { path: String, target: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKept {
    path: String,
    device: u64,
    inode: u64,
    sha256: String,
    size_bytes: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    modified_ns: i64,
    extended: Vec<(String, String)>,
    is_cut: bool,
}

/// Reads the file; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, FileError> {
    let damaged = |reason: &str| FileError::Damaged { path: path.into(), reason: reason.into() };
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => {
            file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(disk("read", path))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(disk("open", path)(error)),
    }
    if text.len() as u64 > BYTES_MAX {
        return Err(damaged("it is larger than any that is written"));
    }
    let text = std::str::from_utf8(&text).ok().ok_or_else(|| damaged("it is no text"))?;
    let head = text.strip_prefix(HEADER).and_then(|it| it.split_once('\n'));
    let Some((digest, rest)) = head else { return Err(damaged("its first line is another")) };
    if digest != Sha256::of(rest.as_bytes()).to_string() {
        return Err(damaged("its digest is another"));
    }
    let mut entries = Vec::new();
    for (number, line) in rest.lines().enumerate() {
        let raw: Option<RawEntry> = serde_json::from_str(line).ok();
        let entry = raw.and_then(|it| entry_from(&it)).filter(|_| number < ENTRIES_MAX);
        entries.push(entry.ok_or_else(|| damaged(&format!("entry {}", number + 1)))?);
    }
    Ok(entries)
}

/// Writes it, whole.
pub(super) fn write(path: &Path, entries: &[Entry]) -> Result<(), FileError> {
    let mut rest = String::new();
    for it in entries {
        let line = serde_json::to_string(&entry_to(it));
        rest.push_str(&line.map_err(|it| disk("write", path)(it.into()))?);
        rest.push('\n');
    }
    let text = format!("{HEADER}{}\n{rest}", Sha256::of(rest.as_bytes()));
    durable::write(path, text.as_bytes(), durable::MODE_SECRET).map_err(disk("write", path))
}

/// Gives a damaged file another name, the first that is free.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, FileError> {
    let free = (1..=999).map(|number| path.with_extension(format!("damaged-{number}")));
    let mut free = free.filter(|it| matches!(it.try_exists(), Ok(false)));
    let aside = free.next().unwrap_or_else(|| path.with_extension("damaged"));
    fs::rename(path, &aside).map_err(disk("set aside", path))?;
    Ok(aside)
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Disk { doing, path, source }
}

fn entry_to(it: &Entry) -> RawEntry {
    let (state, undo) = match it.state {
        State::Begun => ("begun", None),
        State::Done => ("done", None),
        State::Void => ("void", None),
        State::Undoing(by) => ("undoing", Some(by)),
        State::Undone(by) => ("undone", Some(by)),
    };
    RawEntry {
        id: it.id.to_string(),
        command: it.command.to_string(),
        incident: it.incident.map(|it| it.to_string()),
        at_ns: it.at.as_ns(),
        change: match &it.change {
            Change::Taken { kept, is_removal } => {
                RawChange::Taken { kept: kept_to(kept), is_removal: *is_removal }
            }
            Change::Cut { kept, line, after } => RawChange::Cut {
                kept: kept_to(kept),
                line: line.to_string(),
                after: after.to_string(),
            },
            Change::Unlinked(it) => {
                RawChange::Unlinked { path: it.path.to_string(), target: it.target.to_string() }
            }
        },
        state: state.to_owned(),
        undo: undo.map(|it| it.to_string()),
    }
}

fn kept_to(it: &Kept) -> RawKept {
    let extended = it.attributes.extended.iter();
    RawKept {
        path: it.file.path.to_string(),
        device: it.file.device,
        inode: it.file.inode,
        sha256: it.file.sha256.to_string(),
        size_bytes: it.size_bytes,
        mode: it.attributes.mode,
        uid: it.attributes.uid,
        gid: it.attributes.gid,
        modified_ns: it.attributes.modified.as_ns(),
        extended: extended.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        is_cut: it.attributes.is_cut,
    }
}

fn entry_from(raw: &RawEntry) -> Option<Entry> {
    let undo = raw.undo.as_deref().map(CommandId::parse);
    let state = match (raw.state.as_str(), undo) {
        ("begun", None) => State::Begun,
        ("done", None) => State::Done,
        ("void", None) => State::Void,
        ("undoing", Some(by)) => State::Undoing(by?),
        ("undone", Some(by)) => State::Undone(by?),
        _ => return None,
    };
    let incident = raw.incident.as_deref().map(IncidentId::parse);
    Some(Entry {
        id: LedgerId::parse(&raw.id)?,
        command: CommandId::parse(&raw.command)?,
        incident: match incident {
            None => None,
            Some(incident) => Some(incident?),
        },
        at: Timestamp::from_ns(raw.at_ns),
        change: match &raw.change {
            RawChange::Taken { kept, is_removal } => {
                Change::Taken { kept: kept_from(kept)?, is_removal: *is_removal }
            }
            RawChange::Cut { kept, line, after } => Change::Cut {
                kept: kept_from(kept)?,
                line: Text::parse(line)?,
                after: Sha256::parse(after)?,
            },
            RawChange::Unlinked { path, target } => {
                Change::Unlinked(Link { path: Text::parse(path)?, target: Text::parse(target)? })
            }
        },
        state,
    })
}

fn kept_from(raw: &RawKept) -> Option<Kept> {
    let extended = raw.extended.iter().map(|(name, value)| {
        let name = Text::parse(name)?;
        Some((name, Text::parse(value)?))
    });
    Some(Kept {
        file: FileIs {
            path: Text::parse(&raw.path)?,
            device: raw.device,
            inode: raw.inode,
            sha256: Sha256::parse(&raw.sha256)?,
        },
        size_bytes: raw.size_bytes,
        attributes: Attributes {
            mode: raw.mode,
            uid: raw.uid,
            gid: raw.gid,
            modified: Timestamp::from_ns(raw.modified_ns),
            extended: extended.collect::<Option<_>>()?,
            is_cut: raw.is_cut,
        },
    })
}
