//! Reading what is left after pruning: one file at a time, the columns of the question only, then
//! the chosen rows whole.
//!
//! A file that was opened stays readable when a compaction removes its name meanwhile; one that is
//! opened anew for its rows may be gone, and then the search begins anew.

use std::{collections::BTreeMap, ops::ControlFlow, path::PathBuf};

use arrow_array::RecordBatch;
use cordon_shared::seglog::Disk;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
        },
    },
    file::metadata::{PageIndexPolicy, ParquetStatisticsPolicy},
};

use super::{
    needle::{self, Needle},
    prune,
};
use crate::lake::{
    LakeError,
    file::Reading,
    row::{self, Row},
    schema,
};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8 << 10;

/// A file with its footer.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    reading: Reading,
    footer: ArrowReaderMetadata,
    path: PathBuf,
}

/// A part of a row group in which some rows match.
pub(super) struct Part {
    pub(super) group: usize,
    /// Where the part begins in its group.
    pub(super) first: usize,
    pub(super) batch: RecordBatch,
    /// By row of the part.
    pub(super) matching: Vec<bool>,
}

impl Opened {
    pub(super) fn open(disk: &dyn Disk, path: PathBuf) -> Result<Self, LakeError> {
        let reading = Reading::open(disk, &path)?;
        // A footer of two hundred columns is most of what a needle costs that is not there.
        let options = ArrowReaderOptions::new()
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let footer = ArrowReaderMetadata::load(&reading, options)
            .map_err(|it| LakeError::parquet("read", &path, it))?;
        Ok(Self { reading, footer, path })
    }

    fn builder(&self) -> prune::Builder {
        let footer = self.footer.clone();
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.reading.clone(), footer)
    }

    /// Goes through the row groups that `wanted` lets pass by their span of time and that may hold
    /// the needles, and hands out each part of them; `each` says when it is enough.
    pub(super) fn scan(
        &self,
        needles: &[Needle],
        mut wanted: impl FnMut((i64, i64)) -> bool,
        each: &mut dyn FnMut(Part) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LakeError> {
        let failed = |it| LakeError::parquet("read", &self.path, it);
        for group in 0..self.footer.metadata().num_row_groups() {
            let builder = self.builder();
            let span = prune::span(builder.metadata().row_group(group));
            if !wanted(span) || !prune::may_hold(&builder, group, needles).map_err(failed)? {
                continue;
            }
            let columns = needles.iter().flat_map(|it| it.columns).copied();
            let columns = columns.chain(schema::ORDER).chain([schema::TIME]);
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
            let builder = builder.with_row_groups(vec![group]).with_projection(mask);
            let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
            let mut first = 0;
            for batch in reader {
                let batch = batch.map_err(|it| failed(it.into()))?;
                let matching = needle::matching(needles, &batch);
                let rows = batch.num_rows();
                if each(Part { group, first, batch, matching }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                first += rows;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The rows at these places, whole: group → rows of the group, both rising.
    pub(super) fn rows(
        &self,
        places: &BTreeMap<usize, Vec<usize>>,
    ) -> Result<BTreeMap<(usize, usize), Row>, LakeError> {
        let failed = |it| LakeError::parquet("read", &self.path, it);
        let mut found = BTreeMap::new();
        // The places of pages, so that a chosen row does not cost its whole group.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&self.reading, options).map_err(failed)?;
        for (group, rows) in places {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
                self.reading.clone(),
                footer.clone(),
            );
            let total = builder.metadata().row_group(*group).num_rows();
            let total = usize::try_from(total).unwrap_or(0);
            let ranges = rows.iter().map(|row| *row..row + 1);
            let selection = RowSelection::from_consecutive_ranges(ranges, total);
            let builder = builder.with_row_groups(vec![*group]).with_row_selection(selection);
            let mut rows = rows.iter();
            for batch in builder.build().map_err(failed)? {
                let batch = batch.map_err(|it| failed(it.into()))?;
                let whole = row::rows(&batch).into_iter();
                found.extend(whole.zip(rows.by_ref()).map(|(row, at)| ((*group, *at), row)));
            }
        }
        Ok(found)
    }
}
