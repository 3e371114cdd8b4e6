//! Which row groups cannot hold what is looked for: by counts of nulls, by the smallest and largest
//! value, and by Bloom filters.
//!
//! It may keep a group for nothing; it never drops one that holds a match.

use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    bloom_filter::Sbbf,
    errors::ParquetError,
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};

use super::needle::{Needle, Value};
use crate::lake::{file::Reading, schema};

/// The builder of a file's reader, which knows its footer.
pub(super) type Builder = ParquetRecordBatchReaderBuilder<Reading>;

/// The earliest and latest `time` of a row group; everything when the file does not say.
pub(super) fn span(group: &RowGroupMetaData) -> (i64, i64) {
    let time = group.columns().iter().find(|it| it.column_path().parts() == [schema::TIME]);
    match time.and_then(|it| it.statistics()) {
        Some(Statistics::Int64(it)) => {
            let least = it.min_opt().copied().unwrap_or(i64::MIN);
            (least, it.max_opt().copied().unwrap_or(i64::MAX))
        }
        Some(_) | None => (i64::MIN, i64::MAX),
    }
}

/// Whether a row group may hold all needles.
///
/// # Errors
/// [`ParquetError`] when a Bloom filter cannot be read.
pub(super) fn may_hold(
    builder: &Builder,
    group: usize,
    needles: &[Needle],
) -> Result<bool, ParquetError> {
    // What the footer says costs nothing, so it is asked about all needles first.
    let meta = builder.metadata().row_group(group);
    let left: Vec<_> = needles.iter().map(|it| (it, columns_left(meta, it))).collect();
    if left.iter().any(|(_, columns)| columns.is_empty()) {
        return Ok(false);
    }
    for (needle, columns) in &left {
        let Value::Is(value) = &needle.value else { continue };
        let mut may_hold = false;
        for column in columns {
            let filter: Option<Sbbf> = builder.get_row_group_column_bloom_filter(group, *column)?;
            if filter.is_none_or(|it| it.check(value.as_str())) {
                may_hold = true;
                break;
            }
        }
        if !may_hold {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The columns of a needle that may hold it, as the footer has them.
fn columns_left(group: &RowGroupMetaData, needle: &Needle) -> Vec<usize> {
    let columns = group.columns().iter().enumerate();
    let named = columns.filter(|(_, it)| {
        needle.columns.iter().any(|name| name.split('.').eq(it.column_path().parts().iter()))
    });
    named
        .filter(|(_, it)| {
            it.statistics().is_none_or(|has| may_lie(has, it.num_values(), &needle.value))
        })
        .map(|(at, _)| at)
        .collect()
}

/// Whether a value may lie among those that the statistics are of.
fn may_lie(statistics: &Statistics, cells: i64, value: &Value) -> bool {
    let nulls = statistics.null_count_opt();
    if nulls.is_some() && nulls == u64::try_from(cells).ok() {
        return false;
    }
    match (statistics, value) {
        (Statistics::Int64(it), Value::Number(want)) => {
            it.min_opt().is_none_or(|least| least <= want)
                && it.max_opt().is_none_or(|most| want <= most)
        }
        // A text in a footer may be cut, the largest then rounded up: still a bound.
        (Statistics::ByteArray(it), Value::Is(want)) => {
            it.min_opt().is_none_or(|least| least.data() <= want.as_bytes())
                && it.max_opt().is_none_or(|most| want.as_bytes() <= most.data())
        }
        (Statistics::ByteArray(it), Value::Begins(want)) => {
            let want = want.as_bytes();
            it.min_opt().is_none_or(|it| it.data() <= want || it.data().starts_with(want))
                && it.max_opt().is_none_or(|it| want <= it.data())
        }
        (_, _) => true,
    }
}
