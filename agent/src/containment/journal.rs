//! What was begun and what came of it: survives a crash, so that a command is begun at most once.
//!
//! ```text
//! file    8 header: "CDNJ", version = 1 as u16 little-endian, 2 zero bytes; records; zeros as room
//! record  4 length of the payload, 4 CRC-32C of it, payload        numbers little-endian
//! payload 1 kind, 16 command id, then
//!   1 begun     8 expires ns, 8 realtime ns, 16 boot id, 32 payload SHA-256, 16 incident or zeros,
//!               1 is automation's, 1 deed (0 other, 1 kill, 2 suspend, 3 resume, 4 files), 4 pid, 8 start ticks, 1 is tree
//!   2 ended     8 expires ns, 32 payload SHA-256, the signed receipt as `cordon.v1.Signed`
//!   3 reported  nothing: the receipt is safe in the spool
//! ```
//!
//! A record is on disk before the call that writes it returns; a torn tail is passed over at open. At
//! open the file is written anew with what is still needed: ids until they expire, begun ones of the
//! last hour (for automation's totals), receipts that are not reported; and with room for some dozens
//! of commands. Whoever fills the disk does not keep the agent from obeying: what comes goes into that
//! room, and where there is none to write the file anew, it is used as it is (F-6).
//!
//! CM-2: an agent begins a command id at most once. [`Journal::begin`] is the only way in, and refuses
//! an id that it has seen.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    crypto::signing::SignedBytes,
    digest::Sha256,
    durable,
    error::{Classify, Kind},
    id::{BootId, CommandId, IncidentId, ProcessKey},
    limit,
    time::Timestamp,
    wire,
};
use tracing::warn;

use self::record::Record;

mod deed;

mod record;

/// Commands that are remembered at one time: more than people or totals can give in a week (chosen).
const COMMANDS_MAX: usize = 65_536;

/// Zeros after the records: the room for what comes on a full disk (chosen: a command and its receipt
/// take 4 KiB or less).
const ROOM_BYTES: usize = 256 << 10;

/// How far automation's kills are counted back.
pub const TOTALS_WINDOW: Duration = Duration::from_secs(3_600);

/// The intent was not made durable, so nothing may be done.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It was here before: at most once (CM-2).
    #[error("command {0} was here before")]
    Seen(CommandId),
    /// Too many commands are remembered.
    #[error("{0} commands are remembered and none has expired")]
    Full(usize),
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for JournalError {
    fn kind(&self) -> Kind {
        match self {
            Self::Seen(_) => Kind::Conflict,
            Self::Full(_) => Kind::Busy,
            Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// What a command does to which process, as far as a restart has to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deed {
    /// Which.
    pub kind: DeedKind,
    /// To whom; of no meaning for [`DeedKind::Other`].
    pub process: ProcessKey,
    /// Its tree too.
    pub is_tree: bool,
}

/// Kinds of deeds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeedKind {
    /// No process.
    Other,
    /// Ends it.
    Kill,
    /// Stops it.
    Suspend,
    /// Lets it go on.
    Resume,
    /// Something with files; the undo ledger says what.
    Files,
}

/// An intent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Which command.
    pub command: CommandId,
    /// Its incident.
    pub incident: Option<IncidentId>,
    /// Until when its id is remembered.
    pub expires: Timestamp,
    /// When it was begun.
    pub realtime: Timestamp,
    /// During which boot.
    pub boot: BootId,
    /// Digest of its payload.
    pub payload_sha256: Sha256,
    /// Whether automation signed it alone.
    pub is_automation: bool,
    /// What it does.
    pub deed: Deed,
}

/// What is known of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Until when its id is remembered.
    pub expires: Timestamp,
    /// Digest of its payload.
    pub payload_sha256: Sha256,
    /// What was to be done; `None` when it was refused.
    pub intent: Option<Intent>,
    /// What came of it; `None` while it is under way, or when a crash came between.
    pub receipt: Option<SignedBytes>,
    /// Whether the receipt is safe in the spool.
    pub is_reported: bool,
}

/// The file and what it holds.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    entries: BTreeMap<CommandId, Entry>,
}

