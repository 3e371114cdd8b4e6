//! The gate of each phase: what is open, what would move it, and what it rests on; as sentences.
//!
//! On the road: the API asks with [`Facts`] that [`evidence`](super::evidence) made of what lies in the
//! store; a [`Passage`] goes to the phase table, sentences go to people. Pure.
//!
//! The rules are strict, and a person with a reason may go past each, on record:
//!
//! - **Preparation**: a lead, a keyring in force, a person's key in it that may contain.
//! - **Identification**: a verdict. When that is anything but `true_positive`, the phases after it ask
//!   for nothing but that no hold of the incident is left on any host.
//! - **Containment**: each host in scope is proved contained (isolated as a whole, or every process
//!   that was detected on it is ended or stopped), or declared otherwise with evidence by two persons;
//!   and the fleet was swept for all of the incident's digests and paths: every host was asked, those
//!   in scope have answered, none that was hit is outside of the scope. A host elsewhere that does not
//!   answer is waited for until its command ends, and then counted as unanswered, for ever.
//! - **Eradication**: containment is closed; a snapshot of each host was complete before anything was
//!   removed from it; all removals are complete; and a sweep that was issued after the last of them is
//!   clean. Where nothing was removed or ended since, the sweep of containment is that sweep.
//! - **Recovery**: eradication is closed; no hold is left; the tasks of kind `weakness` and
//!   `credential` are done; the watch window is over, nothing was detected in it, and the agents in
//!   scope have spoken since its end.
//! - **Lessons learned**: recovery is closed; a report was written; each action item has an owner and
//!   a date.
//!
//! So an incident whose one process automation has killed closes without a person's command but a sweep
//! and a snapshot. `partial` is open wherever it occurs.

mod rule;

mod words;

use cordon_shared::{
    incident::{Declaration, Phase, PhaseState, Phases, TaskKind, Verdict},
    time::Timestamp,
};

pub use self::words::names;

/// What all gates of an incident look at.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The incident, for the commands that a sentence names.
    pub id: String,
    /// The collector's clock.
    pub now: Timestamp,
    /// The phases as they are.
    pub phases: Phases,
    /// Who leads it.
    pub lead: Option<String>,
    /// Persons that may contain, by the keyring in force; nothing when there is none.
    pub persons: Option<usize>,
    /// What it was found to be.
    pub verdict: Option<Verdict>,
    /// The hosts in scope.
    pub hosts: Vec<HostFacts>,
    /// Digests and paths that can be swept for.
    pub questions: usize,
    /// What the fleet answers about them since containment began.
    pub sweep: Sweep,
    /// The same, of sweeps that were issued after the last removal.
    pub rescan: Sweep,
    /// The tasks.
    pub tasks: Vec<TaskFacts>,
    /// Begin and end of the watch window.
    pub watch: Option<(Timestamp, Timestamp)>,
    /// When the newest event of its detections happened.
    pub last_detected: Option<Timestamp>,
    /// When a report was last written.
    pub reported: Option<Timestamp>,
}

/// A host in scope.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// Its phases as they are.
    pub phases: Phases,
    /// What is said of it: a declaration counts when a second person has confirmed it.
    pub declared: Option<(Declaration, bool)>,
    /// Whether it is proved contained.
    pub containment: Proof,
    /// Whether a snapshot came before removals.
    pub snapshot: Proof,
    /// Removals that are not complete, in sentences.
    pub unremoved: Vec<String>,
    /// What of this incident still holds it: `isolate COMMAND`.
    pub holds: Vec<String>,
    /// When its agent last spoke; nothing for a machine without one.
    pub last_seen: Option<Timestamp>,
}

/// Whether something is proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// It is, by this.
    Yes(String),
    /// It is not, because of this.
    No(String),
}

/// What each host of the fleet answers to a sweep; names in the order of the fleet's list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sweep {
    /// Found something.
    pub hit: Vec<Swept>,
    /// Looked everywhere, found nothing.
    pub clean: Vec<Swept>,
    /// Could not look, or not everywhere, or was not reached until its command ended.
    pub unanswered: Vec<Swept>,
    /// Its command has not ended yet.
    pub waiting: Vec<Swept>,
    /// Was not asked, or not everything.
    pub unasked: Vec<Swept>,
}

