//! What a page of batches holds for detection and response: found in one pass, before anything is
//! done about it.

use std::{
    collections::HashMap,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use cordon_shared::{
    arrival::Arrival,
    detection::Detection,
    event::{Body, Event},
    id::EventId,
    incident::Indicator,
    time::Clock,
};
use tracing::error;

use crate::{
    incident::indicator,
    metric::{Count, Time},
    response::reconcile::Claim,
    store::Repeats,
};

/// Indicators of what one rule found about one process within a page (chosen: a burst of written files
/// is one detection, and each of its files would be one).
const INDICATORS_MAX: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How many events there were.
    pub(super) events: u64,
    /// What the rules found, in journal order: repeats are one.
    pub(super) repeats: Vec<Repeats>,
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
    let (mut found, mut detections) = (Found::default(), Vec::new());
    for arrival in arrivals {
        let began = clock.boottime();
        let mut panics = 0;
        for (id, event) in arrival.events() {
            found.events += 1;
            // Matching changes nothing that outlives it, so nothing is left half done.
            match panic::catch_unwind(AssertUnwindSafe(|| rules(arrival, id, event))) {
                Ok(found) if found.is_empty() => (),
                Ok(found) => {
                    let indicators = indicator::of(event);
                    detections.extend(found.into_iter().map(|it| (it, indicators.clone())));
                }
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
    found.repeats = gather(detections);
    found
}

/// One rule's detections about one process, or about one host and no process, become one with all
/// their events. What is staged stays apart from what is not.
fn gather(detections: Vec<(Detection, Vec<Indicator>)>) -> Vec<Repeats> {
    let mut repeats: Vec<Repeats> = Vec::new();
    let mut places = HashMap::new();
    for (detection, indicators) in detections {
        let subject = detection.subject.as_ref().map(|it| it.uid);
        let rule = (detection.rule.id.clone(), detection.rule.sha256);
        let place = places.entry((rule, detection.agent, subject, detection.exercise));
        let place = *place.or_insert(repeats.len());
        match repeats.get_mut(place) {
            Some(it) => {
                it.events.extend(detection.basis.event());
                let is_new = |it: &Indicator, known: &[Indicator]| !known.contains(it);
                let fresh: Vec<_> =
                    indicators.into_iter().filter(|new| is_new(new, &it.indicators)).collect();
                it.indicators.extend(fresh);
                it.indicators.truncate(INDICATORS_MAX);
                if detection.at >= it.newest.at {
                    it.newest = detection;
                }
            }
            None => repeats.push(Repeats {
                first: detection.clone(),
                events: detection.basis.event().into_iter().collect(),
                newest: detection,
                indicators,
            }),
        }
    }
    repeats
}
