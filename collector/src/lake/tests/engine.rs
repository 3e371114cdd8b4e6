//! The folder as a stranger's engine reads it: DuckDB counts the rows that we count.

use std::{collections::BTreeMap, process::Command};

use cordon_shared::{seglog::RealDisk, test_support::samples};

use super::*;

/// Rows by class, as DuckDB finds them in the folder.
const COUNT: &str = "
import duckdb, sys
rows = duckdb.sql(f\"\"\"
    select class_uid, count(*), count(distinct metadata.uid), count(distinct eventDay)
    from read_parquet('{sys.argv[1]}/class=*/eventDay=*/*.parquet', hive_partitioning = true,
                      union_by_name = true)
    group by class_uid order by class_uid\"\"\").fetchall()
for row in rows:
    print(*row)
";

#[expect(clippy::disallowed_methods, reason = "a test starts the engine that it compares with")]
fn duckdb(python: &std::ffi::OsStr, dir: &Path) -> BTreeMap<u32, u64> {
    let done = Command::new(python).args(["-c", COUNT]).arg(dir).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let row = |line: &str| {
        let cells: Vec<u64> = line.split(' ').map(|it| it.parse().unwrap()).collect();
        assert_eq!((cells[1], 1), (cells[2], cells[3]), "{line}");
        (u32::try_from(cells[0]).unwrap(), cells[1])
    };
    text.lines().map(row).collect()
}

/// The same with nothing but a Parquet reader.
fn by_footers(dir: &Path) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    for path in published(&RealDisk, dir).unwrap() {
        let file = std::fs::File::open(dir.join(&path)).unwrap();
        let builder =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let rows = builder.metadata().file_metadata().num_rows();
        let class = partition::class_of(path.split('/').next().unwrap()).unwrap();
        *counts.entry(class).or_default() += u64::try_from(rows).unwrap();
    }
    counts
}

#[test]
fn duckdb_counts_the_same_rows_per_class() {
    let dir = tempfile::tempdir().unwrap();
    let lake = opening(Arc::new(RealDisk), &dir.path().join("lake")).unwrap();
    for (lane, at) in [Lane::Critical, Lane::Network, Lane::File].into_iter().zip(0..) {
        let events: Vec<_> = samples().into_iter().filter(|it| it.body.lane() == lane).collect();
        lake.file(&[arrival(at, agent(0), &sealed(lane, 7, 1, &events))], at + 1).unwrap();
    }
    lake.file(&arrivals(1, 3..20, 30), 20).unwrap();
    let want = lake.count_by_class(&Query::default()).unwrap().classes;
    assert_eq!(want.len(), ocsf::class::UIDS.len());
    assert_eq!(by_footers(&lake.0.dir), want);
    match std::env::var_os("CORDON_DUCKDB_PYTHON") {
        Some(python) => assert_eq!(duckdb(&python, &lake.0.dir), want),
        None => println!("degraded: no DuckDB: the Parquet crate counted the rows instead"),
    }
}
