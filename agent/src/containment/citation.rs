//! What automation must show: an event that this agent itself saw, of the process that it means.
//!
//! A collector that was stolen can sign with automation's key; it cannot make this host have seen
//! something. So a command of automation's alone cites an event, and is judged against the agent's
//! own memory of it ([`Witness`]), the rules that a person armed, and the totals of the keyring.

use std::fmt;

use cordon_shared::{
    command::{
        Command,
        action::{Action, ProcessTarget},
    },
    event::receipt::Refusal,
    id::{AgentId, EventId, ProcessKey},
    keyring::Keyring,
    limit,
    time::Boottime,
};

use super::{host::HostFacts, verify::Refused};

/// What the agent remembers of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Witnessed {
    /// The process that it is about.
    pub process: ProcessKey,
    /// When it happened, on this boot.
    pub boottime: Boottime,
}

/// The agent's memory of its own recent events of this boot.
pub trait Witness: Send + Sync + fmt::Debug {
    /// What an event was about; nothing when it is not one of ours, too old, or of another boot.
    fn event(&self, event: EventId) -> Option<Witnessed>;
}

/// What a citation is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Who we are.
    pub agent: AgentId,
    /// Our tier.
    pub host_tier: &'a str,
    /// What is in force.
    pub keyring: &'a Keyring,
    /// What we remember.
    pub witness: &'a dyn Witness,
    /// Who is whose child.
    pub facts: &'a HostFacts,
    /// Now.
    pub boottime: Boottime,
    /// What automation began within the last hour.
    pub deeds: u32,
}

/// Judges the citation of a command that automation alone signed.
///
/// # Errors
/// [`Refused`]: nothing is done.
pub fn judge(command: &Command, ground: Ground<'_>) -> Result<(), Refused> {
    let refuse = |refusal, detail: &str| Err(Refused::new(refusal, detail));
    let Some(citation) = &command.citation else {
        return refuse(Refusal::NotCited, "automation cites no event");
    };
    if citation.event.agent != ground.agent {
        return refuse(Refusal::NotCited, "the cited event is another agent's");
    }
    if !ground.keyring.is_armed(&citation.rule, citation.rule_sha256) {
        let detail = format!("nobody has armed rule `{}` in this form", citation.rule);
        return refuse(Refusal::NotAuthorised, &detail);
    }
    let Some(seen) = ground.witness.event(citation.event) else {
        return refuse(Refusal::NotCited, "this agent remembers no such event");
    };
    let totals = ground.keyring.totals(ground.host_tier);
    let age = ground.boottime.since(seen.boottime);
    if age > totals.citation_age_max.min(limit::CITATION_AGE_MAX) {
        let detail = format!("the cited event is {} s old", age.as_secs());
        return refuse(Refusal::CitationTooOld, &detail);
    }
    match &command.action {
        Action::Kill(target) | Action::Suspend(target) => {
            related(*target, seen.process, ground.facts)?;
            if ground.deeds >= totals.kills_per_hour {
                let detail = format!(
                    "automation has used up its {} kills and suspensions of this hour",
                    totals.kills_per_hour
                );
                return refuse(Refusal::TotalUsedUp, &detail);
            }
            Ok(())
        }
        // No total is kept for these here, and without one nothing is automation's to do.
        Action::Resume(_)
        | Action::Isolate { .. }
        | Action::Release { .. }
        | Action::Block(_)
        | Action::Unblock { .. }
        | Action::Cut { .. }
        | Action::Quarantine(_)
        | Action::Restore(_)
        | Action::Remove(_)
        | Action::LockAccount(_)
        | Action::UnlockAccount { .. }
        | Action::EndSessions(_)
        | Action::DisableUnit(_)
        | Action::Snapshot { .. }
        | Action::Collect { .. }
        | Action::Sweep { .. }
        | Action::Scan { .. }
        | Action::RenewLease { .. }
        | Action::Undo(_)
        | Action::Rehearse { .. }
        | Action::SetPolicy(_)
        | Action::SetRules { .. }
        | Action::SetCollector { .. }
        | Action::UpdateKeyring(_) => {
            let name = command.action.name();
            refuse(Refusal::NotAuthorised, &format!("automation may not `{name}`: a person signs"))
        }
    }
}

/// The target must be the cited process, one of its descendants, or one of its ancestors; the last
/// alone, without its tree's other branches being asked for, is what a tree kill of it means anyway.
fn related(target: ProcessTarget, cited: ProcessKey, facts: &HostFacts) -> Result<(), Refused> {
    let process = target.process;
    let is_below = || facts.births(&[cited]).contains(&process);
    let is_above = || facts.find(cited).is_some() && facts.ancestors(cited.pid).contains(&process);
    if process == cited || is_below() || is_above() {
        return Ok(());
    }
    let detail = format!("{} is not of the tree of the cited {}", process.pid, cited.pid);
    Err(Refused::new(Refusal::OutsideCitation, &detail))
}
