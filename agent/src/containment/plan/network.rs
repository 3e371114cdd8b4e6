//! Isolate and release.
//!
//! What stays open is decided here and nowhere else: what every isolation needs (`link.rs`) and what
//! every hold leaves open (`hold.rs`). What cannot be closed is named, so that the verdict is at most
//! `partial`.

use cordon_shared::{
    command::{
        Command,
        action::Network,
        scope::{Lease, Override},
    },
    event::receipt::Refusal,
    id::CommandId,
    text::Text,
};

use super::{Ground, Plan, PlanError, Step};
use crate::containment::{
    firewall::{Opening, Ruleset},
    hold::{Hold, Holds},
    link::LinkFacts,
};

/// Closes the network but for what stays open in every isolation and in every hold, the command's own
/// included.
pub(super) fn isolate(
    command: &Command,
    (allowed, container): (&[Network], &Text),
    ground: Ground<'_>,
) -> Result<Plan, PlanError> {
    let facts = ground.link;
    if !container.is_empty() {
        let detail = "this agent isolates its host, not one container";
        return Err(PlanError::new(Refusal::UnknownAction, detail));
    }
    if facts.is_shared {
        let detail = "this agent answers for one cgroup, whose network is the whole host's";
        return Err(PlanError::new(Refusal::Protected, detail));
    }
    if facts.is_root_remote && !command.overrides.contains(&Override::NetworkRoot) {
        let detail = "the root file system comes over the network: isolation would stop the host, \
                      and is done only when the command says so";
        return Err(PlanError::new(Refusal::Protected, detail));
    }
    let mut after = ground.book.holds().clone();
    let added = after.add(command.id, Hold::of(command, allowed, ground.now));
    added.map_err(|it| PlanError::new(Refusal::LocalPolicy, it.to_string()))?;
    let ruleset = ruleset(&after, facts)?;
    let steps = vec![
        Step::Close(ruleset.clone()),
        Step::ConfirmCollector(facts.far_ends.clone()),
        Step::CutFlows(ruleset.clone()),
        Step::ConfirmClosed(ruleset),
    ];
    Ok(Plan { steps, open: open(facts) })
}

/// Ends one hold: the last one opens the network, another narrows or widens what stays open. While it
/// is not known who holds the host, the command's word is all there is.
pub(super) fn release(hold: CommandId, ground: Ground<'_>) -> Result<Plan, PlanError> {
    let mut after = ground.book.holds().clone();
    if !after.end(hold) && !ground.book.is_damaged() {
        let detail = format!("no hold of command {hold} is in force here");
        return Err(PlanError::new(Refusal::BadInput, detail));
    }
    let steps = match after.is_empty() {
        true => vec![Step::Open],
        false => vec![Step::Close(ruleset(&after, ground.link)?)],
    };
    // That the host stays isolated for another incident is no shortcoming of this release.
    Ok(Plan { steps, open: Vec::new() })
}

/// Has a hold last longer, and sees that the network is closed as it says.
pub(super) fn renew(hold: CommandId, lease: &Lease, ground: Ground<'_>) -> Result<Plan, PlanError> {
    let holds = ground.book.holds();
    if holds.get(hold).is_none() {
        let detail = format!("no hold of command {hold} is in force here");
        return Err(PlanError::new(Refusal::BadInput, detail));
    }
    let ruleset = ruleset(holds, ground.link)?;
    let steps = vec![
        Step::Extend(hold, *lease),
        Step::Close(ruleset.clone()),
        Step::ConfirmClosed(ruleset),
    ];
    Ok(Plan { steps, open: open(ground.link) })
}

/// What is in force while there are holds.
pub(in crate::containment) fn ruleset(
    holds: &Holds,
    facts: &LinkFacts,
) -> Result<Ruleset, PlanError> {
    let allowed = holds.allowed().into_iter().map(|it: Network| Opening::Network(it));
    let openings = facts.openings().into_iter().chain(allowed).collect();
    Ruleset::new(openings).map_err(|it| PlanError::new(Refusal::BadInput, it.to_string()))
}

fn open(facts: &LinkFacts) -> Vec<String> {
    let proxies = facts.far_ends.iter().filter(|_| facts.is_proxied);
    let proxy = proxies.map(|at| format!("the proxy {at}, and all that it reaches"));
    let shared = facts.cgroup.is_none().then(|| {
        "the collector's ports, to every process: the agent has no cgroup of its own".to_owned()
    });
    proxy.chain(shared).collect()
}
