//! Where sealed snapshots lie until the collector has them whole.
//!
//! ```text
//! data_dir/snapshots/ID.part        under way; removed at the next start
//! data_dir/snapshots/ID.tar.zst     a container that is closed
//! data_dir/snapshots/ID.manifest    its signed manifest (`cordon.v1.Signed`), written last: with it, and
//!                                   not before, the snapshot is sealed
//! ```
//!
//! The folder is the truth, so what is here survives `kill -9`. It is bounded by [`SNAPSHOTS_MAX`] and
//! [`BYTES_MAX`]: when it is full nothing more is taken, since evidence that lies here is worth more
//! than evidence that could be had again. Nothing leaves but by [`Shelf::remove`], after the collector
//! said that it has it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use cordon_shared::{
    crypto::signing::SignedBytes,
    durable,
    error::{Classify, Kind},
    id::{CommandId, SnapshotId},
    snapshot::Manifest,
    wire,
};

/// Snapshots that wait (chosen: one a quarter of an hour for two hours without a collector).
pub const SNAPSHOTS_MAX: usize = 8;

/// Bytes that wait (chosen: two of the largest).
pub const BYTES_MAX: u64 = 512 << 20;

/// What must stay free on the disk: the spool and the journal of commands come first (F-6).
const FREE_BYTES_MIN: u64 = 64 << 20;

/// A manifest: its bound on the wire, and room for what it is wrapped in.
const MANIFEST_BYTES_MAX: u64 = 512 << 10;

