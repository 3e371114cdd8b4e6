//! `DuckDB`, which nobody here has written, reads the lake as it lies.

use std::{collections::BTreeMap, env, time::Duration};

use cordon_shared::id::{Epoch, EventSeq};
use cordon_tests::{
    child::{Launch, degraded},
    oracle,
    peer::Peer,
    synth,
    testbed::{SOON, Testbed},
};

/// Counts rows by class, and finds one event by what it was marked with.
const SCRIPT: &str = r#"
import duckdb, json, sys
files = sys.argv[1] + "/**/*.parquet"
lake = f"read_parquet('{files}', union_by_name = true, hive_partitioning = false)"
counts = duckdb.sql(f"select class_uid, count(*) from {lake} group by 1").fetchall()
found = duckdb.sql(f"select metadata.uid from {lake} where cordon_cmd_line like '%duck-7 %'").fetchall()
print(json.dumps({"counts": {str(k): v for k, v in counts}, "found": [it[0] for it in found]}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_counts_the_same_rows_in_each_class() {
    let python = env::var_os("CORDON_DUCKDB_PYTHON").filter(|it| !it.is_empty());
    let Some(python) = python else {
        return degraded("DuckDB does not read the lake", "CORDON_DUCKDB_PYTHON is not set");
    };
    let mut testbed = Testbed::start().unwrap();
    let token = testbed.api().token(1).unwrap();
    let sessions = testbed.collector().addresses().sessions;
    let peer = Peer::enrol(&token, sessions).await.unwrap();
    let epoch = Epoch::from_u64(3).unwrap();
    let mut stream = synth::Stream::new("duck", epoch, 100);
    let (mut link, _) = peer.session().await.unwrap();
    let batch = stream.batch(100).unwrap();
    link.send(batch.bytes().clone()).await;
    let mixed = cordon_shared::test_support::Random::new(1).batch(
        cordon_shared::id::Lane::Network,
        epoch,
        EventSeq::FIRST,
        200,
    );
    link.send(mixed.bytes().clone()).await;
    let markers = (1..=100).filter_map(EventSeq::from_u64).map(|it| stream.marker(it));
    let generated = oracle::generated(markers);
    for _ in 0..2 {
        link.hear().await.unwrap();
    }
    let rows = testbed.settle([], &generated, Duration::from_secs(60)).unwrap();

    let ask = Launch::new("duckdb", python).args(["-c", SCRIPT]);
    let said = ask.args([testbed.collector().lake()]).run(SOON).unwrap().expect_success().unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let counts: BTreeMap<i64, u64> = serde_json::from_value(said["counts"].clone()).unwrap();
    assert_eq!(counts, rows.by_class());
    assert!(counts.len() > 1, "{counts:?}");
    let wanted = &rows.launch("duck-7").unwrap().event_id;
    assert_eq!(said["found"], serde_json::json!([wanted]));
}