impl Journal {
    /// Opens `commands` in `dir`, which is made when it is missing; passes over a torn tail, forgets
    /// what is no longer needed at `now`.
    ///
    /// # Errors
    /// [`JournalError::Disk`].
    pub fn open(dir: &Path, now: Timestamp) -> Result<Self, JournalError> {
        durable::create_dir(dir, durable::MODE_DIR).map_err(disk("make", dir))?;
        let path = dir.join("commands");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(disk("read", &path)(error)),
        };
        let mut entries = BTreeMap::new();
        let (records, mut end) = record::read(&bytes);
        for record in records {
            apply(&mut entries, record);
        }
        entries.retain(|_, it| is_needed(it, now));
        let mut text = record::write(&entries);
        let needed = text.len();
        text.resize(needed + ROOM_BYTES, 0);
        match durable::write(&path, &text, durable::MODE_SECRET) {
            Ok(()) => end = needed,
            // As it is, with what it remembers beyond need.
            Err(error) if is_full(&error) && end > 0 => {
                warn!("no room to write `{}` anew: it is used as it is", path.display());
            }
            Err(error) => return Err(disk("write", &path)(error)),
        }
        let file = OpenOptions::new().write(true).open(&path).map_err(disk("open", &path))?;
        Ok(Self { path, file, end: end as u64, entries })
    }

    /// What is known of a command.
    #[must_use]
    pub fn find(&self, command: CommandId) -> Option<&Entry> {
        self.entries.get(&command)
    }

    /// Commands that were begun and have no receipt: a crash came between.
    #[must_use]
    pub fn unfinished(&self) -> Vec<Intent> {
        let open = self.entries.values().filter(|it| it.receipt.is_none());
        open.filter_map(|it| it.intent).collect()
    }

    /// Receipts that are not known to be safe in the spool.
    #[must_use]
    pub fn unreported(&self) -> Vec<(CommandId, SignedBytes)> {
        let open = self.entries.iter().filter(|(_, it)| !it.is_reported);
        open.filter_map(|(id, it)| it.receipt.clone().map(|receipt| (*id, receipt))).collect()
    }

    /// Kills and suspensions that automation alone began within the last hour. A clock that was set
    /// back counts more, never less.
    #[must_use]
    pub fn automation_deeds(&self, now: Timestamp) -> u32 {
        let since = now.saturating_sub(TOTALS_WINDOW);
        let counted = |it: &&Intent| {
            let is_counted = match it.deed.kind {
                DeedKind::Kill | DeedKind::Suspend => true,
                DeedKind::Resume | DeedKind::Files | DeedKind::Other => false,
            };
            it.is_automation && is_counted && it.realtime > since
        };
        let intents = self.entries.values().filter_map(|it| it.intent.as_ref());
        u32::try_from(intents.filter(counted).count()).unwrap_or(u32::MAX)
    }

    /// Makes an intent durable (CM-2).
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be done.
    pub fn begin(&mut self, intent: Intent) -> Result<(), JournalError> {
        if self.entries.contains_key(&intent.command) {
            return Err(JournalError::Seen(intent.command));
        }
        self.make_room(intent.realtime)?;
        self.append(Record::Begun(intent))
    }

    /// Makes a receipt durable; also of a command that was refused and never begun.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn end(
        &mut self,
        command: CommandId,
        expires: Timestamp,
        payload_sha256: Sha256,
        receipt: SignedBytes,
    ) -> Result<(), JournalError> {
        self.append(Record::Ended { command, expires, payload_sha256, receipt })
    }

    /// Notes that a receipt is safe in the spool.
    ///
    /// # Errors
    /// [`JournalError::Disk`]: it will be handed out once more after a restart.
    pub fn reported(&mut self, command: CommandId) -> Result<(), JournalError> {
        match self.entries.get(&command) {
            Some(entry) if !entry.is_reported => self.append(Record::Reported(command)),
            Some(_) | None => Ok(()),
        }
    }

    /// Forgets what is no longer needed once there is no room; the file shrinks at the next open.
    fn make_room(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.entries.len() < COMMANDS_MAX {
            return Ok(());
        }
        self.entries.retain(|_, it| is_needed(it, now));
        let count = self.entries.len();
        if count < COMMANDS_MAX { Ok(()) } else { Err(JournalError::Full(count)) }
    }

    fn append(&mut self, record: Record) -> Result<(), JournalError> {
        let bytes = record::encode(&record);
        let written = self.file.write_all_at(&bytes, self.end).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is told not to be there must not be found at the next open.
            drop(self.file.write_all_at(&vec![0; bytes.len()], self.end));
            return Err(disk("append to", &self.path)(error));
        }
        self.end = self.end.saturating_add(bytes.len() as u64);
        apply(&mut self.entries, record);
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_needed(entry: &Entry, now: Timestamp) -> bool {
    let counted = |it: &Intent| it.realtime > now.saturating_sub(TOTALS_WINDOW);
    let is_open = !entry.is_reported && now.since(entry.expires) < limit::COMMAND_LIFETIME_MAX;
    entry.expires > now || entry.intent.as_ref().is_some_and(counted) || is_open
}

fn apply(entries: &mut BTreeMap<CommandId, Entry>, record: Record) {
    match record {
        Record::Begun(intent) => {
            let entry = Entry {
                expires: intent.expires,
                payload_sha256: intent.payload_sha256,
                intent: Some(intent),
                receipt: None,
                is_reported: false,
            };
            entries.entry(intent.command).or_insert(entry);
        }
        Record::Ended { command, expires, payload_sha256, receipt } => {
            let refused =
                Entry { expires, payload_sha256, intent: None, receipt: None, is_reported: false };
            entries.entry(command).or_insert(refused).receipt.get_or_insert(receipt);
        }
        Record::Reported(command) => {
            if let Some(entry) = entries.get_mut(&command) {
                entry.is_reported = true;
            }
        }
    }
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Disk { doing, path, source }
}

/// A receipt as the journal keeps it.
fn receipt_from(bytes: &[u8]) -> Option<SignedBytes> {
    wire::signed::decode(bytes).ok()
}

#[cfg(test)]
mod tests;
