//! The holds that are in force, and their file: the file is changed first.
//!
//! What is on disk is what is meant; the network is made so afterwards. After a crash in between, the
//! next start makes it so.
//!
//! A file that cannot be understood is not taken for "no holds": the host then stays as it is, open or
//! closed, until a command says anew how it should be.

use std::path::PathBuf;

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
    is_damaged: bool,
}

impl Book {
    /// Reads the file; there are no holds when there is none.
    ///
    /// # Errors
    /// [`FileError::Disk`].
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        match file::read(&path) {
            Ok(holds) => Ok(Self { path, holds, is_damaged: false }),
            Err(damaged @ FileError::Damaged { .. }) => {
                error!("{damaged}");
                Ok(Self { path, holds: Holds::default(), is_damaged: true })
            }
            Err(failed @ FileError::Disk { .. }) => Err(failed),
        }
    }

    /// What is in force, as far as it is known.
    #[must_use]
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Whether it is not known who holds the host.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Makes `holds` what is in force.
    ///
    /// # Errors
    /// [`FileError::Disk`]: what was in force is so still.
    pub fn put(&mut self, holds: Holds) -> Result<(), FileError> {
        if holds != self.holds || self.is_damaged {
            file::write(&self.path, &holds)?;
            self.holds = holds;
            self.is_damaged = false;
        }
        Ok(())
    }
}
