//! OCSF columns as Arrow columns, and how each of them lies in a Parquet file.
//!
//! In: a class, whose fields are data in [`mod@column`]. Out: its Arrow schema, and the choice of
//! encodings and Bloom filters by column name; a test sees that every name is a column of some
//! class. It never names a field in a type of its own, so that a new field of the mapping is a new
//! column without a line here.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use cordon_shared::ocsf::column::{self, Kind};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties, WriterVersion},
    schema::types::ColumnPath,
};

/// What an object in a list is called, as the Parquet format wants it (`LogicalTypes.md`, Lists).
pub(super) const ELEMENT: &str = "element";

/// What the rows of a file are sorted by, read as text and number. Together they name one event.
pub(super) const ORDER: [&str; 4] = ["cordon_agent", "cordon_epoch", "cordon_lane", "cordon_seq"];

/// When it happened.
pub(super) const TIME: &str = "time";

/// Columns that hold needles: what a responder has one value of and looks for everywhere. Paths as
/// Parquet spells them.
pub(super) const BLOOM: &[&str] = &[
    "cordon_process_uid",
    "cordon_parent_uid",
    "process.uid",
    "cordon_exe_path",
    "cordon_exe_sha256",
    "cordon_file_path",
    "cordon_file_path_before",
    "cordon_file_sha256",
    "cordon_src_ip",
    "cordon_dst_ip",
    "cordon_dns_name",
    "file.name",
    "file_result.name",
];

/// Numbers that rise from row to row: differences are small where values are not.
const DELTA: &[&str] =
    &[TIME, "metadata.logged_time", "cordon_seq", "cordon_host_time", "cordon_boottime_ns"];

/// Texts that differ from row to row and begin alike.
const FRONT: &[&str] = &["metadata.uid", "metadata.original_time"];

/// Rows of a row group (chosen: a needle that passes its Bloom filter costs a few milliseconds).
pub(super) const GROUP_ROWS_MAX: usize = 128 << 10;

/// Rows of a page (chosen: what one row is unpacked from).
const PAGE_ROWS_MAX: usize = 8 << 10;

/// Bytes of a row group, encoded (chosen: what a writer holds in memory until the group is whole).
const GROUP_BYTES_MAX: usize = 16 << 20;

/// One in so many row groups is read for nothing by a needle that is not there.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Bytes of the smallest and largest text in a row group's statistics: an agent's id, or most of a
/// path.
const STATISTICS_BYTES_MAX: usize = 64;

/// How hard the compressor works. Source: zstd levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effort {
    /// What is filed now and compacted soon.
    Filing,
    /// What stays.
    Keeping,
}

/// The Arrow schema of a class. Every field may be null.
pub(super) fn of(class: u32) -> SchemaRef {
    let fields: Vec<Field> = column::all(i64::from(class)).map(field).collect();
    Arc::new(Schema::new(fields))
}

fn field(it: &column::Field) -> Field {
    let inner = |fields: &'static [column::Field]| -> Fields { fields.iter().map(field).collect() };
    let kind = match it.kind {
        Kind::Text => DataType::Utf8,
        Kind::Long => DataType::Int64,
        Kind::Flag => DataType::Boolean,
        Kind::Object(fields) => DataType::Struct(inner(fields)),
        Kind::List(fields) => {
            DataType::List(Arc::new(Field::new(ELEMENT, DataType::Struct(inner(fields)), true)))
        }
    };
    Field::new(it.name, kind, true)
}

/// How a file of at most `rows` rows is written.
pub(super) fn properties(rows: usize, effort: Effort) -> Result<WriterProperties, ParquetError> {
    let level = match effort {
        Effort::Filing => 1,
        Effort::Keeping => 3,
    };
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("cordon ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_max_row_group_bytes(Some(GROUP_BYTES_MAX));
    for (columns, encoding) in
        [(DELTA, Encoding::DELTA_BINARY_PACKED), (FRONT, Encoding::DELTA_BYTE_ARRAY)]
    {
        for it in columns {
            properties = properties
                .set_column_dictionary_enabled(path(it), false)
                .set_column_encoding(path(it), encoding);
        }
    }
    let distinct_max = u64::try_from(rows.clamp(1, GROUP_ROWS_MAX)).unwrap_or(u64::MAX);
    for it in BLOOM {
        properties = properties
            .set_column_bloom_filter_fpp(path(it), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(path(it), distinct_max);
    }
    Ok(properties.build())
}

fn path(dotted: &str) -> ColumnPath {
    ColumnPath::new(dotted.split('.').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use cordon_shared::ocsf::class;
    use parquet::arrow::ArrowSchemaConverter;

    use super::*;

    fn leaves(class: i64) -> Vec<String> {
        let schema = of(u32::try_from(class).unwrap());
        let parquet = ArrowSchemaConverter::new().convert(&schema).unwrap();
        parquet.columns().iter().map(|it| it.path().string()).collect()
    }

    #[test]
    fn every_choice_by_name_is_of_a_column_that_exists() {
        let all: Vec<_> = class::UIDS.iter().flat_map(|uid| leaves(*uid)).collect();
        for name in [&ORDER, BLOOM, DELTA, FRONT].into_iter().flatten() {
            assert!(all.iter().any(|it| it == name), "no class has `{name}`");
        }
        for uid in class::UIDS {
            let own = leaves(uid);
            assert!(ORDER.iter().chain([&TIME]).all(|it| own.iter().any(|leaf| leaf == it)));
        }
    }
}
