//! The only door to files: what can be asked of them and done to them.
//!
//! [`FileFacts`] is one look at what a command names; plans are made from it alone. [`Files`] has one
//! implementation, [`Linux`](super::linux::files::Linux). A file is always named by path, device, inode
//! *and* digest, its path is opened without following a link, and whoever touches it checks all four
//! once more when it has hold of it: a file that is another by then is left alone
//! ([`FilesError::Differs`]).
//!
//! It never runs a program, never follows a link, and never touches what is no regular file.

use std::{collections::BTreeMap, fmt, io};

use cordon_shared::{
    command::{action::Question, scope::FileIs},
    digest::Sha256,
    event::receipt::{Finding, Refusal},
    id::{LedgerId, ProcessKey},
    text::Text,
    time::Timestamp,
};

use super::{
    ledger::{Kept, Link},
    plan::Protected,
};

/// The largest file that is looked at or touched (chosen: larger than any program of a distribution;
/// reading it twice takes about a second, and a kill may wait that long).
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// The largest file that a line is removed from (chosen: it is held in memory twice).
pub const TEXT_BYTES_MAX: u64 = 4 << 20;

/// Processes that are named as still running a file.
pub const RUNNERS_MAX: usize = 64;

/// Links that enable one unit (chosen: a few are usual).
pub const LINKS_MAX: usize = 64;

/// What a file is beside its contents: kept so that it comes back as it was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// Permission bits, set-user-id and the like included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When its contents last changed.
    pub modified: Timestamp,
    /// Extended attributes: capabilities, access lists, labels.
    pub extended: Vec<(Text, Text)>,
    /// Whether it has more of those than are kept.
    pub is_cut: bool,
}

/// Who put a file there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Whether the package means it to be edited by hand.
    pub is_configuration: bool,
}

/// A regular file, and what a plan has to know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which.
    pub file: FileIs,
    /// Its size.
    pub size_bytes: u64,
    /// Its names, hard links all.
    pub names: u64,
    /// What it is beside its contents.
    pub attributes: Attributes,
    /// The package that owns its path, as far as it was asked.
    pub package: Option<Package>,
    /// Whether it is the agent's own program or configuration, under whatever name.
    pub is_own: bool,
}

/// What lies at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// A regular file.
    File(Box<Found>),
    /// Something that is not touched.
    Not {
        /// How a command about it is refused.
        refusal: Refusal,
        /// What it is.
        what: String,
    },
}

/// What a line's removal would do to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// How often the line is there.
    pub lines: usize,
    /// Digest of the file without it.
    pub after: Sha256,
}

/// What surrounds a systemd unit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// Links that enable it or give it another name.
    pub links: Vec<Link>,
    /// Its processes, by its cgroup.
    pub pids: Vec<u32>,
    /// Whether a running systemd may act on it until it reads its units again.
    pub is_read: bool,
}

/// One look at the files that a command names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileFacts {
    /// What lies at each path.
    pub looks: BTreeMap<Text, Look>,
    /// What the removal of the line would do.
    pub cut: Option<Cut>,
    /// What surrounds the unit.
    pub unit: Option<Unit>,
    /// Digest of what the quarantine holds of the entry that is to be undone.
    pub kept: Option<Sha256>,
    /// The agent's own files and folders.
    pub own: Vec<Text>,
}

impl FileFacts {
    /// What lies at a path; nobody looked where it is not among the facts.
    #[must_use]
    pub fn at(&self, path: &Text) -> Look {
        let unseen = || Look::Not {
            refusal: Refusal::IdentityMismatch,
            what: "not among what was looked at".to_owned(),
        };
        self.looks.get(path).cloned().unwrap_or_else(unseen)
    }
}

/// Why a path is never touched, whatever lies there.
#[must_use]
pub fn guarded(path: &Text, own: &[Text], protected: &Protected) -> Option<&'static str> {
    let within = |folder: &[u8]| {
        let rest = path.as_bytes().strip_prefix(folder);
        rest.is_some_and(|it| it.is_empty() || it.starts_with(b"/"))
    };
    if own.iter().any(|it| within(it.as_bytes())) {
        return Some("the agent's own");
    }
    if protected.contains(path) {
        return Some("on the local policy's list");
    }
    if within(b"/proc") || within(b"/sys") || (within(b"/dev") && !within(b"/dev/shm")) {
        return Some("the kernel's");
    }
    None
}

/// Whether a path is written in the one way that leaves no doubt: no `.`, no `..`, nothing empty.
#[must_use]
pub fn is_plain(path: &Text) -> bool {
    let Some(rest) = path.as_bytes().strip_prefix(b"/") else { return false };
    rest.split(|it| *it == b'/').all(|it| !matches!(it, b"" | b"." | b".."))
}

