//! What came of a plan, in the words of a receipt.

use cordon_shared::{
    event::receipt::{Finding, Refusal, StepOutcome, StepReport, Verdict},
    id::LedgerId,
    limit,
};

use crate::containment::plan::{Plan, Step};

/// What came of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What became of it.
    pub verdict: Verdict,
    /// Why nothing was done, when a condition did not hold.
    pub refusal: Option<Refusal>,
    /// Every step, in order, as many as a receipt takes.
    pub steps: Vec<StepReport>,
    /// What is open.
    pub open: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Entries of the undo ledger that were worked on, and whether they are in effect now.
    pub entries: Vec<(LedgerId, bool)>,
}

impl Report {
    /// Says what became of it, and nothing else.
    #[must_use]
    pub fn of(verdict: Verdict) -> Self {
        let (steps, open, findings, entries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { verdict, refusal: None, steps, open, findings, entries }
    }
}

/// Says what would be done, and does nothing.
#[must_use]
pub fn rehearse(plan: &Plan) -> Report {
    let skipped = |it: &Step| report(it.to_string(), StepOutcome::Skipped, "");
    let steps = plan.steps.iter().take(limit::RECEIPT_STEPS_MAX).map(skipped).collect();
    Report { steps, open: plan.open.clone(), ..Report::of(Verdict::Planned) }
}

/// One step, told.
pub(super) fn report(step: String, outcome: StepOutcome, detail: &str) -> StepReport {
    StepReport { step, outcome, detail: detail.to_owned() }
}

/// As much of a text as a receipt takes.
pub(in crate::containment) fn cut(text: &str) -> String {
    let mut end = text.len().min(limit::RECEIPT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