/// A host that a sweep is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Swept {
    /// Its name.
    pub name: String,
    /// Whether it is in scope, and not declared otherwise.
    pub is_in_scope: bool,
    /// Whether two persons have declared it to be something that no sweep need reach.
    pub is_declared: bool,
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// Its number in the incident.
    pub number: u64,
    /// Its kind.
    pub kind: TaskKind,
    /// Its title.
    pub title: String,
    /// Whether somebody owns it, and until when.
    pub has_owner: bool,
    /// Whether it has a date.
    pub has_due: bool,
    /// Whether it is done.
    pub is_done: bool,
}

/// The gate of a phase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gate {
    /// Of which phase.
    pub phase: Phase,
    /// Whether something is missing.
    pub is_open: bool,
    /// What, each with what would move it.
    pub needs: Vec<String>,
    /// What is there.
    pub rests_on: Vec<String>,
}

/// That a gate was passed. Only a gate gives it out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passage {
    phase: Phase,
    is_override: bool,
}

impl Passage {
    /// Of which phase.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.phase
    }

    /// Whether a person's word stands for evidence.
    #[must_use]
    pub fn is_override(self) -> bool {
        self.is_override
    }
}

impl Gate {
    fn of(phase: Phase) -> Self {
        Self { phase, is_open: false, needs: Vec::new(), rests_on: Vec::new() }
    }

    fn need(&mut self, sentence: impl Into<String>) {
        self.is_open = true;
        self.needs.push(sentence.into());
    }

    fn rest(&mut self, sentence: impl Into<String>) {
        self.rests_on.push(sentence.into());
    }

    /// The way through, when nothing is missing.
    #[must_use]
    pub fn passage(&self) -> Option<Passage> {
        (!self.is_open).then_some(Passage { phase: self.phase, is_override: false })
    }

    /// The way past, for a reason that is more than blanks.
    #[must_use]
    pub fn overridden(&self, reason: &str) -> Option<Passage> {
        let is_reason = !reason.trim().is_empty();
        is_reason.then_some(Passage { phase: self.phase, is_override: true })
    }
}

/// All gates, in order.
#[must_use]
pub fn all(facts: &Facts) -> [Gate; 6] {
    Phase::ALL.map(|phase| gate(phase, facts))
}

/// The gate of a phase. A phase that is done keeps its gate closed until it is reopened: a host that
/// was contained and is released again was contained.
#[must_use]
pub fn gate(phase: Phase, facts: &Facts) -> Gate {
    let mut gate = Gate::of(phase);
    if facts.phases[phase.index()] == PhaseState::Done {
        gate.rest("passed");
        return gate;
    }
    let is_harmless = facts.verdict.is_some_and(|it| it != Verdict::TruePositive);
    match phase {
        Phase::Preparation => rule::preparation(&mut gate, facts),
        Phase::Identification => rule::identification(&mut gate, facts),
        Phase::Recovery if is_harmless => rule::no_hold(&mut gate, facts),
        Phase::Containment | Phase::Eradication | Phase::LessonsLearned if is_harmless => {
            gate.rest("not needed: it is no true positive");
        }
        Phase::Containment => rule::containment(&mut gate, facts),
        Phase::Eradication => rule::eradication(&mut gate, facts),
        Phase::Recovery => rule::recovery(&mut gate, facts),
        Phase::LessonsLearned => rule::lessons(&mut gate, facts),
    }
    gate
}

/// The gate of a host's own phase; those that a host does not have are closed.
#[must_use]
pub fn host(phase: Phase, host: &HostFacts, facts: &Facts) -> Gate {
    let mut gate = Gate::of(phase);
    match phase {
        Phase::Containment => rule::host_contained(&mut gate, host, facts),
        Phase::Eradication => {
            rule::host_cleaned(&mut gate, host, facts);
            let is_it = |it: &&Swept| it.is_in_scope && it.name == host.name;
            let is_clean = facts.rescan.clean.iter().any(|it| is_it(&it));
            if !is_clean && rule::confirmed(host).is_none() {
                gate.need(format!("`{}` did not answer a re-scan with clean", host.name));
            }
            rule::after(&mut gate, Phase::Containment, &host.phases);
        }
        Phase::Recovery => {
            rule::host_released(&mut gate, host, facts);
            rule::after(&mut gate, Phase::Eradication, &host.phases);
            rule::watched(&mut gate, facts, std::slice::from_ref(host));
        }
        Phase::Preparation | Phase::Identification | Phase::LessonsLearned => (),
    }
    gate
}

#[cfg(test)]
mod tests;
