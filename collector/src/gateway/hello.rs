//! What a machine says of itself, as it is kept.
//!
//! On the road: between the wire, which has bounded every text and list, and the store, whose rows
//! people read on terminals. None of it is identity.

use cordon_shared::{event::health::SensorState, wire::session::HostFacts};

use crate::store::{Facts, SensorRow};

/// What a machine says of itself, printable.
#[must_use]
pub fn facts(host: &HostFacts) -> Facts {
    Facts {
        name: printable(&host.host_name),
        machine_id: printable(&host.machine_id),
        os: printable(&host.os),
        kernel: printable(&host.kernel),
        architecture: printable(&host.architecture),
        agent_version: printable(&host.agent_version),
    }
}

/// What its sensors got.
#[must_use]
pub fn sensors(states: &[SensorState]) -> Vec<SensorRow> {
    let rows = states.iter().map(|it| SensorRow {
        sensor: it.sensor.as_str().to_owned(),
        tier: it.tier.as_str().to_owned(),
        reason: printable(&it.reason),
    });
    rows.collect()
}

/// A control character could forge a line of a log or move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_name_cannot_write_a_second_line() {
        assert_eq!(printable("web-1\n\u{1b}[2Jroot"), "web-1\u{fffd}\u{fffd}[2Jroot");
        assert_eq!(printable("größe"), "größe");
    }
}
