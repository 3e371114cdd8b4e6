//! Where forensic containers lie: whole ones, and those that are on their way.
//!
//! ```text
//! data_dir/evidence/ID.part       what has arrived, from the beginning, without a gap
//! data_dir/evidence/ID.tar.zst    whole: size and digest were those of the signed manifest
//! ```
//!
//! Beside the road: the gateway writes, the API reads; the store says which there are. A container is
//! named by its snapshot's id, which is 16 bytes on the wire, and by nothing that a peer wrote. It is
//! never parsed here: what a compromised host says of itself is for a responder's tool to unpack.
//!
//! Bounds: one container [`limit::SNAPSHOT_BYTES_MAX`], one chunk `limit::SNAPSHOT_CHUNK_BYTES_MAX`;
//! how much one agent may keep here, the store counts. On a disk that is nearly full nothing is taken
//! (F-7): agents keep what they have.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use cordon_shared::{
    digest::{Hasher, Sha256},
    durable,
    error::{Classify, Kind},
    id::SnapshotId,
    limit,
};

use crate::reserve::Reserve;

/// One read of a container that is digested.
const CHUNK_BYTES: usize = 256 << 10;

/// A container is not taken, or not given.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A piece does not follow what is here.
    #[error("`offset` must be {received}: that is how much is here")]
    Gap {
        /// How much is here.
        received: u64,
    },
    /// It is larger than was said.
    #[error("the container is larger than the {size} bytes of its manifest")]
    TooLarge {
        /// What was said.
        size: u64,
    },
    /// It is not what the manifest says; what had arrived is gone.
    #[error("the container is not the one of its manifest: begin again")]
    Differs,
    /// The disk is nearly full.
    #[error("the collector's disk is nearly full: keep it for now")]
    Short,
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

impl Classify for EvidenceError {
    fn kind(&self) -> Kind {
        match self {
            Self::Gap { .. } | Self::Differs => Kind::Conflict,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::Short | Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// The folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vault {
    folder: PathBuf,
    reserve: Reserve,
}

impl Vault {
    /// Opens the folder, which is made when it is missing.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(folder: PathBuf, reserve: Reserve) -> io::Result<Self> {
        durable::create_dir(&folder, durable::MODE_DIR)?;
        Ok(Self { folder, reserve })
    }

    /// Whether a container is here, whole.
    ///
    /// # Errors
    /// [`EvidenceError::Disk`].
    pub fn is_whole(&self, id: SnapshotId) -> Result<bool, EvidenceError> {
        let path = self.whole(id);
        path.try_exists().map_err(disk("look for", &path))
    }

    /// How much of a container has arrived.
    ///
    /// # Errors
    /// [`EvidenceError::Disk`].
    pub fn received(&self, id: SnapshotId) -> Result<u64, EvidenceError> {
        let path = self.part(id);
        match fs::metadata(&path) {
            Ok(about) => Ok(about.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(disk("look at", &path)(error)),
        }
    }

    /// Begins or goes on with a container of `size` bytes.
    ///
    /// # Errors
    /// [`EvidenceError::Disk`].
    pub fn go_on(&self, id: SnapshotId, size: u64) -> Result<Part, EvidenceError> {
        let (vault, path) = (self.clone(), self.part(id));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(durable::MODE_SECRET);
        let file = options.open(&path).map_err(disk("open", &path))?;
        let received = file.metadata().map_err(disk("look at", &path))?.len();
        Ok(Part { vault, id, path, file, received, size: size.min(limit::SNAPSHOT_BYTES_MAX) })
    }

    /// A container that is whole, to be read.
    ///
    /// # Errors
    /// [`EvidenceError::Disk`].
    pub fn read(&self, id: SnapshotId) -> Result<File, EvidenceError> {
        let path = self.whole(id);
        File::open(&path).map_err(disk("open", &path))
    }

    fn part(&self, id: SnapshotId) -> PathBuf {
        self.folder.join(format!("{id}.part"))
    }

    fn whole(&self, id: SnapshotId) -> PathBuf {
        self.folder.join(format!("{id}.tar.zst"))
    }
}

/// A container on its way.
#[derive(Debug)]
pub struct Part {
    vault: Vault,
    id: SnapshotId,
    path: PathBuf,
    file: File,
    received: u64,
    size: u64,
}

impl Part {
    /// How much has arrived.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether all has arrived; what it is, is not known yet.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.received == self.size
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`EvidenceError`]: nothing of it was taken.
    pub fn take(&mut self, offset: u64, data: &[u8]) -> Result<(), EvidenceError> {
        if offset != self.received {
            return Err(EvidenceError::Gap { received: self.received });
        }
        let end = offset.saturating_add(data.len() as u64);
        if end > self.size {
            return Err(EvidenceError::TooLarge { size: self.size });
        }
        if !self.vault.reserve.is_held() {
            return Err(EvidenceError::Short);
        }
        if let Err(error) = self.file.write_all_at(data, offset) {
            // Half a piece would be taken for what the agent sent.
            drop(self.file.set_len(offset));
            return Err(disk("write to", &self.path)(error));
        }
        self.received = end;
        Ok(())
    }

    /// Checks what has arrived as a whole, makes it durable and publishes it. What differs is removed,
    /// so that the next try begins anew.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn settle(self, sha256: Sha256) -> Result<(), EvidenceError> {
        let found = digest(&self.file).map_err(disk("read", &self.path))?;
        if !self.is_full() || found != sha256 {
            durable::remove(&self.path).map_err(disk("remove", &self.path))?;
            return Err(EvidenceError::Differs);
        }
        self.file.sync_all().map_err(disk("sync", &self.path))?;
        let whole = self.vault.whole(self.id);
        fs::rename(&self.path, &whole).map_err(disk("rename", &self.path))?;
        let synced = File::open(&self.vault.folder).and_then(|it| it.sync_all());
        synced.map_err(disk("sync", &self.vault.folder))
    }
}

fn digest(file: &File) -> io::Result<Sha256> {
    let (mut hasher, mut offset) = (Hasher::default(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read_at(&mut chunk, offset)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        offset += count as u64;
    }
}

/// Reads the next piece of a container that is given away; nothing at its end.
///
/// # Errors
/// What reading says.
pub fn next_chunk(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut chunk = Vec::new();
    file.take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok((!chunk.is_empty()).then_some(chunk))
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvidenceError {
    let path = path.to_owned();
    move |source| EvidenceError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests;
