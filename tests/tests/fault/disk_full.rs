//! Disks without room: under the agent's spool, and under the collector.

use std::time::Duration;

use cordon_tests::{
    activity::Deed,
    child::degraded,
    disk::Disk,
    oracle,
    testbed::{SOON, Testbed},
    wait,
};
use serde_json::Value;

use crate::crash::connected;

const A_WHILE: Duration = Duration::from_secs(90);

/// Of files, until the disk is full: it takes three or four.
const ROUNDS_MAX: usize = 20;

#[test]
fn f_6_a_full_disk_under_the_spool_costs_files_by_number_and_no_launch() {
    if let Some(why) = Disk::unavailable().or(Testbed::degraded()) {
        return degraded("a full disk under the spool", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let disk = Disk::tmpfs(16 << 20).unwrap();
    let files = testbed.folder().join("files");
    std::fs::create_dir(&files).unwrap();
    let agent = testbed.agent_as("web-1", |plan| {
        plan.data = disk.path().join("agent");
        plan.file_paths = vec![files];
        plan.spool_bytes_max = 2 << 20;
    });
    let mut agent = agent.unwrap();
    connected(&testbed, &agent);
    testbed.collector_mut().kill().unwrap();
    disk.fill(384 << 10).unwrap();
    // Files first, until they have all the room there is; then launches, which take it from them.
    let is_full = || agent.log().is_ok_and(|it| it.contains("the spool's disk refuses"));
    for round in 0..ROUNDS_MAX {
        if is_full() {
            break;
        }
        agent.does(Deed::File, &format!("file{round}"), 2_000, A_WHILE).unwrap();
    }
    assert!(is_full(), "the disk was never full");
    let done = agent.does(Deed::Launch, "full", 1_000, A_WHILE).unwrap();
    assert!(agent.is_running().unwrap());
    disk.relieve().unwrap();
    testbed.collector_mut().start_again().unwrap();

    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
    let of = |cause| rows.losses("file").filter(move |it| it.cause == cause);
    assert!(rows.losses("file").all(|it| it.is_exact));
    let shed: u64 = of("quota").map(|it| it.count).sum();
    assert!(shed > 0, "nothing was shed");
    assert_eq!(shed, rows.numbers().declared);
    // What the sensor could not hand over had no numbers yet; it is counted all the same.
    let others = rows.losses("file").filter(|it| it.cause != "quota");
    assert!(others.into_iter().all(|it| it.cause == "queue_full"));
}

#[test]
fn f_7_a_full_disk_under_the_collector_stops_the_acks_and_loses_nothing() {
    if let Some(why) = Disk::unavailable().or(Testbed::degraded()) {
        return degraded("a full disk under the collector", why);
    }
    let disk = Disk::ext4(96 << 20).unwrap();
    let mut testbed = Testbed::start_on(Some(&disk.path().join("collector"))).unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    connected(&testbed, &agent);
    disk.fill(0).unwrap();
    // What people do meanwhile may fail, and must not stay so.
    drop(testbed.api().token(1));
    let done = agent.does(Deed::Launch, "full", 2_000, A_WHILE).unwrap();
    let pressure = |testbed: &Testbed| testbed.api().metric("cordon_journal_pressure");
    wait::until("the journal says that it is stalled", A_WHILE, || match pressure(&testbed) {
        Ok(2.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    assert!(testbed.collector_mut().is_running().unwrap());
    assert!(agent.is_running().unwrap());
    disk.relieve().unwrap();
    wait::until("it takes batches again", Duration::from_secs(5), || match pressure(&testbed) {
        Ok(0.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    wait::until_so("the collector is well", SOON, || testbed.api().is_healthy()).unwrap();
    testbed.api().token(1).unwrap();
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

/// How often each detection was counted, and how many commands there are.
fn counts(testbed: &Testbed) -> (Vec<Value>, usize) {
    let found = testbed.items("/api/v1/detections").unwrap();
    let counts = found.iter().map(|it| it["count"].clone()).collect();
    (counts, testbed.items("/api/v1/commands").unwrap().len())
}

#[test]
fn f_7_a_full_disk_under_the_collector_does_not_stop_the_answer() {
    if let Some(why) = Disk::unavailable().or(Testbed::degraded()) {
        return degraded("a staged attack beside a full disk", why);
    }
    let disk = Disk::ext4(96 << 20).unwrap();
    let mut testbed = Testbed::start_on(Some(&disk.path().join("collector"))).unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    testbed.arm_shell_rule(&agent).unwrap();
    disk.fill(0).unwrap();
    disk_is(&testbed, 1.0);
    // The doer fails unless its shell was killed.
    agent.does(Deed::CaughtShell, "shell", 1, A_WHILE).unwrap();
    assert_eq!(testbed.api().metric("cordon_journal_pressure").unwrap(), 2.0);
    assert_eq!(counts(&testbed), (vec![1.into()], 1));
    disk.relieve().unwrap();
    disk_is(&testbed, 0.0);
    wait::until_so("the receipt is in the journal", SOON, || {
        testbed.items("/api/v1/commands").unwrap().iter().all(|it| it["state"] == "closed")
    })
    .unwrap();
    // What was judged before it was stored is known when it comes again.
    assert_eq!(counts(&testbed), (vec![1.into()], 1));
    let rows = testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
    rows.numbers().must_hold().unwrap();
}

/// Waits until the collector says that its disk is full and that it is not ready, or that all is well.
fn disk_is(testbed: &Testbed, full: f64) {
    wait::until("the collector says how its disk is", SOON, || {
        let is_ready = testbed.api().is_ready();
        match testbed.api().metric("cordon_disk_full") {
            Ok(now) if now == full && is_ready == (full == 0.0) => Ok(()),
            other => Err(format!("full: {other:?}, ready: {is_ready}")),
        }
    })
    .unwrap();
}
