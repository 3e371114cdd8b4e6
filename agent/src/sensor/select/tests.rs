//! Which tier is taken, and what is said about it.

use std::time::Duration;

use cordon_shared::event::health::{self, Tier};
use expect_test::{Expect, expect};

use super::{Choice, Opened, choose};
use crate::sensor::{Observation, Outcome, Sensor, SensorError};

/// Sees nothing.
#[derive(Debug)]
struct Blind;

impl Sensor for Blind {
    fn kind(&self) -> health::Sensor {
        health::Sensor::Process
    }

    fn sense(
        &mut self,
        _wait: Duration,
        _into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        Ok(Outcome::Nothing)
    }
}

fn works(what: &str) -> Opened {
    Ok((Box::new(Blind), what.to_owned()))
}

#[track_caller]
fn check(choice: Choice, is_root: bool, want: &Expect) {
    let mut ebpf = || match is_root {
        true => works(""),
        false => Err(SensorError::Forbidden("cannot load: not permitted".to_owned())),
    };
    let mut poll = || works("misses short lives");
    let mut attempts: [super::Attempt<'_>; 2] =
        [(Tier::Ebpf, &mut ebpf), (Tier::Portable, &mut poll)];
    let chosen = choose(health::Sensor::Process, choice, &mut attempts);
    let has = if chosen.sensor.is_some() { "sensor" } else { "no sensor" };
    want.assert_eq(&format!("{has}, {}: {}", chosen.state.tier.as_str(), chosen.state.reason));
}

#[test]
fn the_best_that_works_is_taken() {
    check(Choice::Auto, true, &expect!["sensor, ebpf: "]);
}

#[test]
fn the_next_is_taken_and_says_what_refused_the_better_one() {
    check(
        Choice::Auto,
        false,
        &expect!["sensor, portable: misses short lives; no ebpf: cannot load: not permitted"],
    );
}

#[test]
fn a_named_tier_is_the_only_one_tried() {
    check(Choice::Only(Tier::Portable), true, &expect!["sensor, portable: misses short lives"]);
    check(
        Choice::Only(Tier::Ebpf),
        false,
        &expect!["no sensor, none: no ebpf: cannot load: not permitted"],
    );
}

#[test]
fn a_sensor_can_be_switched_off() {
    let want = expect!["no sensor, none: switched off by the configuration"];
    check(Choice::Only(Tier::None), true, &want);
}

#[test]
fn a_tier_that_the_sensor_does_not_have_is_said() {
    check(
        Choice::Only(Tier::KernelInterface),
        true,
        &expect!["no sensor, none: the configured tier has no process sensor"],
    );
}
