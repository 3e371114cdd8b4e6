//! Small files into large ones, with the same rows.
//!
//! In: files of one class, day and level that the catalog names. Out: one file of the next level
//! with their rows, sorted as every file is, and one catalog record that puts it in their place; then
//! the small files are removed. It runs between two commits in the filer's thread.
//!
//! The files are merged as they are read: at most [`FILES_MIN`] batches of [`BATCH_ROWS`] rows are in
//! memory, however large the files. Rows of an older schema get nulls for the columns it lacked.
//!
//! - **LK-1**: compaction changes files, never rows: what it read and what it wrote are counted, and a
//!   merge that does not hold as many rows as the catalog promises is thrown away.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef};
use arrow_select::interleave::interleave_record_batch;
use cordon_shared::error::{Classify, Kind};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
};

use super::{
    Filed, Lake, LakeError,
    catalog::{Change, File, State},
    file::Reading,
    partition::{self, Partition},
    schema::{self, Effort},
    writer::Writer,
};

/// Files of one class, day and level that become one (chosen: with 16, every row is written once
/// more for each factor of 16 in size).
pub(super) const FILES_MIN: usize = 16;

/// Bytes of a compacted file (chosen: a few seconds of one core, for which filing waits; some hundred
/// files for a hundred million events).
const BYTES_MAX: u64 = 64 << 20;

/// Rows that are decoded of each file at once.
const BATCH_ROWS: usize = 1_024;

/// Rows that are encoded at once.
const OUT_ROWS: usize = 4_096;

/// The files that are compacted next: the oldest of the lowest level, class and day that has enough;
/// without those that were refused before. Pure.
pub(super) fn choose(state: &State, refused: &BTreeSet<String>) -> Option<Vec<Arc<File>>> {
    let mut groups: BTreeMap<(u8, u32, partition::Day), Vec<Arc<File>>> = BTreeMap::new();
    for (path, file) in &state.files {
        if file.bytes >= BYTES_MAX / 2 || refused.contains(path) {
            continue;
        }
        groups.entry((file.level, file.class, file.day)).or_default().push(Arc::clone(file));
    }
    for mut files in groups.into_values().filter(|it| it.len() >= FILES_MIN) {
        // By name, files are in the order in which they came.
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let mut bytes = 0;
        files.truncate(FILES_MIN);
        files.retain(|it| {
            bytes += it.bytes;
            bytes <= BYTES_MAX
        });
        if files.len() > 1 {
            return Some(files);
        }
    }
    None
}

impl Lake {
    /// Compacts once, if there is something to compact; whether there was. Files that cannot be merged
    /// are added to `refused`, so that they do not stand in the way of others.
    ///
    /// # Errors
    /// [`LakeError`]: the files are as they were.
    pub fn compact(&self, refused: &mut BTreeSet<String>) -> Result<bool, LakeError> {
        let mut catalog = self.catalog();
        self.settle(&mut catalog)?;
        let state = catalog.state();
        let Some(files) = choose(&state, refused) else { return Ok(false) };
        let name = partition::file_name(self.0.collector, catalog.next());
        let mut change = Change { position: state.position, ..Change::default() };
        let merged = self.merge(&files, &name).map(|file| change.added.push(file));
        change.removed = files.iter().map(|it| it.path()).collect();
        let removed = change.removed.clone();
        if matches!(&merged, Err(error) if error.is_absent() || error.kind() == Kind::Corrupt) {
            refused.extend(removed.iter().cloned());
        }
        let Filed { .. } = self.finish(&mut catalog, merged, change)?;
        drop(catalog);
        // They do not count any more; what cannot be removed now is removed at the next start.
        drop(self.remove(removed.iter().map(String::as_str)));
        Ok(true)
    }

    /// Writes and publishes one file with the rows of `files`, which are of one class and day (LK-1).
    fn merge(&self, files: &[Arc<File>], name: &str) -> Result<File, LakeError> {
        let first = files.first().ok_or(LakeError::Unsettled)?;
        let place = (first.partition(), name);
        let aside = self.aside(place.0, name);
        let merged = self.merge_aside(&aside, place, files);
        self.settled(place, merged.and_then(|it| self.publish(&aside, it)))
    }

    /// Writes that file aside.
    fn merge_aside(
        &self,
        aside: &Path,
        (partition, name): (Partition, &str),
        files: &[Arc<File>],
    ) -> Result<File, LakeError> {
        let rows: u64 = files.iter().map(|it| it.rows).sum();
        let size = (usize::try_from(rows).unwrap_or(usize::MAX), Effort::Keeping);
        let schema = schema::of(partition.class);
        let mut merge = Merge { inputs: Vec::new(), order: Vec::new() };
        for file in files {
            merge.inputs.push(Input::open(self, file, &schema)?);
        }
        let mut writer = Writer::begin(&*self.0.disk, aside.to_owned(), partition.class, size)?;
        let mut written = 0;
        while let Some(batch) = merge.next()? {
            written += batch.num_rows() as u64;
            writer.write(&batch)?;
        }
        if written != rows {
            let said = format!("{written} rows, {rows} in the catalog");
            return Err(LakeError::parquet("merge", aside, ParquetError::General(said)));
        }
        Ok(File {
            class: partition.class,
            day: partition.day,
            name: name.to_owned(),
            rows,
            bytes: writer.finish()?,
            time_min_ms: files.iter().map(|it| it.time_min_ms).min().unwrap_or(i64::MIN),
            time_max_ms: files.iter().map(|it| it.time_max_ms).max().unwrap_or(i64::MAX),
            level: files.first().map_or(1, |it| it.level.saturating_add(1)),
        })
    }
}

