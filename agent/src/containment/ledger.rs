//! The undo ledger: what was done to files here, and what undoes it.
//!
//! ```text
//! begun ─▶ done ─▶ undoing ─▶ undone
//!   └────▶ void       └────▶ done
//! ```
//!
//! An entry is on disk as begun before its effect begins, and as done after; so is its undoing. After
//! a crash in between, [`settled`] says from what lies there how far it got. What an entry took away
//! lies in the quarantine under the entry's id. An entry is undone at most once.
//!
//! A ledger that cannot be understood is set aside under another name, and said so; it is never taken
//! for an empty one in silence.

use std::path::PathBuf;

use cordon_shared::{
    command::scope::FileIs,
    digest::Sha256,
    id::{CommandId, IncidentId, LedgerId},
    text::Text,
    time::Timestamp,
};
use tracing::error;

use self::file::FileError;
use super::files::{Attributes, Look};

pub mod file;

/// Entries that are kept (chosen: what a large incident removes from one host, a hundred times over).
pub const ENTRIES_MAX: usize = 4_096;

/// Bytes that the quarantine may hold (chosen: what a disk of a server can spare).
pub const KEPT_BYTES_MAX: u64 = 8 << 30;

/// A file as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Which.
    pub file: FileIs,
    /// Its size.
    pub size_bytes: u64,
    /// What it was beside its contents.
    pub attributes: Attributes,
}

/// A symbolic link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Where it lies.
    pub path: Text,
    /// Where it points.
    pub target: Text,
}

/// What is done, with all that undoes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A file lies in the quarantine.
    Taken {
        /// What it was.
        kept: Kept,
        /// Whether it was removed for good rather than put where nothing runs it.
        is_removal: bool,
    },
    /// A file lacks a line; what it was lies in the quarantine.
    Cut {
        /// What it was.
        kept: Kept,
        /// The line.
        line: Text,
        /// Digest of what it became.
        after: Sha256,
    },
    /// A link is gone.
    Unlinked(Link),
}

impl Change {
    /// Where it was done.
    #[must_use]
    pub fn path(&self) -> &Text {
        match self {
            Self::Taken { kept, .. } | Self::Cut { kept, .. } => &kept.file.path,
            Self::Unlinked(link) => &link.path,
        }
    }

    /// What the quarantine holds for it.
    #[must_use]
    pub fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Taken { kept, .. } | Self::Cut { kept, .. } => Some(kept),
            Self::Unlinked(_) => None,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Meant; not known to be done.
    Begun,
    /// Done.
    Done,
    /// Not done, or taken back within its own command.
    Void,
    /// Meant to be undone by this command; not known to be.
    Undoing(CommandId),
    /// Undone by this command.
    Undone(CommandId),
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name.
    pub id: LedgerId,
    /// The command that did it.
    pub command: CommandId,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: Change,
    /// How far it is.
    pub state: State,
}

/// The entries, with their file.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    entries: Vec<Entry>,
    set_aside: Option<PathBuf>,
}

impl Ledger {
    /// Reads the file; there are no entries when there is none. One that cannot be understood is set
    /// aside.
    ///
    /// # Errors
    /// [`FileError`]: the disk failed.
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        let (entries, set_aside) = match file::read(&path) {
            Ok(entries) => (entries, None),
            Err(FileError::Damaged { path, reason }) => {
                let aside = file::set_aside(&path)?;
                let shown = aside.display();
                error!("the undo ledger is damaged ({reason}): what it held is in `{shown}`");
                (Vec::new(), Some(aside))
            }
            Err(failed @ (FileError::Disk { .. } | FileError::Full)) => return Err(failed),
        };
        Ok(Self { path, entries, set_aside })
    }

    /// The entry of this name.
    #[must_use]
    pub fn find(&self, id: LedgerId) -> Option<&Entry> {
        self.entries.iter().find(|it| it.id == id)
    }

    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the ledger before this one is, when that was damaged.
    #[must_use]
    pub fn set_aside(&self) -> Option<&PathBuf> {
        self.set_aside.as_ref()
    }

    /// Bytes that the quarantine holds, or is about to.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        let is_held = |it: &&Entry| !matches!(it.state, State::Void | State::Undone(_));
        let kept = self.entries.iter().filter(is_held).filter_map(|it| it.change.kept());
        kept.fold(0, |sum, it| sum.saturating_add(it.size_bytes))
    }

    /// Makes entries durable as begun; the oldest of those that are over make room.
    ///
    /// # Errors
    /// [`FileError`]: nothing may be done.
    pub fn begin(&mut self, new: Vec<Entry>) -> Result<(), FileError> {
        let mut entries = self.entries.clone();
        let mut over = (entries.len() + new.len()).saturating_sub(ENTRIES_MAX);
        entries.retain(|it| {
            let is_out = over > 0 && matches!(it.state, State::Void | State::Undone(_));
            over -= usize::from(is_out);
            !is_out
        });
        if over > 0 {
            return Err(FileError::Full);
        }
        entries.extend(new);
        self.put(entries)
    }

    /// Makes new states durable.
    ///
    /// # Errors
    /// [`FileError`]: they are as they were.
    pub fn mark(&mut self, states: &[(LedgerId, State)]) -> Result<(), FileError> {
        let mut entries = self.entries.clone();
        for (id, state) in states {
            if let Some(it) = entries.iter_mut().find(|it| it.id == *id) {
                it.state = *state;
            }
        }
        self.put(entries)
    }

    fn put(&mut self, entries: Vec<Entry>) -> Result<(), FileError> {
        if entries != self.entries {
            file::write(&self.path, &entries)?;
            self.entries = entries;
        }
        Ok(())
    }
}

/// What lies where an entry was at work.
#[derive(Clone, Debug)]
pub struct Scene {
    /// At its path.
    pub look: Look,
    /// Where the link at its path points.
    pub target: Option<Text>,
    /// Digest of what the quarantine holds.
    pub kept: Option<Sha256>,
}

/// How far an interrupted entry got, from what lies there; as it was when that does not tell.
#[must_use]
pub fn settled(entry: &Entry, scene: &Scene) -> State {
    let (undone, is_known) = match entry.state {
        State::Begun => (State::Void, false),
        State::Undoing(by) => (State::Undone(by), false),
        State::Done | State::Void | State::Undone(_) => (entry.state, true),
    };
    if is_known {
        return entry.state;
    }
    let (is_before, is_after) = match &entry.change {
        // A copy that is there while the file is too: the file was not taken, or is back.
        Change::Taken { kept, .. } => {
            let is_there = is_contents(&scene.look, kept.file.sha256);
            (is_there, !is_there && scene.kept == Some(kept.file.sha256))
        }
        Change::Cut { kept, after, .. } => {
            (is_contents(&scene.look, kept.file.sha256), is_contents(&scene.look, *after))
        }
        Change::Unlinked(link) => {
            let is_there = scene.target.as_ref() == Some(&link.target);
            (is_there, scene.target.is_none() && scene.look == Look::Nothing)
        }
    };
    match (is_before, is_after) {
        (true, _) => undone,
        (false, true) => State::Done,
        // Neither where it was nor in the quarantine: nothing of it began, and something else is there.
        (false, false) if entry.state == State::Begun && scene.kept.is_none() => State::Void,
        (false, false) => entry.state,
    }
}

fn is_contents(look: &Look, sha256: Sha256) -> bool {
    matches!(look, Look::File(found) if found.file.sha256 == sha256)
}

#[cfg(test)]
mod tests;
