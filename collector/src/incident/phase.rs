//! The lifecycle of an incident as a table: what each trigger does to each of the six phases.
//!
//! On the road: watch, response and API pass [`next`] to the store, which writes what it says, once for
//! the incident and once for the host in scope that the trigger is about; a host has the phases of
//! [`Phase::OF_HOST`] and they follow the same table. Pure.
//!
//! Forward, a phase is closed by a [`Passage`] alone, which only [`gate`](super::gate) gives out: on
//! evidence, or on a person's word with a reason. Backward needs nobody: what shows that the
//! adversary is still there, or there again, reopens by itself what had been closed.
//!
//! - **IN-1**: a phase changes only through [`next`], after [`opening`] set it.

use cordon_shared::{
    event::receipt::Verdict,
    incident::{Phase, PhaseState, Phases},
    time::Timestamp,
};

use super::gate::Passage;

/// What a command is to an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// It takes something from the adversary.
    Contains,
    /// It takes a trace of the adversary away.
    Removes,
    /// It gives back what was held.
    Restores,
    /// It looks, or is about something else.
    Looks,
}

impl Deed {
    /// By an action's name.
    #[must_use]
    pub fn of(action: &str) -> Self {
        match action {
            "kill" | "suspend" | "isolate" | "block" | "cut" | "lock-account" | "end-sessions"
            | "disable-unit" | "renew" => Self::Contains,
            "quarantine" | "remove" => Self::Removes,
            "release" | "resume" | "unblock" | "restore" | "unlock-account" | "undo" => {
                Self::Restores
            }
            _ => Self::Looks,
        }
    }
}

/// What moves phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// One more detection belongs to it, of what happened before containment was closed.
    Joined,
    /// One more detection belongs to it, of what happened after: the adversary is there again.
    Relapsed,
    /// One more host belongs to it.
    Widened,
    /// A person leads it.
    Led,
    /// A person said what it is, for the first time or otherwise than before.
    Judged,
    /// A command was issued.
    Ordered(Deed),
    /// A receipt came for a command.
    Answered(Deed, Verdict),
    /// A sweep found an indicator.
    Hit,
    /// What proved a host contained is over, and the host is not clean yet.
    Lapsed,
    /// A person began the watch window.
    Watched,
    /// A report was written.
    Reported,
    /// A gate was passed.
    Passed(Passage),
    /// A person opened it again after it was closed.
    Resumed,
}

/// What a trigger does to a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Stay,
    /// Begun, if it has not.
    Begin,
    /// Worked on again, if it was closed.
    Reopen,
    /// Begun if it has not, again if it was closed.
    Work,
    /// Closed.
    Close,
}

/// The phases of an incident that is opened now: it is being identified.
#[must_use]
pub fn opening() -> Phases {
    let mut phases = [PhaseState::Pending; 6];
    phases[Phase::Identification.index()] = PhaseState::Active;
    phases
}

/// What one more detection is to the phases, each with the moment that it got its state: `at` is when
/// the event happened.
#[must_use]
pub fn found(phases: &[(PhaseState, Timestamp); 6], at: Timestamp) -> Trigger {
    let (state, since) = phases[Phase::Containment.index()];
    let is_after = state == PhaseState::Done && at > since;
    if is_after { Trigger::Relapsed } else { Trigger::Joined }
}

/// The phases after a trigger; nothing when they stay as they are (IN-1).
#[must_use]
pub fn next(phases: &Phases, trigger: Trigger) -> Option<Phases> {
    let mut after = *phases;
    for phase in Phase::ALL {
        let state = &mut after[phase.index()];
        *state = match (change(trigger, phase), *state) {
            (Change::Close, _) => PhaseState::Done,
            (Change::Begin | Change::Work, PhaseState::Pending) => PhaseState::Active,
            (Change::Reopen | Change::Work, PhaseState::Done) => PhaseState::Reopened,
            (Change::Stay | Change::Begin | Change::Reopen | Change::Work, state) => state,
        };
    }
    (after != *phases).then_some(after)
}

/// The table.
fn change(trigger: Trigger, phase: Phase) -> Change {
    match (trigger, phase) {
        // What was closed was closed too early: there is more than was known.
        (Trigger::Joined | Trigger::Widened, Phase::Identification | Phase::Containment)
        | (Trigger::Judged | Trigger::Resumed, Phase::Identification)
        | (Trigger::Resumed, Phase::LessonsLearned)
        | (Trigger::Lapsed, Phase::Containment) => Change::Reopen,
        (Trigger::Relapsed, Phase::Containment) => Change::Work,
        (Trigger::Relapsed, Phase::Identification | Phase::Eradication | Phase::Recovery)
        | (Trigger::Hit, Phase::Eradication | Phase::Recovery) => Change::Reopen,
        (Trigger::Led, Phase::Preparation)
        | (Trigger::Watched, Phase::Recovery)
        | (Trigger::Reported, Phase::LessonsLearned) => Change::Begin,
        (Trigger::Ordered(deed), phase) => ordered(deed, phase),
        (Trigger::Answered(deed, verdict), phase) => answered(deed, verdict, phase),
        (Trigger::Passed(passage), phase) if passage.phase() == phase => Change::Close,
        (Trigger::Passed(passage), phase) if passage.phase().index() + 1 == phase.index() => {
            Change::Begin
        }
        _ => Change::Stay,
    }
}

fn ordered(deed: Deed, phase: Phase) -> Change {
    match (deed, phase) {
        (Deed::Contains, Phase::Containment) | (Deed::Removes, Phase::Eradication) => Change::Work,
        (Deed::Restores, Phase::Recovery) => Change::Begin,
        _ => Change::Stay,
    }
}

fn answered(deed: Deed, verdict: Verdict, phase: Phase) -> Change {
    let done = match verdict {
        // Carried by hand, its receipt may be the first that is heard of it.
        Verdict::Complete => Change::Begin,
        // Something is open that should not be: never shown as done.
        Verdict::Partial | Verdict::Failed | Verdict::Unknown => Change::Work,
        // Nothing was done on the host.
        Verdict::Refused | Verdict::Expired | Verdict::Planned => Change::Stay,
    };
    match (deed, phase) {
        (Deed::Contains, Phase::Containment) | (Deed::Removes, Phase::Eradication) => done,
        (Deed::Restores, Phase::Recovery) if verdict == Verdict::Complete => Change::Begin,
        _ => Change::Stay,
    }
}

#[cfg(test)]
mod tests;