/// Takes every occurrence of a whole line out; says how many there were.
#[must_use]
pub fn without_line(text: &[u8], line: &[u8]) -> (Vec<u8>, usize) {
    let is_it = |it: &&[u8]| it.strip_suffix(b"\n").unwrap_or(it) == line;
    let lines = text.split_inclusive(|it| *it == b'\n');
    let (out, kept): (Vec<&[u8]>, Vec<&[u8]>) = lines.partition(is_it);
    (kept.concat(), out.len())
}

/// A file was not touched.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// It is another than the one that was meant.
    #[error("{0}")]
    Differs(String),
    /// The system refused.
    #[error("failed to {doing}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Why a long work is to end now, if it is.
pub type Over<'a> = &'a dyn Fn() -> Option<&'static str>;

/// What a sweep saw.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// What it found.
    pub findings: Vec<Finding>,
    /// What it did not read.
    pub open: Vec<String>,
    /// Files and programs that it read.
    pub files: u64,
}

/// The door. Whatever fails leaves the file as it was.
pub trait Files: Send + Sync + fmt::Debug {
    /// Answers the questions of a sweep, until it is over.
    fn sweep(&self, questions: &[Question], over: Over<'_>) -> Swept;

    /// The agent's own files and folders.
    fn own(&self) -> Vec<Text>;

    /// What lies at a path; whose it is, [`Files::package`] says.
    fn look(&self, path: &Text) -> Look;

    /// The package that owns a path.
    ///
    /// # Errors
    /// [`FilesError::Failed`] when the list of packages cannot be read: then it may be anyone's.
    fn package(&self, path: &Text) -> Result<Option<Package>, FilesError>;

    /// What the removal of a line would do to this file.
    ///
    /// # Errors
    /// [`FilesError`] also when it is larger than [`TEXT_BYTES_MAX`].
    fn weigh(&self, file: &FileIs, line: &Text) -> Result<Cut, FilesError>;

    /// What surrounds the unit of this path.
    ///
    /// # Errors
    /// [`FilesError::Failed`] when a folder of units cannot be read.
    fn unit(&self, path: &Text) -> Result<Unit, FilesError>;

    /// Where a link points; nothing when there is none.
    ///
    /// # Errors
    /// [`FilesError`]; also when something else lies there.
    fn target(&self, path: &Text) -> Result<Option<Text>, FilesError>;

    /// Processes that run this file, at most [`RUNNERS_MAX`].
    ///
    /// # Errors
    /// [`FilesError::Failed`] when processes cannot be listed.
    fn runners(&self, device: u64, inode: u64) -> Result<Vec<ProcessKey>, FilesError>;

    /// Digest of what the quarantine holds under an entry's name.
    ///
    /// # Errors
    /// [`FilesError::Failed`].
    fn kept(&self, entry: LedgerId) -> Result<Option<Sha256>, FilesError>;

    /// Takes a file away, whole, into the quarantine.
    ///
    /// # Errors
    /// [`FilesError`].
    fn take(&self, file: &FileIs, entry: LedgerId) -> Result<(), FilesError>;

    /// Brings it back to where it was, as it was.
    ///
    /// # Errors
    /// [`FilesError`]; `Differs` when something is there by now, or when what was kept is damaged.
    fn put_back(&self, kept: &Kept, entry: LedgerId) -> Result<(), FilesError>;

    /// Takes a line out of a file, after a copy of the whole file to the quarantine.
    ///
    /// # Errors
    /// [`FilesError`].
    fn cut(&self, kept: &Kept, line: &Text, entry: LedgerId) -> Result<(), FilesError>;

    /// Makes a file again what it was before, if it is what it became.
    ///
    /// # Errors
    /// [`FilesError`].
    fn uncut(&self, kept: &Kept, after: Sha256, entry: LedgerId) -> Result<(), FilesError>;

    /// Removes a link that points where it did.
    ///
    /// # Errors
    /// [`FilesError`].
    fn unlink(&self, link: &Link) -> Result<(), FilesError>;

    /// Makes it again.
    ///
    /// # Errors
    /// [`FilesError`]; `Differs` when something is there by now.
    fn relink(&self, link: &Link) -> Result<(), FilesError>;

    /// Removes what an interrupted deed left lying about, and makes what is in the quarantine fit to
    /// lie there.
    ///
    /// # Errors
    /// [`FilesError::Failed`].
    fn tidy(&self, kept: &Kept, entry: LedgerId, is_kept: bool) -> Result<(), FilesError>;
}

#[cfg(test)]
pub(crate) mod tests;