/// It cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Too much waits for the collector.
    #[error("{count} snapshots of {bytes} bytes wait for the collector: there is no room for more")]
    Full {
        /// How many.
        count: usize,
        /// How much.
        bytes: u64,
    },
    /// The disk is nearly full.
    #[error("the disk has {free} bytes left, which are for events and commands")]
    Short {
        /// How much is free.
        free: u64,
    },
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for ShelfError {
    fn kind(&self) -> Kind {
        match self {
            Self::Full { .. } => Kind::Busy,
            Self::Short { .. } | Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// A sealed snapshot that waits.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What is in it.
    pub manifest: Manifest,
    /// The same, as it was signed.
    pub signed: SignedBytes,
    /// Where its container lies.
    pub container: PathBuf,
}

/// The folder. Cheap to clone; one agent has one.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Opens the folder, which is made when it is missing, and removes what was never sealed.
    ///
    /// # Errors
    /// [`ShelfError::Disk`].
    pub fn open(folder: PathBuf) -> Result<Self, ShelfError> {
        let made = durable::create_dir(&folder, durable::MODE_DIR);
        made.map_err(disk("make", &folder))?;
        let shelf = Self { folder };
        for entry in fs::read_dir(&shelf.folder).map_err(disk("list", &shelf.folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((id, kind)) = named(&name) else { continue };
            let is_sealed = shelf.path(id, Kin::Manifest).is_file();
            let is_left = kind == Kin::Part || kind == Kin::Aside || !is_sealed;
            if is_left {
                let path = entry.path();
                durable::remove(&path).map_err(disk("remove", &path))?;
            }
        }
        Ok(shelf)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether one more may be begun.
    ///
    /// # Errors
    /// [`ShelfError`] when not.
    pub fn room(&self) -> Result<(), ShelfError> {
        let waiting = self.waiting();
        let count = waiting.len();
        let bytes = waiting.iter().map(|it| it.manifest.size_bytes).sum();
        if count >= SNAPSHOTS_MAX || bytes >= BYTES_MAX {
            return Err(ShelfError::Full { count, bytes });
        }
        self.is_disk_roomy()
    }

    /// Whether the disk has room.
    ///
    /// # Errors
    /// [`ShelfError`] when not.
    pub fn is_disk_roomy(&self) -> Result<(), ShelfError> {
        let found = rustix::fs::statvfs(&self.folder);
        let found = found.map_err(|it| disk("look at the disk of", &self.folder)(it.into()))?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free < FREE_BYTES_MIN { Err(ShelfError::Short { free }) } else { Ok(()) }
    }

    /// Begins a container.
    ///
    /// # Errors
    /// [`ShelfError::Disk`].
    pub fn begin(&self, id: SnapshotId) -> Result<File, ShelfError> {
        let path = self.path(id, Kin::Part);
        let options =
            OpenOptions::new().write(true).create_new(true).mode(durable::MODE_SECRET).open(&path);
        options.map_err(disk("make", &path))
    }

    /// Seals a container that was begun: afterwards, and after any crash, it is here whole.
    ///
    /// # Errors
    /// [`ShelfError::Disk`]: then it is not.
    pub fn seal(
        &self,
        id: SnapshotId,
        container: &File,
        manifest: &SignedBytes,
    ) -> Result<(), ShelfError> {
        let (part, whole) = (self.path(id, Kin::Part), self.path(id, Kin::Container));
        container.sync_all().map_err(disk("sync", &part))?;
        fs::rename(&part, &whole).map_err(disk("rename", &part))?;
        let path = self.path(id, Kin::Manifest);
        // Writing it syncs the folder, and with it the new name of the container.
        let written = durable::write(&path, &wire::signed::encode(manifest), durable::MODE_SECRET);
        written.map_err(disk("write", &path))
    }

    /// Gives up what was begun.
    pub fn give_up(&self, id: SnapshotId) {
        for kin in [Kin::Manifest, Kin::Container, Kin::Part] {
            // What cannot be removed now is removed at the next start.
            drop(durable::remove(&self.path(id, kin)));
        }
    }

    /// Removes one that the collector has.
    ///
    /// # Errors
    /// [`ShelfError::Disk`].
    pub fn remove(&self, id: SnapshotId) -> Result<(), ShelfError> {
        for kin in [Kin::Manifest, Kin::Container] {
            let path = self.path(id, kin);
            durable::remove(&path).map_err(disk("remove", &path))?;
        }
        Ok(())
    }

    /// Those that wait, oldest first. One whose manifest does not read is left for a person.
    #[must_use]
    pub fn waiting(&self) -> Vec<Sealed> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|it| named(it.file_name().to_str()?));
        let mut ids: Vec<_> =
            names.filter(|(_, kin)| *kin == Kin::Manifest).map(|(id, _)| id).collect();
        // Names begin with the time at which they were given.
        ids.sort();
        ids.into_iter().filter_map(|id| self.read(id)).collect()
    }

    /// The one that a command asked for.
    #[must_use]
    pub fn find(&self, command: CommandId) -> Option<Sealed> {
        self.waiting().into_iter().find(|it| it.manifest.command == command)
    }

    fn read(&self, id: SnapshotId) -> Option<Sealed> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(id, Kin::Manifest)).ok()?;
        io::Read::read_to_end(&mut io::Read::take(file, MANIFEST_BYTES_MAX), &mut bytes).ok()?;
        let signed = wire::signed::decode(&bytes).ok()?;
        let manifest = wire::snapshot::peek(&signed).ok()?;
        let container = self.path(id, Kin::Container);
        (manifest.snapshot == id).then_some(Sealed { manifest, signed, container })
    }

    fn path(&self, id: SnapshotId, kin: Kin) -> PathBuf {
        self.folder.join(format!("{id}{}", kin.ending()))
    }
}

/// Kinds of files here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kin {
    Part,
    Container,
    Manifest,
    /// A manifest while it is written.
    Aside,
}

impl Kin {
    const fn ending(self) -> &'static str {
        match self {
            Self::Part => ".part",
            Self::Container => ".tar.zst",
            Self::Manifest => ".manifest",
            Self::Aside => ".manifest.new",
        }
    }
}

fn named(name: &str) -> Option<(SnapshotId, Kin)> {
    let kinds = [Kin::Part, Kin::Container, Kin::Aside, Kin::Manifest];
    kinds.into_iter().find_map(|kin| {
        let id = SnapshotId::parse(name.strip_suffix(kin.ending())?)?;
        Some((id, kin))
    })
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    let path = path.to_owned();
    move |source| ShelfError::Disk { doing, path, source }
}
