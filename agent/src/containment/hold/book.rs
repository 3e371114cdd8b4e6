//! The holds that are in force, and their file: the file is changed first.
//!
//! What is on disk is what is meant; the network is made so afterwards. After a crash in between, the
//! next start makes it so.
//!
//! A file that cannot be understood is not taken for "no holds": the host then stays as it is, open or
//! closed, until a command says anew how it should be.

use std::{net::SocketAddr, path::PathBuf};

use tracing::error;

use super::{
    Holds,
    file::{self, FileError},
};

/// The holds, with their file.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    holds: Holds,
    far_ends: Vec<SocketAddr>,
    is_damaged: bool,
}

impl Book {
    /// Reads the file; there are no holds when there is none.
    ///
    /// # Errors
    /// [`FileError::Disk`].
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        match file::read(&path) {
            Ok((holds, far_ends)) => Ok(Self { path, holds, far_ends, is_damaged: false }),
            Err(damaged @ FileError::Damaged { .. }) => {
                error!("{damaged}");
                let (holds, far_ends) = Default::default();
                Ok(Self { path, holds, far_ends, is_damaged: true })
            }
            Err(failed @ FileError::Disk { .. }) => Err(failed),
        }
    }

    /// What is in force, as far as it is known.
    #[must_use]
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Where the collector was when a hold was last changed.
    #[must_use]
    pub fn far_ends(&self) -> &[SocketAddr] {
        &self.far_ends
    }

    /// Whether it is not known who holds the host.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Makes `holds` what is in force, with the collector at these addresses.
    ///
    /// # Errors
    /// [`FileError::Disk`]: what was in force is so still.
    pub fn put(&mut self, holds: Holds, far_ends: &[SocketAddr]) -> Result<(), FileError> {
        if holds != self.holds || self.is_damaged {
            file::write(&self.path, &holds, far_ends)?;
            self.holds = holds;
            self.far_ends = far_ends.to_vec();
            self.is_damaged = false;
        }
        Ok(())
    }
}
