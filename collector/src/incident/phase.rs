//! The lifecycle of an incident as a table: what each trigger does to the six phases.
//!
//! On the road: the watch passes [`next`] to the store, which writes what it says. Pure.
//!
//! - **IN-1**: a phase changes only through [`next`], after [`opening`] set it.
//!
//! No trigger here makes a phase `done`: that takes its gate's evidence, and a receipt that says
//! `complete` is evidence for one host and one process, not for an incident.

use cordon_shared::{
    event::receipt::Verdict,
    incident::{Phase, PhaseState, Phases},
};

/// What moves phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// One more detection belongs to the incident.
    Joined,
    /// A command that contains was issued.
    Ordered,
    /// A receipt came for such a command.
    Answered(Verdict),
}

/// The phases of an incident that is opened now: it is being identified.
#[must_use]
pub fn opening() -> Phases {
    let mut phases = [PhaseState::Pending; 6];
    phases[Phase::Identification.index()] = PhaseState::Active;
    phases
}

/// The phases after a trigger; nothing when they stay as they are (IN-1).
#[must_use]
pub fn next(phases: &Phases, trigger: Trigger) -> Option<Phases> {
    let mut after = *phases;
    match trigger {
        // What was closed was closed too early: the adversary is still there, or there again.
        Trigger::Joined => {
            reopen(&mut after, Phase::Identification);
            reopen(&mut after, Phase::Containment);
        }
        Trigger::Ordered => work_on(&mut after, Phase::Containment),
        Trigger::Answered(verdict) => match verdict {
            // Carried by hand, its receipt may be the first that is heard of it.
            Verdict::Complete => begin(&mut after, Phase::Containment),
            // Something is open that should not be: never shown as done.
            Verdict::Partial | Verdict::Failed | Verdict::Unknown => {
                work_on(&mut after, Phase::Containment);
            }
            // Nothing was done on the host.
            Verdict::Refused | Verdict::Expired | Verdict::Planned => (),
        },
    }
    (after != *phases).then_some(after)
}

/// What has not begun begins.
fn begin(phases: &mut Phases, phase: Phase) {
    let state = &mut phases[phase.index()];
    if *state == PhaseState::Pending {
        *state = PhaseState::Active;
    }
}

/// What was closed is worked on again.
fn reopen(phases: &mut Phases, phase: Phase) {
    let state = &mut phases[phase.index()];
    if *state == PhaseState::Done {
        *state = PhaseState::Reopened;
    }
}

/// Begun if it has not, again if it was closed.
fn work_on(phases: &mut Phases, phase: Phase) {
    begin(phases, phase);
    reopen(phases, phase);
}

#[cfg(test)]
mod tests;
