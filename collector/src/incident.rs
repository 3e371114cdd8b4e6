//! Detections to incidents: which detection belongs where, and which phase follows which.
//!
//! On the road: the watch asks, the store makes it true. The halves are pure: [`assemble`] says where a
//! detection goes, [`phase`] moves the six phases and nothing else does (IN-1), [`gate`] says what a
//! phase waits for, by what [`evidence`] reads in commands and receipts; [`indicator`] says what of an
//! event is worth looking for elsewhere.

pub mod assemble;

pub mod indicator;

pub mod evidence;

pub mod gate;

pub mod phase;

use cordon_shared::{detection::Detection, id::IncidentId};

use self::assemble::Candidate;
use crate::store::OpenIncident;

/// Which of the open incidents of its agent a detection belongs to; nothing when it opens one.
#[must_use]
pub fn place(detection: &Detection, open: &[OpenIncident]) -> Option<IncidentId> {
    let candidates = open.iter().map(|it| Candidate {
        id: it.id,
        subjects: &it.subjects,
        ancestors: &it.ancestors,
        span: it.span,
        is_elsewhere: it.is_elsewhere,
    });
    assemble::place(detection, &candidates.collect::<Vec<_>>())
}
