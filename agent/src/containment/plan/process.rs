//! Kill, suspend, resume: one process, or it and its tree.
//!
//! A tree is frozen from the root down before anything in it is killed: what is frozen gives birth to
//! nothing, and a parent that lives keeps its children findable. Only then is it killed, leaves first.

use cordon_shared::{command::action::ProcessTarget, event::receipt::Refusal, id::ProcessKey};

use super::{super::host::HostFacts, Plan, PlanError, Protected, Step};

/// Ends it.
pub(super) fn kill(
    target: ProcessTarget,
    facts: &HostFacts,
    protected: &Protected,
) -> Result<Plan, PlanError> {
    let root = target.process;
    let members = match members(target, facts, protected)? {
        Members::Alive(members) => members,
        Members::Gone(orphans) => return Ok(kill_orphans(target, &orphans)),
    };
    let mut steps = Vec::with_capacity(2 * members.len() + 3);
    if target.is_tree {
        steps.extend(members.iter().map(|it| Step::Freeze(*it)));
        steps.push(Step::FreezeBirths(root));
        steps.push(Step::KillBirths(root));
    }
    steps.extend(members.iter().rev().map(|it| Step::Kill(*it)));
    steps.push(Step::ConfirmGone(root));
    Ok(Plan { steps, open: Vec::new() })
}

/// The root has ended by itself: what is left of its tree is found by group and session alone, and
/// what left those is not found at all.
fn kill_orphans(target: ProcessTarget, orphans: &[ProcessKey]) -> Plan {
    let root = target.process;
    if !target.is_tree {
        return Plan { steps: vec![Step::ConfirmGone(root)], open: Vec::new() };
    }
    let mut steps: Vec<_> = orphans.iter().map(|it| Step::Freeze(*it)).collect();
    steps.extend([Step::FreezeBirths(root), Step::KillBirths(root)]);
    steps.extend(orphans.iter().rev().map(|it| Step::Kill(*it)));
    steps.push(Step::ConfirmGone(root));
    let pid = root.pid;
    let open = format!("{pid} had ended: children that left its session cannot be found");
    Plan { steps, open: vec![open] }
}

/// Stops it where it is.
pub(super) fn suspend(
    target: ProcessTarget,
    facts: &HostFacts,
    protected: &Protected,
) -> Result<Plan, PlanError> {
    let root = target.process;
    let Members::Alive(members) = members(target, facts, protected)? else {
        return Ok(Plan { steps: vec![Step::ConfirmGone(root)], open: Vec::new() });
    };
    let mut steps: Vec<_> = members.iter().map(|it| Step::Freeze(*it)).collect();
    if target.is_tree {
        steps.push(Step::FreezeBirths(root));
    }
    steps.push(Step::ConfirmStopped(root));
    Ok(Plan { steps, open: Vec::new() })
}

/// Lets it go on, leaves first: a parent that wakes first could find its children still stopped.
pub(super) fn resume(
    target: ProcessTarget,
    facts: &HostFacts,
    protected: &Protected,
) -> Result<Plan, PlanError> {
    let Members::Alive(members) = members(target, facts, protected)? else {
        return Ok(Plan { steps: vec![Step::ConfirmGone(target.process)], open: Vec::new() });
    };
    Ok(Plan { steps: members.iter().rev().map(|it| Step::Thaw(*it)).collect(), open: Vec::new() })
}

/// Whom a target means.
enum Members {
    /// Root first, parents before children.
    Alive(Vec<ProcessKey>),
    /// The root has ended; these are of its group or session.
    Gone(Vec<ProcessKey>),
}

fn members(
    target: ProcessTarget,
    facts: &HostFacts,
    protected: &Protected,
) -> Result<Members, PlanError> {
    let root = target.process;
    let is_alive = facts.find(root).is_some();
    let is_reused = facts.processes.get(&root.pid).is_some_and(|it| it.key != root);
    if is_reused {
        let detail = format!("pid {} is another process by now", root.pid);
        return Err(PlanError::new(Refusal::IdentityMismatch, detail));
    }
    let births = if target.is_tree { facts.births(&[root]) } else { Vec::new() };
    let mut members = Vec::with_capacity(births.len() + 1);
    members.extend(is_alive.then_some(root));
    members.extend(births);
    for it in &members {
        if let Some(what) = untouchable(*it, facts, protected) {
            let detail = match *it == root {
                true => format!("{} is {what}", it.pid),
                false => format!("the tree of {} holds {}: {what}", root.pid, it.pid),
            };
            return Err(PlanError::new(Refusal::Protected, detail));
        }
    }
    Ok(if is_alive { Members::Alive(members) } else { Members::Gone(members) })
}

/// Why a process is never touched, if it is not (CT-2).
pub(crate) fn untouchable(
    process: ProcessKey,
    facts: &HostFacts,
    protected: &Protected,
) -> Option<&'static str> {
    if process.pid == 1 {
        return Some("the first process");
    }
    if process.pid == facts.own_pid {
        return Some("the agent");
    }
    if facts.ancestors(facts.own_pid).contains(&process) {
        return Some("an ancestor of the agent");
    }
    let found = facts.find(process)?;
    if found.is_kernel {
        return Some("a thread of the kernel");
    }
    protected.contains(&found.exe).then_some("on the local policy's list")
}
