//! Readers of `/proc` that take its root as an argument, so that tests can build one.
//!
//! They return what is there at the moment of reading: a process may be gone, or be another one,
//! between two reads. Who needs to be sure compares the start time before and after. Every read has
//! a bound: what a process writes into its own command line must not choose how much memory we use.

pub mod descriptor;
pub mod process;
pub mod socket;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Reads at most `bytes_max` bytes of a file; the rest is left.
///
/// # Errors
/// What opening or reading says: most often that the process is gone.
pub fn read_capped(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
