//! Bits that flip on the disk, and what they cost.

use std::{fs, path::Path, time::Duration};

use cordon_shared::batch::Header;
use cordon_tests::{activity::Deed, child::degraded, oracle, testbed::Testbed, wait};

use crate::segment;

const A_WHILE: Duration = Duration::from_secs(60);

#[test]
fn f_10_a_flipped_bit_in_the_spool_costs_one_batch_and_is_counted() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a damaged spool", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    agent.enroll(&testbed.api().token(1).unwrap()).unwrap();
    testbed.collector_mut().kill().unwrap();
    agent.start().unwrap();
    let done = agent.does(Deed::Launch, "flip", 1_500, A_WHILE).unwrap();
    wait::until_so("some batches are spooled", A_WHILE, || {
        segment::records(&agent.spool("critical")).len() >= 6
    })
    .unwrap();
    agent.kill().unwrap();
    let records = segment::records(&agent.spool("critical"));
    let damaged = records.get(records.len() / 2).unwrap();
    let hit = Header::parse(&damaged.payload).unwrap();
    segment::flip(damaged);
    testbed.collector_mut().start_again().unwrap();
    agent.start().unwrap();

    // All but what was hit arrive; then the loss, which is of the newest batches.
    let generated = done.launches().unwrap();
    wait::until("the loss is declared", A_WHILE, || {
        let rows = cordon_tests::lake::read(&testbed.collector().lake());
        let rows = rows.map_err(|it| format!("{it:#}"))?;
        let missing = oracle::judge(&generated, &rows.marked(&generated), 0).missing.len();
        let is_declared = rows.losses("critical").any(|it| it.cause == "corrupt");
        if is_declared && missing <= hit.count() { Ok(()) } else { Err(format!("{missing}")) }
    })
    .unwrap();
    let rows = testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
    let verdict = oracle::judge(&generated, &rows.marked(&generated), 0);
    assert!((1..=hit.count()).contains(&verdict.missing.len()), "{verdict}");
    assert!(verdict.repeated.is_empty() && verdict.altered.is_empty(), "{verdict}");
    // What was hit is declared by its numbers, no more and no less.
    rows.numbers().must_hold().unwrap();
    let losses: Vec<_> = rows.losses("critical").collect();
    assert!(losses.iter().all(|it| it.cause == "corrupt" && it.is_exact), "{losses:?}");
    assert_eq!(rows.declared("critical"), hit.count() as u64, "{losses:?}");
}

/// The high-water marks were written after the newest segment was.
fn is_marked(spool: &Path, segment: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|it| it.modified());
    match (changed(&spool.join("marks")), changed(segment)) {
        (Ok(marked), Ok(written)) => marked > written,
        (_, _) => false,
    }
}

#[test]
fn f_10_durable_batches_that_are_cut_off_the_spool_are_declared_exactly() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a truncated spool", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    agent.enroll(&testbed.api().token(1).unwrap()).unwrap();
    testbed.collector_mut().kill().unwrap();
    agent.start().unwrap();
    let done = agent.does(Deed::Launch, "cut", 1_500, A_WHILE).unwrap();
    let critical = agent.spool("critical");
    let spool = critical.parent().unwrap();
    wait::until_so("what was spooled is durable", A_WHILE, || {
        let records = segment::records(&critical);
        let launches = records.iter().filter_map(|it| Header::parse(&it.payload).ok());
        let events: usize = launches.map(|it| it.count()).sum();
        events >= 3_000 && is_marked(spool, &records.last().unwrap().file)
    })
    .unwrap();
    agent.kill().unwrap();
    let records = segment::records(&critical);
    let first_lost = records.get(records.len() - 3).unwrap();
    let cut = records.iter().skip(records.len() - 3);
    let hits: usize = cut.map(|it| Header::parse(&it.payload).unwrap().count()).sum();
    assert_eq!(first_lost.file, records.last().unwrap().file, "they are in one segment");
    segment::cut(first_lost);
    testbed.collector_mut().start_again().unwrap();
    agent.start().unwrap();

    wait::until("the loss is declared", A_WHILE, || {
        let rows = cordon_tests::lake::read(&testbed.collector().lake());
        let declared = rows.map_err(|it| format!("{it:#}"))?.declared("critical");
        if declared > 0 { Ok(()) } else { Err(format!("{declared} declared")) }
    })
    .unwrap();
    let rows = testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
    // By number: every event that was numbered is stored or declared, once.
    rows.numbers().must_hold().unwrap();
    let losses: Vec<_> = rows.losses("critical").collect();
    assert!(losses.iter().all(|it| it.cause == "corrupt" && it.is_exact), "{losses:?}");
    assert_eq!(rows.declared("critical"), hits as u64, "{losses:?}");
    // By marker: no more launches are missing than there were events in what was cut.
    let generated = done.launches().unwrap();
    let verdict = oracle::judge(&generated, &rows.marked(&generated), 0);
    assert!((1..=hits).contains(&verdict.missing.len()), "{verdict}");
    assert!(verdict.repeated.is_empty() && verdict.altered.is_empty(), "{verdict}");
}
