//! Random `kill -9` of both sides under load; `CORDON_KILLS` says how many, `CORDON_SEED` which.
//!
//! ```text
//! CORDON_KILLS=200 cargo e2e -E 'test(random_kills)'
//! ```

use std::{env, time::Duration};

use cordon_shared::test_support::Random;
use cordon_tests::{
    activity::{self, Deed},
    child::{degraded, note},
    testbed::Testbed,
    wait,
};

const A_WHILE: Duration = Duration::from_secs(120);

/// Kills of an ordinary run.
const KILLS: u64 = 20;

/// Launches of one doer: a second or two of work.
const LAUNCHES: u64 = 1_000;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn f_5_random_kills_of_both_sides_lose_double_and_alter_nothing() {
    if let Some(why) = Testbed::degraded() {
        return degraded("kills of an agent under load", why);
    }
    let kills = number("CORDON_KILLS", KILLS);
    let seed = number("CORDON_SEED", u64::from(std::process::id()));
    note(&format!("random kills: {kills}, CORDON_SEED={seed}"));
    let random = Random::new(seed);
    let mut testbed = Testbed::start().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let mut generated = activity::Done::default().launches().unwrap();
    let mut doer = None;
    let mut counts = [0_u64; 3];
    for kill in 0..kills {
        // The load never pauses: a new doer as soon as one is done.
        let mut running = match doer.take() {
            Some(running) => running,
            None => agent
                .deed(Deed::Launch, &format!("load{kill}"), LAUNCHES)
                .and_then(|it| it.start(testbed.logs()))
                .unwrap(),
        };
        wait::pause(Duration::from_millis(random.below(400)));
        match random.below(5) {
            0 | 1 => {
                agent.kill().unwrap();
                agent.start().unwrap();
                counts[0] += 1;
            }
            2 | 3 => {
                testbed.collector_mut().kill().unwrap();
                testbed.collector_mut().start_again().unwrap();
                counts[1] += 1;
            }
            _ => {
                testbed.collector_mut().kill().unwrap();
                agent.kill().unwrap();
                testbed.collector_mut().start_again().unwrap();
                agent.start().unwrap();
                counts[2] += 1;
            }
        }
        if running.is_running().unwrap() {
            doer = Some(running);
        } else {
            generated.extend(activity::finish(&mut running, A_WHILE).unwrap().launches().unwrap());
        }
    }
    if let Some(mut running) = doer {
        generated.extend(activity::finish(&mut running, A_WHILE).unwrap().launches().unwrap());
    }
    let [agents, collectors, both] = counts;
    note(&format!(
        "killed: agent {agents}, collector {collectors}, both {both}; {} launches",
        generated.len()
    ));
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}
