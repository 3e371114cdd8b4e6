//! Command × facts → steps. Pure: the plan is a value that a reviewer, a test, the journal and a
//! responder's preview can all read.
//!
//! A plan refuses what is never touched (CT-2): pid 1, the kernel's threads, the agent and its
//! ancestors, and what the local policy lists; a tree that holds any of them is refused as a whole.
//! An action without a plan is refused as unknown.

pub mod file;

pub mod network;

pub mod process;

pub mod evidence;

use std::{fmt, net::SocketAddr};

use cordon_shared::{
    command::{
        Command,
        action::{Action, Question},
        scope::{Lease, LeaseEnd, Precondition},
    },
    digest::Sha256,
    event::receipt::Refusal,
    id::{CommandId, LedgerId, ProcessKey},
    text::Text,
};

use self::file::FileStep;
use super::{
    files::{FileFacts, Look},
    firewall::Ruleset,
    hold::{Now, book::Book},
    host::HostFacts,
    ledger::{Entry, Ledger},
    link::LinkFacts,
};
use crate::snapshot;

/// One thing to do, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Go on only if the process runs this executable.
    CheckExe {
        /// Which process.
        process: ProcessKey,
        /// What it must run.
        sha256: Sha256,
    },
    /// Stop a process where it is.
    Freeze(ProcessKey),
    /// Look for what the tree has born since, freeze it, and look again until there is nothing new.
    FreezeBirths(ProcessKey),
    /// End a process.
    Kill(ProcessKey),
    /// End what was born meanwhile.
    KillBirths(ProcessKey),
    /// See that everything that was to end has ended.
    ConfirmGone(ProcessKey),
    /// See that everything that was to stop has stopped.
    ConfirmStopped(ProcessKey),
    /// Let a process go on.
    Thaw(ProcessKey),
    /// Have a hold last so much longer: it is on disk by now.
    Extend(CommandId, Lease),
    /// Let nothing through but this.
    Close(Ruleset),
    /// See that one of the collector's addresses still answers, or take it back.
    ConfirmCollector(Vec<SocketAddr>),
    /// End the connections that are open and are not kept.
    CutFlows(Ruleset),
    /// See that nothing else gets out.
    ConfirmClosed(Ruleset),
    /// Let everything through.
    Open,
    /// Something with a file.
    OnFile(FileStep),
    /// Look for what a sweep asks for.
    Sweep(Vec<Question>),
    /// Take what is gone first, and seal it.
    Snapshot(snapshot::plan::Plan),
}

impl Step {
    /// Whether it takes longer than a kill may wait.
    #[must_use]
    pub fn is_long(&self) -> bool {
        matches!(self, Self::Snapshot(_) | Self::Sweep(_))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckExe { process, .. } => write!(f, "check the executable of {}", process.pid),
            Self::Freeze(it) => write!(f, "freeze {}", it.pid),
            Self::FreezeBirths(it) => write!(f, "freeze what {} gives birth to", it.pid),
            Self::Kill(it) => write!(f, "kill {}", it.pid),
            Self::KillBirths(it) => write!(f, "kill what {} gave birth to", it.pid),
            Self::ConfirmGone(it) => write!(f, "confirm that {} has ended", it.pid),
            Self::ConfirmStopped(it) => write!(f, "confirm that {} has stopped", it.pid),
            Self::Thaw(it) => write!(f, "thaw {}", it.pid),
            Self::Extend(hold, lease) => {
                let seconds = lease.duration.as_secs();
                let end = match lease.end {
                    LeaseEnd::Release => "is released",
                    LeaseEnd::Hold => "stays",
                };
                write!(f, "have the hold of {hold} last {seconds} s more, after which it {end}")
            }
            Self::Close(it) => {
                let kept: Vec<_> = it.openings().iter().map(ToString::to_string).collect();
                write!(f, "close the network but for {}", kept.join(", "))
            }
            Self::ConfirmCollector(_) => f.write_str("confirm that the collector is reached"),
            Self::CutFlows(_) => f.write_str("end open connections"),
            Self::ConfirmClosed(_) => f.write_str("confirm that nothing else gets out"),
            Self::Open => f.write_str("open the network"),
            Self::Snapshot(it) => {
                let names: Vec<_> = it.items.iter().map(|it| it.artefact.to_string()).collect();
                write!(f, "take {}", names.join(", "))
            }
            Self::OnFile(it) => it.fmt(f),
            Self::Sweep(it) => write!(f, "look for what {} questions ask for", it.len()),
        }
    }
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// What the plan cannot reach, known before it begins: the verdict is at most `partial`.
    pub open: Vec<String>,
}

impl Plan {
    /// Whether it takes longer than a kill may wait: then it is run beside containment.
    #[must_use]
    pub fn is_errand(&self) -> bool {
        self.steps.iter().any(Step::is_long)
    }

