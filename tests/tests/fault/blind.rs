//! Time in which no agent looked, and what is said of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cordon_tests::{
    lake::{self, Loss},
    oracle,
    testbed::{Agent, SOON, Testbed},
    wait,
};

use crate::crash::connected;

const A_WHILE: Duration = Duration::from_secs(60);

/// How far a sign of life may lie back: it is written every 5 s, and an observation may be 2 s old.
const ALIVE_MS: u64 = 7_000;

/// How much longer all that is timed here may take on a busy machine.
const SLACK_MS: u64 = 10_000;

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test against the wall clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// What the lake says of sensors that were down.
fn gaps(testbed: &Testbed) -> Result<Vec<Loss>, String> {
    let rows = lake::read(&testbed.collector().lake()).map_err(|it| format!("{it:#}"))?;
    let losses = rows.0.into_iter().map(|it| it.loss);
    Ok(losses.filter(|it| it.cause == "sensor_down").collect())
}

/// Waits until so many gaps are told.
fn told(testbed: &Testbed, count: usize) -> Vec<Loss> {
    wait::until("the gap is told", A_WHILE, || {
        let gaps = gaps(testbed)?;
        if gaps.len() >= count { Ok(gaps) } else { Err(format!("{gaps:?}")) }
    })
    .unwrap()
}

/// An agent whose sensors end with it: on any host, for any user.
fn portable(testbed: &Testbed) -> Agent {
    let agent = testbed.agent_as("web-1", |plan| {
        plan.process_tier = "portable";
        plan.is_host_wide = true;
    });
    let agent = agent.unwrap();
    connected(testbed, &agent);
    agent
}

/// Waits until the agent has written a sign of life.
fn signed(agent: &Agent) {
    let spool = agent.spool("critical");
    let marks = spool.parent().unwrap().join("marks");
    wait::until_so("there is a sign of life", SOON, || marks.is_file()).unwrap();
}

#[test]
fn f_47_the_time_between_a_kill_and_the_restart_is_told_of_sensors_that_ended() {
    let mut testbed = Testbed::start().unwrap();
    let began_ms = now_ms();
    let mut agent = portable(&testbed);
    signed(&agent);
    let before_ms = now_ms();
    agent.kill().unwrap();
    let killed_ms = now_ms();
    wait::pause(Duration::from_secs(1));
    let again_ms = now_ms();
    agent.start().unwrap();
    let gaps = told(&testbed, 1);
    let back_ms = now_ms();
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!((gap.sensor.as_str(), gap.is_exact), ("process", false));
    let (from, until) = gap.times_ms;
    // It covers all the time in which there was no agent, and little more.
    assert!(from <= killed_ms && until >= again_ms, "{gap:?}");
    assert!(until <= back_ms, "{gap:?}");
    let earliest = before_ms.saturating_sub(ALIVE_MS + SLACK_MS).max(began_ms - 2_000);
    assert!(from >= earliest, "{gap:?}");
    let rows = testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
    rows.numbers().must_hold().unwrap();
}

#[test]
fn f_47_a_stop_on_purpose_is_told_and_so_is_the_time_after_it() {
    let mut testbed = Testbed::start().unwrap();
    let mut agent = portable(&testbed);
    signed(&agent);
    agent.stop().unwrap();
    let stopped_ms = now_ms();
    wait::pause(Duration::from_secs(1));
    let again_ms = now_ms();
    agent.start().unwrap();
    let mut gaps = told(&testbed, 2);
    gaps.sort_by_key(|it| it.times_ms.1);
    let [stop, gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    // Where it ended on purpose it said so: a moment. Then nobody looked, from before it on.
    assert_eq!(stop.times_ms.0, stop.times_ms.1);
    assert!(stop.times_ms.1 <= stopped_ms && gap.times_ms.0 <= stop.times_ms.0, "{gaps:?}");
    assert!(gap.times_ms.1 >= again_ms, "{gaps:?}");
    testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
}

#[test]
fn f_47_sensors_that_live_on_in_the_kernel_are_told_of_no_gap_and_the_others_are() {
    if let Some(why) = Testbed::degraded() {
        return cordon_tests::child::degraded("programs that outlive the agent", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let watched = testbed.folder().join("watched");
    std::fs::create_dir(&watched).unwrap();
    let agent = testbed.agent_as("web-1", |plan| {
        plan.has_network = true;
        plan.file_paths = vec![watched];
    });
    let mut agent = agent.unwrap();
    connected(&testbed, &agent);
    signed(&agent);
    agent.kill().unwrap();
    agent.start().unwrap();
    let gaps = told(&testbed, 1);
    let sensors: Vec<_> = gaps.iter().map(|it| it.sensor.as_str()).collect();
    assert_eq!(sensors, ["file"]);
    testbed.settle([&mut agent], &oracle::Generated::new(), A_WHILE).unwrap();
}
