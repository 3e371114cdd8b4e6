//! [`Files`] on Linux: every open is by `openat2(2)` without links, every effect by descriptor.
//!
//! ```text
//! path ─▶ folder (descriptor, no link followed) ─▶ name in it ─▶ file (descriptor) ─▶ device, inode, digest
//! ```
//!
//! A name may be given to another file between a look and a deed. So a file is moved first and judged
//! after: when what was moved is not what was meant, it is moved back. What is rewritten is exchanged
//! in one step with what was written aside, and exchanged back when what came out is another.

mod attributes;

mod package;

mod place;

mod rewrite;

mod sweep;

mod take;

mod unit;

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use cordon_shared::{
    command::{action::Question, scope::FileIs},
    digest::Sha256,
    event::receipt::Refusal,
    id::{LedgerId, ProcessKey},
    text::Text,
};
use rustix::io::Errno;

use self::place::{Held, Opened, failed};
use super::stat;
use crate::containment::{
    files::{
        Cut, FILE_BYTES_MAX, Files, FilesError, Found, Look, Over, Package, RUNNERS_MAX, Swept,
        TEXT_BYTES_MAX, Unit, without_line,
    },
    ledger::{Kept, Link},
};

/// The files of this host.
#[derive(Clone, Debug)]
pub struct Linux {
    /// The folder of what was taken away: made when it is first needed, for its owner alone.
    pub quarantine: PathBuf,
    /// The agent's own files and folders, absolute.
    pub own: Vec<PathBuf>,
    /// Where the host keeps what it is made of; `/` but in a test.
    pub root: PathBuf,
    /// Where a sweep for contents looks.
    pub roots: Vec<PathBuf>,
}

impl Linux {
    /// Device and inode of the agent's own files, by whatever name they are met.
    fn is_own(&self, held: &Held) -> bool {
        let met = self.own.iter().filter_map(|it| fs::metadata(it).ok());
        met.filter(fs::Metadata::is_file)
            .any(|it| (it.dev(), it.ino()) == (held.device, held.inode))
    }

    fn found(&self, path: &Text, held: &Held) -> Result<Found, FilesError> {
        let sha256 = held.digest()?;
        let (device, inode) = (held.device, held.inode);
        Ok(Found {
            file: FileIs { path: path.clone(), device, inode, sha256 },
            size_bytes: held.size_bytes,
            names: held.names,
            attributes: attributes::of(held)?,
            package: None,
            is_own: self.is_own(held),
        })
    }
}

fn not(refusal: Refusal, what: impl Into<String>) -> Look {
    Look::Not { refusal, what: what.into() }
}

impl Files for Linux {
    fn sweep(&self, questions: &[Question], over: Over<'_>) -> Swept {
        sweep::sweep(self, questions, over)
    }

    fn own(&self) -> Vec<Text> {
        let text = |it: &PathBuf| Text::from(it.as_os_str().as_encoded_bytes());
        self.own.iter().map(text).collect()
    }

    fn look(&self, path: &Text) -> Look {
        let held = match place::open(path) {
            Ok(Opened::File(held)) => held,
            Ok(Opened::Nothing) => return Look::Nothing,
            Ok(Opened::Folder) => return not(Refusal::Protected, "a folder"),
            Ok(Opened::Special) => return not(Refusal::Protected, "no regular file"),
            Ok(Opened::Kernel) => return not(Refusal::Protected, "the kernel's"),
            Ok(Opened::Link) => {
                let what = "a symbolic link, or behind one: links are not followed";
                return not(Refusal::IdentityMismatch, what);
            }
            Err(error) => return unread(&error),
        };
        if held.size_bytes > FILE_BYTES_MAX {
            let what = format!("{} bytes large: more than {FILE_BYTES_MAX}", held.size_bytes);
            return not(Refusal::BadInput, what);
        }
        match self.found(path, &held) {
            Ok(found) => Look::File(Box::new(found)),
            Err(error) => unread(&error),
        }
    }

    fn package(&self, path: &Text) -> Result<Option<Package>, FilesError> {
        package::owner(&self.root, path)
    }

    fn weigh(&self, file: &FileIs, line: &Text) -> Result<Cut, FilesError> {
        let text = place::held(file)?.read(TEXT_BYTES_MAX)?;
        let (rest, lines) = without_line(&text, line.as_bytes());
        Ok(Cut { lines, after: Sha256::of(&rest) })
    }

    fn unit(&self, path: &Text) -> Result<Unit, FilesError> {
        unit::around(&self.root, path)
    }

    fn target(&self, path: &Text) -> Result<Option<Text>, FilesError> {
        place::target(path)
    }

    fn runners(&self, device: u64, inode: u64) -> Result<Vec<ProcessKey>, FilesError> {
        let listed = fs::read_dir("/proc").map_err(failed("list the processes"))?;
        let mut runners = Vec::new();
        for entry in listed.flatten() {
            let pid = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok());
            let Some(pid) = pid else { continue };
            // One that vanishes while it is listed is one that ended.
            let Ok(exe) = fs::metadata(format!("/proc/{pid}/exe")) else { continue };
            let is_it = (exe.dev(), exe.ino()) == (device, inode);
            if let Ok(Some(stat)) = stat(pid)
                && is_it
                && runners.len() < RUNNERS_MAX
            {
                runners.push(ProcessKey { pid, start_ticks: stat.start_ticks });
            }
        }
        Ok(runners)
    }

    fn kept(&self, entry: LedgerId) -> Result<Option<Sha256>, FilesError> {
        let path = self.quarantine.join(entry.to_string());
        match place::open(&Text::from(path.as_os_str().as_encoded_bytes()))? {
            Opened::File(held) => held.digest().map(Some),
            Opened::Nothing => Ok(None),
            Opened::Folder | Opened::Special | Opened::Kernel | Opened::Link => {
                Err(FilesError::Differs("the quarantine holds something else".to_owned()))
            }
        }
    }

    fn take(&self, file: &FileIs, entry: LedgerId) -> Result<(), FilesError> {
        take::take(&self.quarantine, file, entry)
    }

    fn put_back(&self, kept: &Kept, entry: LedgerId) -> Result<(), FilesError> {
        take::put_back(&self.quarantine, kept, entry)
    }

    fn cut(&self, kept: &Kept, line: &Text, entry: LedgerId) -> Result<(), FilesError> {
        rewrite::cut(&self.quarantine, kept, line, entry)
    }

    fn uncut(&self, kept: &Kept, after: Sha256, entry: LedgerId) -> Result<(), FilesError> {
        rewrite::uncut(&self.quarantine, kept, after, entry)
    }

    fn unlink(&self, link: &Link) -> Result<(), FilesError> {
        unit::unlink(link)
    }

    fn relink(&self, link: &Link) -> Result<(), FilesError> {
        unit::relink(link)
    }

    fn tidy(&self, kept: &Kept, entry: LedgerId, is_kept: bool) -> Result<(), FilesError> {
        take::tidy(&self.quarantine, kept, entry, is_kept)
    }
}

/// What could not be read is not touched.
fn unread(error: &FilesError) -> Look {
    match error {
        FilesError::Differs(why) => not(Refusal::IdentityMismatch, why.clone()),
        FilesError::Failed { doing, source } => {
            let is_denied = source.raw_os_error() == Some(Errno::ACCESS.raw_os_error());
            let why = if is_denied { "may not be read".to_owned() } else { source.to_string() };
            not(Refusal::IdentityMismatch, format!("not known: failed to {doing}: {why}"))
        }
    }
}

#[cfg(test)]
mod tests;
