//! Which detections are kept from becoming incidents: a pure decision.
//!
//! In: a detection, and the suppressions that people made. Out: the one that keeps it back, or none.
//! A suppression holds for one rule, on one host or everywhere, from when it was made until it ends.

use cordon_shared::{
    detection::{Basis, Detection},
    id::SuppressionId,
    time::Timestamp,
};

use crate::store::SuppressionRow;

/// The suppression that keeps a detection back; of several the oldest.
///
/// What counts is when the collector judges it, not when the event happened: one that comes late is
/// judged by what holds now. A person's report is never kept back.
pub(super) fn by(
    detection: &Detection,
    suppressions: &[SuppressionRow],
    now: Timestamp,
) -> Option<SuppressionId> {
    let Basis::Event(_) = detection.basis else { return None };
    let holds = |it: &&SuppressionRow| {
        it.is_active(now)
            && it.rule == detection.rule.id
            && it.host.is_none_or(|host| host == detection.host)
    };
    suppressions.iter().find(holds).map(|it| it.id)
}

#[cfg(test)]
mod tests;
