//! Batches into one Parquet file, written aside and then published.
//!
//! In: record batches of one class, sorted. Out: a durable file under its final name, which counts
//! only when the catalog names it. It never touches a file that is published.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use cordon_shared::seglog::Disk;
use parquet::arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions};

use super::{
    LakeError,
    file::Aside,
    schema::{self, Effort},
};

/// A file that is being written.
pub(super) struct Writer {
    parquet: ArrowWriter<Aside>,
    path: PathBuf,
}

impl Writer {
    /// Begins a file of a class at `path`, which lies aside; `rows` is how many it will have at
    /// most.
    pub(super) fn begin(
        disk: &dyn Disk,
        path: PathBuf,
        class: u32,
        (rows, effort): (usize, Effort),
    ) -> Result<Self, LakeError> {
        let failed = |it| LakeError::parquet("begin", &path, it);
        let properties = schema::properties(rows, effort).map_err(failed)?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            // Our types are what the Parquet types say by themselves.
            .with_skip_arrow_metadata(true);
        let aside = Aside::begin(disk, &path)?;
        let schema = schema::of(class);
        let parquet = ArrowWriter::try_new_with_options(aside, schema, options).map_err(failed)?;
        Ok(Self { parquet, path })
    }

    /// Adds rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.parquet.write(batch).map_err(|it| LakeError::parquet("write", &self.path, it))
    }

    /// Ends the file and makes it durable; its size in bytes.
    pub(super) fn finish(mut self) -> Result<u64, LakeError> {
        let path = &self.path;
        self.parquet.finish().map_err(|it| LakeError::parquet("write", path, it))?;
        // The encoder is done and has flushed into it.
        self.parquet.inner_mut().finish().map_err(|it| LakeError::disk("sync", path, it))
    }
}

/// Gives a file that lies aside its name in `folder`, which is made if need be, and makes that
/// durable.
pub(super) fn publish(
    disk: &dyn Disk,
    aside: &Path,
    path: &Path,
    folders: &[&Path],
) -> Result<(), LakeError> {
    for folder in folders {
        disk.create_dir(folder).map_err(|it| LakeError::disk("make", folder, it))?;
    }
    disk.rename(aside, path).map_err(|it| LakeError::disk("publish", path, it))?;
    let Some(folder) = folders.last() else { return Ok(()) };
    disk.sync_dir(folder).map_err(|it| LakeError::disk("publish", path, it))
}
