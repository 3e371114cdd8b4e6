//! A sweep as a report: `complete` when everything was read, whatever was found; else `partial`.

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    command::action::Question,
    event::receipt::{StepOutcome, StepReport, Verdict},
    time::Clock,
};

use super::{Report, cut};
use crate::containment::{errand::Work, files::Files};

/// How long one sweep may go on (chosen: a minute reads some 20 GB from a fast disk); it runs beside
/// containment, so no kill waits for it.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Answers it.
pub(in crate::containment) fn work(
    questions: Vec<Question>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
) -> Work {
    Box::new(move |stop| {
        let deadline = clock.boottime().saturating_add(TIME_MAX);
        let over = || {
            if stop.is_cancelled() {
                return Some("the agent stops");
            }
            (clock.boottime() >= deadline).then_some("the time for a sweep was over")
        };
        let swept = files.sweep(&questions, &over);
        let verdict = if swept.open.is_empty() { Verdict::Complete } else { Verdict::Partial };
        let detail = format!("{} read, {} found", swept.files, swept.findings.len());
        let step = "look for files and running programs".to_owned();
        let steps = vec![StepReport { step, outcome: StepOutcome::Done, detail }];
        let open = swept.open.iter().map(|it| cut(it)).collect();
        Report { steps, open, findings: swept.findings, ..Report::of(verdict) }
    })
}
