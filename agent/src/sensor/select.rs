//! Which tier a sensor gets: the best that works, or the one that the configuration names.
//!
//! In: the tiers as attempts, best first; what the configuration chose. Out: the first that works,
//! and one line for people that says what was tried and what refused it. What a host offers is found
//! out by trying: a kernel's configuration says little about what its policy allows.

use cordon_shared::event::health::{self, SensorState, Tier};

use super::{Sensor, SensorError};

/// Which tier to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// The best that works.
    #[default]
    Auto,
    /// That tier or none.
    Only(Tier),
}

/// A sensor that works, and what it is; or no sensor, and why.
#[derive(Debug)]
pub struct Chosen {
    /// The sensor; `None` when no tier works.
    pub sensor: Option<Box<dyn Sensor>>,
    /// For `check` and for the collector.
    pub state: SensorState,
}

/// A sensor, and what there is to say about it.
pub type Opened = Result<(Box<dyn Sensor>, String), SensorError>;

/// One tier, and how to open it.
pub type Attempt<'a> = (Tier, &'a mut dyn FnMut() -> Opened);

/// Tries `attempts` in their order until one works.
#[must_use]
pub fn choose(kind: health::Sensor, choice: Choice, attempts: &mut [Attempt<'_>]) -> Chosen {
    let mut refused = Vec::new();
    for (tier, open) in attempts {
        if choice != Choice::Auto && choice != Choice::Only(*tier) {
            continue;
        }
        match open() {
            Ok((sensor, what)) => {
                refused.insert(0, what);
                return chosen(kind, *tier, &refused, Some(sensor));
            }
            Err(error) => refused.push(format!("no {}: {error}", tier.as_str())),
        }
    }
    if refused.is_empty() {
        refused.push(format!("the configured tier has no {} sensor", kind.as_str()));
    }
    chosen(kind, Tier::None, &refused, None)
}

fn chosen(
    sensor: health::Sensor,
    tier: Tier,
    reasons: &[String],
    opened: Option<Box<dyn Sensor>>,
) -> Chosen {
    let said: Vec<_> = reasons.iter().filter(|it| !it.is_empty()).map(String::as_str).collect();
    let state = SensorState { sensor, tier, reason: said.join("; ") };
    Chosen { sensor: opened, state }
}

#[cfg(test)]
mod tests {
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
    fn a_tier_that_the_sensor_does_not_have_is_said() {
        check(
            Choice::Only(Tier::KernelInterface),
            true,
            &expect!["no sensor, none: the configured tier has no process sensor"],
        );
    }
}
