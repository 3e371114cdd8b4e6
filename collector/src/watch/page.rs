//! What a page of batches holds for detection and response: found in one pass, before anything is
//! done about it.

use std::sync::Arc;

use cordon_shared::{arrival::Arrival, detection::Detection, event::Body, time::Clock};

use crate::{detect::engine::Engine, metric::Time, response::reconcile::Claim};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How many events there were.
    pub(super) events: u64,
    /// What the rules found, in journal order.
    pub(super) detections: Vec<Detection>,
    /// Receipts, in journal order.
    pub(super) claims: Vec<Claim>,
}

/// Reads a page.
pub(super) fn read(arrivals: &[Arc<Arrival>], engine: &Engine, clock: &dyn Clock) -> Found {
    let mut found = Found::default();
    for arrival in arrivals {
        let began = clock.boottime();
        found.detections.append(&mut engine.run(arrival));
        Time::Rules.note(clock.boottime().since(began));
        for (id, event) in arrival.events() {
            found.events += 1;
            if let Body::Receipt(signed) = &event.body {
                let (at, signed) = (arrival.corrected(event.boottime), signed.clone());
                found.claims.push(Claim { event: id, at, signed });
            }
        }
    }
    found
}
