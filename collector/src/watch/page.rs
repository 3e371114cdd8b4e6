//! What a page of batches holds for detection and response: found in one pass, before anything is
//! done about it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use cordon_shared::{
    arrival::Arrival,
    detection::Detection,
    event::{Body, Event},
    id::EventId,
    time::Clock,
};
use tracing::error;

use crate::{
    metric::{Count, Time},
    response::reconcile::Claim,
};

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

/// Reads a page; `rules` finds what an event is. An event that makes them panic is told and passed
/// over, and the others of its batch are judged as ever.
pub(super) fn read(
    arrivals: &[Arc<Arrival>],
    rules: impl Fn(&Arrival, EventId, &Event) -> Vec<Detection>,
    clock: &dyn Clock,
) -> Found {
    let mut found = Found::default();
    for arrival in arrivals {
        let began = clock.boottime();
        let mut panics = 0;
        for (id, event) in arrival.events() {
            found.events += 1;
            // Matching changes nothing that outlives it, so nothing is left half done.
            match panic::catch_unwind(AssertUnwindSafe(|| rules(arrival, id, event))) {
                Ok(mut detections) => found.detections.append(&mut detections),
                Err(_panic) => panics += 1,
            }
            if let Body::Receipt(signed) = &event.body {
                let (at, signed) = (arrival.corrected(event.boottime), signed.clone());
                found.claims.push(Claim { event: id, at, signed });
            }
        }
        Time::Rules.note(clock.boottime().since(began));
        if panics > 0 {
            Count::RulePanics.add(panics);
            error!(agent = %arrival.agent, position = arrival.position, events = panics,
                "the rules broke on events, which were judged by no rule");
        }
    }
    found
}
