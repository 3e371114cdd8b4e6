//! A deed on the host becomes a row in the lake, once, whole.
//!
//! `CORDON_LAUNCHES` says how many short-lived processes a storm has:
//!
//! ```text
//! CORDON_LAUNCHES=20000 cargo e2e -E 'test(as_fast_as_possible)'
//! ```

use std::{env, time::Duration};

use cordon_tests::{
    activity::Deed,
    child::{Launch, degraded, note},
    oracle,
    testbed::{SOON, Testbed},
    wait,
};

const A_WHILE: Duration = Duration::from_secs(180);

/// Launches of an ordinary run.
const LAUNCHES: u64 = 2_000;

fn launches() -> u64 {
    env::var("CORDON_LAUNCHES").ok().and_then(|it| it.parse().ok()).unwrap_or(LAUNCHES)
}

/// Launches as fast as the machine can; the collector is away meanwhile, or not.
fn storm(is_collector_away: bool) {
    if let Some(why) = Testbed::degraded() {
        return degraded("short-lived processes are not seen by the portable tier", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    if is_collector_away {
        testbed.collector_mut().stop().unwrap();
    }
    let done = agent.does(Deed::Launch, "storm", launches(), A_WHILE).unwrap();
    if is_collector_away {
        testbed.collector_mut().start_again().unwrap();
    }
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
    note(&format!(
        "{} launches in {} ms, {} of them in the lake with arguments and digest, 0 lost",
        done.count,
        done.elapsed_ms,
        rows.marked(&generated).len()
    ));
    // All of them are children of the one doer.
    let doers = rows.0.iter().filter(|it| it.cmd_line.contains("--marker storm"));
    let doers: Vec<_> = doers.filter(|it| it.kind == "process_launch").collect();
    assert_eq!(doers.len(), 1);
    let parents = generated.keys().map(|it| &rows.launch(it).unwrap().parent_uid);
    assert!(parents.take(200).all(|it| *it == doers[0].process_uid));
}

#[test]
fn launches_as_fast_as_possible_are_all_in_the_lake() {
    storm(false);
}

#[test]
fn launches_as_fast_as_possible_while_the_collector_is_away_are_all_in_the_lake() {
    storm(true);
}

#[test]
fn the_portable_tier_sees_what_lives_long_enough() {
    let mut testbed = Testbed::start().unwrap();
    let agent = testbed.agent_as("web-1", |plan| {
        plan.process_tier = "portable";
        plan.is_host_wide = true;
    });
    let mut agent = agent.unwrap();
    let slow = Launch::new("slow", "/bin/sh").args(["-c", "sleep 4; : slow-0"]);
    // What lives shorter it cannot see, and it says so.
    wait::until("the sensor says what it misses", SOON, || {
        let host = testbed.api().host(agent.id()).map_err(|it| format!("{it:#}"))?;
        let reason = host["sensors"][0]["reason"].to_string();
        if reason.contains("misses what lives shorter") { Ok(()) } else { Err(reason) }
    })
    .unwrap();
    agent.inside(slow).run(SOON).unwrap().expect_success().unwrap();
    let generated = oracle::generated(["slow-0".to_owned()]);
    let rows = testbed.settle([&mut agent], &generated, SOON).unwrap();
    assert_eq!(rows.launch("slow-0").unwrap().cmd_line, "/bin/sh -c sleep 4; : slow-0");
    rows.numbers().must_hold().unwrap();
}
