//! The network sensor: connections and listeners. Chooses among its tiers.

pub mod bpf;
pub mod poll;

use std::{path::Path, sync::Arc};

use cordon_shared::event::health::{self, Tier};

use super::{
    ebpf::Start,
    select::{self, Attempt, Choice, Chosen, Opened},
};

/// Tries the tiers, best first: programs in the kernel, then reading `/proc`.
#[must_use]
pub fn choose(choice: Choice, start: &Start<'_>) -> Chosen {
    let mut ebpf = || -> Opened {
        let sensor = bpf::open(start)?;
        let what = sensor.describe();
        Ok((Box::new(sensor), what))
    };
    let mut poll = || -> Opened {
        start.scope.demand_host()?;
        let sensor = poll::Poll::new(Path::new("/proc"), Arc::clone(&start.clock));
        Ok((Box::new(sensor), "looks once a second and misses what lives shorter".to_owned()))
    };
    let mut attempts: [Attempt<'_>; 2] = [(Tier::Ebpf, &mut ebpf), (Tier::Portable, &mut poll)];
    select::choose(health::Sensor::Network, choice, &mut attempts)
}
