//! Work that takes longer than a kill may wait: a snapshot.
//!
//! Beside the road: the intent is journaled as for any command, then the work goes to a thread of its
//! own, and containment takes the next command. What came of it comes back through a bounded channel,
//! and only then is there a receipt. [`ERRANDS_MAX`] are under way at one time; one more is answered
//! `failed` at once, and nothing waits.
//!
//! At a stop, what is under way is told to end, and is answered before containment ends.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use cordon_shared::{
    digest::Sha256,
    event::receipt::Verdict,
    id::{CommandId, IncidentId},
    time::{ClockSample, Timestamp},
};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Answer, Containment, Parts,
    execute::{Report, snapshot, sweep},
    hold::Now,
    link::LinkFacts,
    plan::{Plan, Step},
    respond::About,
    verify::Verified,
};

/// Works under way at one time (chosen: one for each of two incidents; a third would slow the host
/// that is to be helped).
pub const ERRANDS_MAX: usize = 2;

/// What the receipt will say of the command, whatever comes of the work.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) command: CommandId,
    pub(super) incident: Option<IncidentId>,
    pub(super) sha256: Sha256,
    pub(super) received: ClockSample,
    pub(super) began: ClockSample,
    pub(super) expires: Timestamp,
    pub(super) reason: String,
}

/// What is done on the thread; it looks at the token often, and ends when it is cancelled.
pub(super) type Work = Box<dyn FnOnce(&CancellationToken) -> Report + Send>;

/// A work that is to be begun.
pub struct Errand {
    pub(super) ticket: Ticket,
    pub(super) work: Work,
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errand({})", self.ticket.command)
    }
}

/// A work that has ended.
#[derive(Debug)]
pub struct Done {
    pub(super) ticket: Ticket,
    pub(super) report: Report,
}

impl Errand {
    /// Does it, here and now.
    #[must_use]
    pub fn run(self, stop: &CancellationToken) -> Done {
        let Self { ticket, work } = self;
        // A panic is a bug of ours: the command is answered all the same, or it would stay open.
        let report = std::panic::catch_unwind(AssertUnwindSafe(|| work(stop)));
        let report = report.unwrap_or_else(|_panic| failed("the agent stumbled; see its log"));
        Done { ticket, report }
    }

    /// Does it on a thread of its own.
    pub(super) fn start(self, done: mpsc::Sender<Done>, stop: CancellationToken) {
        drop(spawn_blocking(move || {
            // Nobody takes it when containment has ended: the next start says what is known.
            let _ended = done.blocking_send(self.run(&stop));
        }));
    }
}

/// Nothing was done, for this reason.
pub(super) fn failed(why: &str) -> Report {
    let open = vec![super::execute::cut(why)];
    Report { open, ..Report::of(Verdict::Failed) }
}

/// The work of a plan that is an errand.
pub(super) fn work_of(ticket: &Ticket, plan: &Plan, parts: &Parts) -> Work {
    for step in &plan.steps {
        if let Step::Snapshot(plan) = step {
            return snapshot::work(ticket, plan.clone(), &parts.kit);
        }
        if let Step::Sweep(questions) = step {
            let (files, clock) = (Arc::clone(&parts.files), Arc::clone(&parts.clock));
            return sweep::work(questions.clone(), files, clock);
        }
    }
    Box::new(|_| failed("there is nothing to do"))
}

impl Containment {
    /// Lets a long work be begun, if its conditions hold: it is answered when it has ended.
    pub(super) fn send_out(
        &mut self,
        about: About,
        verified: &Verified,
        plan: &Plan,
        (link, now): (&LinkFacts, &Now),
    ) -> Option<Answer> {
        let command = &verified.command;
        let conditions = plan.conditions();
        if !conditions.steps.is_empty() {
            let began = self.parts.clock.sample();
            let report = self.execute(verified, &conditions, (link, now));
            if report.verdict != Verdict::Complete {
                let receipt = self.receipt(about, report, &command.reason, began);
                return self.conclude(&receipt, command.expires);
            }
        }
        let ticket = Ticket {
            command: about.id,
            incident: about.incident,
            sha256: about.sha256,
            received: about.received,
            began: self.parts.clock.sample(),
            expires: command.expires,
            reason: command.reason.clone(),
        };
        let work = work_of(&ticket, plan, &self.parts);
        self.under_way += 1;
        self.errands.push(Errand { ticket, work });
        None
    }

    /// Long works that are to be begun now, by whoever drives this.
    pub fn errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.errands)
    }

    /// How many long works are not answered yet.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Answers a command whose long work has ended.
    pub fn settle_errand(&mut self, done: Done) -> Option<Answer> {
        let Done { ticket, report } = done;
        self.under_way = self.under_way.saturating_sub(1);
        let Ticket { command: id, incident, sha256, received, began, expires, reason } = ticket;
        info!("{id}: {}", report.verdict.as_str());
        let about = About { id, incident, sha256, received };
        let receipt = self.receipt(about, report, &reason, began);
        self.conclude(&receipt, expires)
    }
}

#[cfg(test)]
mod tests;
