//! A snapshot as a report: one step for each entry, and one for the seal.
//!
//! `complete` is said when the container is sealed on disk and nothing that is on the host is lacking;
//! what was cut or missed makes it `partial`, by name. That it reaches the collector is not waited for:
//! the collector knows that better than the agent.

use std::sync::Arc;

use cordon_shared::{
    event::receipt::{StepOutcome, StepReport, Verdict},
    snapshot::{Entry, Manifest, Outcome},
};

use super::{Report, cut};
use crate::{
    containment::errand::{Ticket, Work, failed},
    snapshot::{Kit, Patience, plan::Plan, seal::Order},
};

/// Takes it.
pub(in crate::containment) fn work(ticket: &Ticket, plan: Plan, kit: &Kit) -> Work {
    let order = Order { command: ticket.command, incident: ticket.incident };
    let kit = kit.clone();
    Box::new(move |stop| {
        let patience = Patience::new(Arc::clone(&kit.clock), stop.clone());
        match kit.take(order, &plan, &patience) {
            Ok(manifest) => report(&manifest),
            Err(error) => failed(&error.to_string()),
        }
    })
}

/// What was taken; also what is known of a snapshot that a crash came after.
pub(in crate::containment) fn report(manifest: &Manifest) -> Report {
    let mut steps: Vec<_> = manifest.entries.iter().map(step).collect();
    steps.push(seal(manifest));
    let lacking = manifest.entries.iter().filter(|it| it.outcome != Outcome::Taken);
    let open: Vec<_> = lacking.map(|it| cut(&format!("{}: {}", it.name, it.reason))).collect();
    let verdict = if open.is_empty() { Verdict::Complete } else { Verdict::Partial };
    Report { steps, open, ..Report::of(verdict) }
}

fn step(it: &Entry) -> StepReport {
    let outcome = match it.outcome {
        Outcome::Taken => StepOutcome::Done,
        Outcome::Cut | Outcome::Missed => StepOutcome::Failed,
    };
    let size = format!("{} bytes", it.size_bytes);
    let size = if it.outcome == Outcome::Missed { String::new() } else { size };
    let detail = [size, it.reason.clone()].into_iter().filter(|it| !it.is_empty());
    let detail = detail.collect::<Vec<_>>().join("; ");
    StepReport { step: format!("take {}", it.name), outcome, detail: cut(&detail) }
}

/// The step that says where it is.
fn seal(it: &Manifest) -> StepReport {
    StepReport {
        step: format!("seal snapshot {}", it.snapshot),
        outcome: StepOutcome::Done,
        detail: format!("{} bytes, SHA-256 {}", it.size_bytes, it.sha256),
    }
}
