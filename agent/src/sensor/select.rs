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
    if choice == Choice::Only(Tier::None) {
        refused.push("switched off by the configuration".to_owned());
    } else if refused.is_empty() {
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
mod tests;
