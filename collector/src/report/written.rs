//! How values of a report are written as JSON: times as text, words as the API has them.

use cordon_shared::{
    detection::Severity,
    incident::{Phase, PhaseState},
    time::Timestamp,
};
use serde::Serializer;

pub(super) fn time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

pub(super) fn time_maybe<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

pub(super) fn severity<S: Serializer>(it: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(it.as_str())
}

pub(super) fn phase<S: Serializer>(it: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(it.as_str())
}

pub(super) fn phase_state<S: Serializer>(
    it: &PhaseState,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(it.as_str())
}
