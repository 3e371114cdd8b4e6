//! The lake: every event as an OCSF row in Parquet, to be read by our searches and by any engine.
//!
//! On the road: batches that are durable in the journal come in through [`filer`], rows go out
//! through [`Lake::search`]. Files lie as in `partition.rs`; which of them count the catalog says
//! (`catalog.rs`), and nothing else: a file that it does not name is a leftover of a crash and is
//! removed at open, one that it names and that is gone is an error for people.
//!
//! A commit: encode aside → sync → rename into place → sync the folder → one catalog record with the
//! files and the journal position → sync. Whatever is cut off before the last step never happened;
//! the journal still has the batches. Engines that read the folder as it lies see, between rename
//! and record, files of a commit that is not true yet; after a stop and a start they see what
//! counts.
//!
//! Bounds: a commit holds at most [`filer::HELD_ROWS_MAX`] events or [`filer::HELD_BYTES_MAX`]; a
//! file is encoded through batches of a few MiB; the catalog is in memory, about 300 bytes a file.
//!
//! - **LK-1**: compaction changes files, never rows (`compact.rs`).
//!
//! It never changes a published file, never trusts a name that a host gave, and never drops a row
//! because the disk is full: then the journal keeps it.

pub mod filer;

pub mod search;

mod batch;
mod catalog;
mod commit;
mod compact;
mod error;
mod file;
mod partition;
mod row;
mod schema;
mod writer;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use cordon_shared::{entropy::Entropy, id::CollectorId, seglog::Disk, time::Clock};
use tracing::{error, info};

use self::catalog::{Catalog, State};
pub use self::{commit::Filed, error::LakeError, row::Row};

/// What is being written.
const ASIDE: &str = "aside";

/// Which files count.
const CATALOG: &str = "catalog";

/// The open lake. Cheap to clone; all calls block.
#[derive(Clone, Debug)]
pub struct Lake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    collector: CollectorId,
    clock: Arc<dyn Clock>,
    catalog: Mutex<Catalog>,
    /// What readers see: the newest state that is durable.
    seen: ArcSwap<State>,
    missing: u64,
}

/// What it takes to open a lake.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The lake's folder; its parent is there.
    pub dir: &'a Path,
    /// Whose lake it is: part of every file's name.
    pub collector: CollectorId,
    /// What searches are timed by.
    pub clock: Arc<dyn Clock>,
    /// Names a new catalog.
    pub entropy: &'a dyn Entropy,
    /// Whether this collector was at work before: a lake without a catalog has lost it then, be it
    /// that its disk is not mounted.
    pub is_used: bool,
}

impl Lake {
    /// Opens the lake, or begins one; removes what a crash left over.
    ///
    /// # Errors
    /// [`LakeError::Catalog`] when the catalog has lost records or is gone: the collector does not start.
    /// Otherwise [`LakeError`] of the disk. A file that is missing is no error here: it is logged and
    /// counted ([`Lake::missing`]), and searches that need it say that they are partial.
    pub fn open(opening: Opening<'_>) -> Result<Self, LakeError> {
        let Opening { disk, dir, collector, clock, entropy, is_used } = opening;
        for folder in [dir, &dir.join(ASIDE)] {
            disk.create_dir(folder).map_err(|it| LakeError::disk("make", folder, it))?;
        }
        let found = published(&*disk, dir)?;
        let is_used = is_used || !found.is_empty();
        let catalog = Catalog::open(&disk, &dir.join(CATALOG), entropy, is_used)?;
        let state = catalog.state();
        let missing = state.files.keys().filter(|it| !found.contains(*it));
        let missing =
            missing.inspect(|it| error!(path = %it, "a file of the lake is gone")).count();
        let lake = Self(Arc::new(Inner {
            disk,
            dir: dir.to_owned(),
            collector,
            clock,
            seen: ArcSwap::new(Arc::clone(&state)),
            catalog: Mutex::new(catalog),
            missing: u64::try_from(missing).unwrap_or(u64::MAX),
        }));
        let strangers = found.iter().filter(|it| !state.files.contains_key(*it));
        lake.remove(strangers.map(String::as_str))?;
        lake.clear_aside()?;
        Ok(lake)
    }

    /// The journal position below which every batch is filed.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.0.seen.load().position
    }

    /// Files that the catalog named at open and that were gone.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.0.missing
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        // The catalog's steps are durable one by one: a panic between two leaves it true.
        self.0.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes files by their path below the lake's folder, as far as they are there.
    fn remove<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), LakeError> {
        for it in paths {
            let path = self.0.dir.join(it);
            match self.0.disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LakeError::disk("remove", &path, error));
                }
                Ok(()) | Err(_) => info!(path = it, "removed a file that does not count"),
            }
        }
        Ok(())
    }

    /// Removes what was being written when the collector ended.
    fn clear_aside(&self) -> Result<(), LakeError> {
        let names = names(&*self.0.disk, &self.0.dir.join(ASIDE))?;
        let ours = names.iter().filter(|it| it.ends_with(commit::ASIDE_END));
        let paths: Vec<_> = ours.map(|it| format!("{ASIDE}/{it}")).collect();
        self.remove(paths.iter().map(String::as_str))
    }
}

/// The files in the folders of classes and days that have names of our making.
fn published(disk: &dyn Disk, dir: &Path) -> Result<BTreeSet<String>, LakeError> {
    let mut found = BTreeSet::new();
    for class in names(disk, dir)?.iter().filter(|it| partition::class_of(it).is_some()) {
        let days = names(disk, &dir.join(class))?;
        for day in days.iter().filter(|it| partition::day_of(it).is_some()) {
            let files = names(disk, &dir.join(class).join(day))?;
            let ours = files.iter().filter(|it| partition::is_file_name(it));
            found.extend(ours.map(|it| format!("{class}/{day}/{it}")));
        }
    }
    Ok(found)
}

/// The names in a folder that are text: ours all are.
fn names(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, LakeError> {
    let names = disk.list(folder).map_err(|it| LakeError::disk("list", folder, it))?;
    Ok(names.into_iter().filter_map(|it| it.into_string().ok()).collect())
}

#[cfg(test)]
mod tests;
