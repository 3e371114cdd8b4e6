//! Refuses to serve beside a key that must not be here.
//!
//! Beside the road: a collector that holds a root's or a responder's private key could own the
//! fleet (promise 3), so `serve` and `check` look through its folders and stop at the first one.
//! The one signing key that belongs here is automation's, and it must be no root's.

use std::{
    io,
    path::{Path, PathBuf},
};

use cordon_shared::{
    error::{Classify, Kind},
    keyring::{
        author::{self, AuthorError},
        key::Roots,
    },
};

use crate::{layout::Layout, pki::authority};

/// A key file is a few lines; larger files are none.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// Folders below a folder that are looked into.
const DEPTH_MAX: usize = 4;

/// A key lies where it must not.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A private key that is not automation's.
    #[error("`{path}` is a private signing key: move it off the collector, then start again")]
    Private {
        /// Which file.
        path: PathBuf,
    },
    /// Automation's key is a root key.
    #[error("`{path}` is a root's key: automation must have one of its own")]
    Root {
        /// Which file.
        path: PathBuf,
    },
    /// A key file cannot be read.
    #[error(transparent)]
    Author(#[from] AuthorError),
    /// A folder cannot be read.
    #[error("failed to look through `{path}`")]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for GuardError {
    fn kind(&self) -> Kind {
        match self {
            Self::Private { .. } | Self::Root { .. } => Kind::Forbidden,
            Self::Author(error) => error.kind(),
            Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// Looks through the collector's folder, journal and lake excepted, which hold no files of people.
///
/// # Errors
/// [`GuardError`]: do not start.
pub fn check(layout: &Layout, roots: &Roots) -> Result<(), GuardError> {
    let automation = authority::automation_path(&layout.pki());
    let key = author::read_key(&automation)?;
    if roots.keys().contains(&key.public()) {
        return Err(GuardError::Root { path: automation });
    }
    let skipped = [layout.journal(), layout.lake(), automation];
    search(layout.root(), &skipped, DEPTH_MAX)
}

fn search(folder: &Path, skipped: &[PathBuf], depth: usize) -> Result<(), GuardError> {
    let failed = |source| GuardError::Disk { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Links are followed by nobody here: what they lead to is in another folder.
        let metadata = entry.metadata().map_err(failed)?;
        if skipped.contains(&path) {
            continue;
        }
        if metadata.is_dir() && depth > 0 {
            search(&path, skipped, depth - 1)?;
        }
        let is_small = metadata.is_file() && metadata.len() <= KEY_FILE_BYTES_MAX;
        if is_small && author::is_private_key(&path)? {
            return Err(GuardError::Private { path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cordon_shared::{crypto::signing::SigningKey, entropy::SeededEntropy};

    use super::*;

    fn layout() -> (tempfile::TempDir, Layout, Roots) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        std::fs::create_dir_all(layout.keyring()).unwrap();
        authority::create_automation(&layout.pki(), &SeededEntropy::new(1)).unwrap();
        let roots = Roots::new(vec![SigningKey::from_seed([9; 32]).public()], 1).unwrap();
        (dir, layout, roots)
    }

    #[test]
    fn automations_own_key_may_be_here() {
        let (_dir, layout, roots) = layout();
        check(&layout, &roots).unwrap();
    }

    #[test]
    fn any_other_private_key_stops_the_start() {
        let (_dir, layout, roots) = layout();
        for folder in [layout.root().to_owned(), layout.pki(), layout.keyring()] {
            let files = author::write_key(&folder, "bob", &SigningKey::from_seed([3; 32])).unwrap();
            assert!(
                matches!(check(&layout, &roots), Err(GuardError::Private { path }) if path == files.private)
            );
            std::fs::remove_file(files.private).unwrap();
            std::fs::remove_file(files.public).unwrap();
        }
    }

    #[test]
    fn automation_cannot_be_root() {
        let (_dir, layout, _) = layout();
        let key = author::read_key(&authority::automation_path(&layout.pki())).unwrap();
        let roots = Roots::new(vec![key.public()], 1).unwrap();
        assert!(matches!(check(&layout, &roots), Err(GuardError::Root { .. })));
    }
}