    /// What must hold before the long work of an errand.
    #[must_use]
    pub fn conditions(&self) -> Self {
        let steps = self.steps.iter().take_while(|it| !it.is_long()).cloned().collect();
        Self { steps, open: Vec::new() }
    }

    /// What the ledger is to know before the first step.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let of = |it: &Step| {
            if let Step::OnFile(FileStep::Do(entry)) = it { Some((**entry).clone()) } else { None }
        };
        self.steps.iter().filter_map(of).collect()
    }

    /// Entries of the ledger that are to be undone.
    #[must_use]
    pub fn undoes(&self) -> Vec<LedgerId> {
        let of = |it: &Step| {
            if let Step::OnFile(FileStep::Undo(entry)) = it { Some(entry.id) } else { None }
        };
        self.steps.iter().filter_map(of).collect()
    }
}

/// Nothing may be planned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct PlanError {
    /// Why, as the receipt says it.
    pub refusal: Refusal,
    /// Why, for people.
    pub detail: String,
}

impl PlanError {
    fn new(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self { refusal, detail: detail.into() }
    }
}

/// What the local policy lets nobody touch: absolute paths of executables.
pub type Protected = [Text];

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// One look at the processes.
    pub facts: &'a HostFacts,
    /// What the local policy lets nobody touch.
    pub protected: &'a Protected,
    /// Who holds the host isolated, before the command.
    pub book: &'a Book,
    /// One look at the network; made for what concerns it alone.
    pub link: &'a LinkFacts,
    /// One look at the files that the command names.
    pub files: &'a FileFacts,
    /// What was done to files before.
    pub ledger: &'a Ledger,
    /// Persons who signed; 0 when automation did alone.
    pub persons: u32,
    /// What the clocks say.
    pub now: &'a Now,
}

/// Makes the plan of a command (CT-2).
///
/// # Errors
/// [`PlanError`]: nothing is done.
pub fn plan(command: &Command, ground: Ground<'_>) -> Result<Plan, PlanError> {
    let Ground { facts, protected, .. } = ground;
    let plan = match &command.action {
        Action::Kill(target) => process::kill(*target, facts, protected),
        Action::Suspend(target) => process::suspend(*target, facts, protected),
        Action::Resume(target) => process::resume(*target, facts, protected),
        Action::Isolate { allowed, container } => {
            network::isolate(command, (allowed, container), ground)
        }
        Action::Release { hold } => network::release(*hold, ground),
        Action::RenewLease { hold, lease } => network::renew(*hold, lease, ground),
        Action::Snapshot { profile, processes, bytes_max } => {
            evidence::snapshot(*profile, processes, *bytes_max)
        }
        Action::Sweep { questions, .. } => {
            let steps = vec![Step::Sweep(questions.clone())];
            Ok(Plan { steps, open: Vec::new() })
        }
        Action::Quarantine(file) => file::quarantine(command, file, ground),
        Action::Remove(artefact) => file::remove(command, artefact, ground),
        Action::Restore(entry) => file::restore(*entry, ground),
        Action::Undo(entry) => file::undo(*entry, ground),
        Action::Block(_)
        | Action::Unblock { .. }
        | Action::Cut { .. }
        | Action::LockAccount(_)
        | Action::UnlockAccount { .. }
        | Action::EndSessions(_)
        | Action::DisableUnit(_)
        | Action::Collect { .. }
        | Action::Scan { .. }
        | Action::Rehearse { .. }
        | Action::SetPolicy(_)
        | Action::SetRules { .. }
        | Action::SetCollector { .. }
        | Action::UpdateKeyring(_) => {
            let detail = format!("this agent has no plan for `{}`", command.action.name());
            Err(PlanError::new(Refusal::UnknownAction, detail))
        }
    };
    let mut plan = plan?;
    if !plan.steps.is_empty() {
        let checks = checks(&command.preconditions, ground)?;
        plan.steps.splice(0..0, checks);
    }
    Ok(plan)
}

/// What must be true first.
fn checks(preconditions: &[Precondition], ground: Ground<'_>) -> Result<Vec<Step>, PlanError> {
    let mut steps = Vec::new();
    for it in preconditions {
        match it {
            Precondition::ProcessIs { process, exe_sha256 } => {
                if ground.facts.find(*process).is_none() {
                    let detail = format!("process {} is not the one that was meant", process.pid);
                    return Err(PlanError::new(Refusal::IdentityMismatch, detail));
                }
                steps.extend(exe_sha256.map(|sha256| Step::CheckExe { process: *process, sha256 }));
            }
            Precondition::FileIs(file) => match ground.files.at(&file.path) {
                Look::File(found) if found.file == *file => {
                    steps.push(Step::OnFile(FileStep::Check(file.clone())));
                }
                Look::File(_) | Look::Nothing | Look::Not { .. } => {
                    let detail = format!("{} is not the file that was meant", file.path);
                    return Err(PlanError::new(Refusal::IdentityMismatch, detail));
                }
            },
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests;
