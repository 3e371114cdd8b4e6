//! What the journal has lost, as its consumers are told.
//!
//! Beside the road: pure.

use cordon_shared::seglog::{Gap, GapCause, Index};

/// What of a gap is lost: without the records whose batches are elsewhere in the journal (F-8).
pub(in crate::ingest) fn without(gap: &Gap, skipped: &[u64]) -> Vec<Gap> {
    let (mut lost, mut from) = (Vec::new(), gap.from);
    let ends = skipped.iter().map(|it| Index::from_u64(*it));
    for at in ends.filter(|it| (gap.from..gap.until).contains(it)).chain([gap.until]) {
        if from < at {
            lost.push(Gap { from, until: at, cause: gap.cause });
        }
        from = at.plus(1);
    }
    lost
}

/// The gap of one record that cannot be used.
pub(super) fn at(index: Index) -> Gap {
    Gap { from: index, until: index.plus(1), cause: GapCause::Corrupt }
}