/// Files that are merged.
struct Merge {
    inputs: Vec<Input>,
    /// Rows of the batch to come: which input, which row of its present batch.
    order: Vec<(usize, usize)>,
}

/// One of them, and how far it is read.
struct Input {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    path: PathBuf,
    batch: RecordBatch,
    row: usize,
}

/// What rows are sorted by.
type Key<'a> = (&'a str, &'a str, &'a str, i64);

impl Merge {
    /// The next rows in order; none at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        self.order.clear();
        for input in &mut self.inputs {
            input.fill()?;
        }
        // Until a batch is used up, since the rows point into the present ones.
        while self.order.len() < OUT_ROWS {
            let keys = self.inputs.iter().enumerate().filter_map(|(at, it)| Some((it.key()?, at)));
            let Some((_, at)) = keys.min() else { break };
            let Some(input) = self.inputs.get_mut(at) else { break };
            self.order.push((at, input.row));
            input.row += 1;
            if input.row >= input.batch.num_rows() {
                break;
            }
        }
        let Some(input) = self.inputs.first().filter(|_| !self.order.is_empty()) else {
            return Ok(None);
        };
        let batches: Vec<_> = self.inputs.iter().map(|it| &it.batch).collect();
        interleave_record_batch(&batches, &self.order).map(Some).map_err(|it| input.failed(it))
    }
}

impl Input {
    fn open(lake: &Lake, file: &File, schema: &SchemaRef) -> Result<Self, LakeError> {
        let path = lake.0.dir.join(file.path());
        let failed = |it| LakeError::parquet("read", &path, it);
        let reading = Reading::open(&*lake.0.disk, &path)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(reading).map_err(failed)?;
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        let batch = RecordBatch::new_empty(Arc::clone(schema));
        Ok(Self { reader, schema: Arc::clone(schema), path, batch, row: 0 })
    }

    /// Reads on when the present batch is used up.
    fn fill(&mut self) -> Result<(), LakeError> {
        while self.row >= self.batch.num_rows() {
            let Some(batch) = self.reader.next() else { return Ok(()) };
            let batch = batch.and_then(|it| adapted(&it, &self.schema));
            self.batch = batch.map_err(|it| self.failed(it))?;
            self.row = 0;
        }
        Ok(())
    }

    /// What the next row is sorted by; none at the end.
    fn key(&self) -> Option<Key<'_>> {
        if self.row >= self.batch.num_rows() {
            return None;
        }
        let column = |name| self.batch.column_by_name(name).map(Array::as_any);
        let text = |name| {
            let column: Option<&StringArray> = column(name).and_then(|it| it.downcast_ref());
            column.map_or("", |it| it.value(self.row))
        };
        let [agent, epoch, lane, seq] = schema::ORDER;
        let seq: Option<&Int64Array> = column(seq).and_then(|it| it.downcast_ref());
        Some((text(agent), text(epoch), text(lane), seq.map_or(0, |it| it.value(self.row))))
    }

    fn failed(&self, error: ArrowError) -> LakeError {
        LakeError::parquet("merge", &self.path, error.into())
    }
}

/// The rows of a file in the present schema: columns by name, nulls for those that it lacks.
pub(super) fn adapted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let columns =
        schema.fields().iter().map(|field| fitted(batch.column_by_name(field.name()), field, rows));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn fitted(
    column: Option<&ArrayRef>,
    field: &FieldRef,
    rows: usize,
) -> Result<ArrayRef, ArrowError> {
    let Some(column) = column else { return Ok(new_null_array(field.data_type(), rows)) };
    let any = column.as_any();
    if field.data_type() == column.data_type() {
        return Ok(Arc::clone(column));
    }
    if let (DataType::Struct(fields), Some(it)) = (field.data_type(), any.downcast_ref()) {
        let it: &StructArray = it;
        let inner = |field: &FieldRef| fitted(it.column_by_name(field.name()), field, rows);
        let columns = fields.iter().map(inner).collect::<Result<_, _>>()?;
        let nulls = it.nulls().cloned();
        return Ok(Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?));
    }
    if let (DataType::List(element), Some(it)) = (field.data_type(), any.downcast_ref()) {
        let it: &ListArray = it;
        let values = fitted(Some(it.values()), element, it.values().len())?;
        let (offsets, nulls) = (it.offsets().clone(), it.nulls().cloned());
        return Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?));
    }
    // A name that changed its type: files are never rewritten so, such a change needs a new name.
    let said = format!("`{}` has another type in an older file", field.name());
    Err(ArrowError::SchemaError(said))
}
