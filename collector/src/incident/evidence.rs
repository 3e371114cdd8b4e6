//! From commands and receipts as they lie in the store to the facts that gates look at.
//!
//! On the road: the API reads [`IncidentParts`]; [`facts`] makes [`super::gate::Facts`] of them. Pure.
//! A receipt was proved when it was kept; what does not read is no evidence for anything.

mod order;
mod sweep;

use cordon_shared::{
    id::{AgentId, ProcessUid},
    incident::{IndicatorKind, Phase, PhaseState},
    time::Timestamp,
};

pub use self::order::Order;
use super::{
    gate::{Facts, HostFacts, Proof, TaskFacts},
    phase::Deed,
};
use crate::store::{FoundRow, IncidentParts, ScopeRow};

/// The facts of an incident; `persons` is how many may contain by the keyring in force.
#[must_use]
pub fn facts(parts: &IncidentParts, persons: Option<usize>, now: Timestamp) -> Facts {
    let orders = Order::all(parts);
    let row = &parts.incident;
    let (state, since) = row.phases[Phase::Containment.index()];
    let from = if state == PhaseState::Reopened { since } else { Timestamp::default() };
    let last = orders.iter().filter(|it| it.ends_or_removes()).filter_map(|it| it.closed).max();
    let rescan_from = last.map_or(from, |at| at.max(from));
    let questions = parts.indicators.iter().filter(|it| is_question(it.indicator.kind()));
    let questions: Vec<_> = questions.map(|it| &it.indicator).collect();
    let swept = |from| sweep::swept(parts, &orders, &questions, from);
    Facts {
        id: row.id.to_string(),
        now,
        phases: row.phases.map(|(state, _)| state),
        lead: row.lead.clone(),
        persons,
        verdict: row.verdict,
        hosts: parts.scope.iter().map(|it| host(it, &orders, &parts.found, now)).collect(),
        questions: questions.len(),
        sweep: swept(from),
        rescan: swept(rescan_from),
        tasks: parts.tasks.iter().map(task).collect(),
        watch: row.watch,
        last_detected: parts.found.iter().map(|it| it.span.1).max(),
        reported: parts.reported,
    }
}

/// Whether agents can be asked for it.
fn is_question(kind: IndicatorKind) -> bool {
    match kind {
        IndicatorKind::Sha256 | IndicatorKind::Path => true,
        IndicatorKind::Address => false,
    }
}

fn task(row: &crate::store::TaskRow) -> TaskFacts {
    TaskFacts {
        number: row.number,
        kind: row.kind,
        title: row.title.clone(),
        has_owner: row.owner.is_some(),
        has_due: row.due.is_some(),
        is_done: row.done.is_some(),
    }
}

fn host(row: &ScopeRow, orders: &[Order], found: &[FoundRow], now: Timestamp) -> HostFacts {
    let agent = row.host.map(|(_, agent)| agent);
    let of_host: Vec<_> = orders.iter().filter(|it| Some(it.agent) == agent).collect();
    let declared = row.declared.as_ref().map(|it| (it.what, it.confirmed_by.is_some()));
    HostFacts {
        name: row.name.clone(),
        phases: row.phases.map(|(state, _)| state),
        declared,
        containment: match agent {
            Some(agent) => contained(agent, &of_host, found, now),
            None => Proof::No("it has no agent".to_owned()),
        },
        snapshot: match agent {
            Some(_) => snapshot(&of_host),
            None => Proof::No("it has no agent".to_owned()),
        },
        unremoved: unremoved(&of_host),
        holds: holds(&of_host, now),
        last_seen: row.last_seen,
    }
}

/// Whether a host is proved contained: isolated as a whole, or all that was detected on it ended or
/// stopped.
fn contained(agent: AgentId, orders: &[&Order], found: &[FoundRow], now: Timestamp) -> Proof {
    let isolated = orders
        .iter()
        .find(|it| it.isolates_whole() && it.is_complete() && it.holds_still(orders, now));
    if let Some(it) = isolated {
        return Proof::Yes(format!("isolated, {}", it.id));
    }
    let found: Vec<_> = found.iter().filter(|it| it.agent == agent).collect();
    let left = found.iter().filter(|it| !is_ended(it, orders)).count();
    if !found.is_empty() && left == 0 {
        return Proof::Yes(format!("what was detected on it is ended, {} in all", found.len()));
    }
    // What came nearest tells most.
    let newest = orders.iter().find(|it| it.deed == Deed::Contains && !it.is_complete());
    match newest {
        Some(it) => Proof::No(it.told()),
        None if found.is_empty() => Proof::No("nothing contains it".to_owned()),
        None => Proof::No(format!("{left} of {} detections go on, or may", found.len())),
    }
}

/// Whether the process of a detection is proved ended or stopped.
fn is_ended(found: &FoundRow, orders: &[&Order]) -> bool {
    let Some(process) = found.process else { return false };
    orders.iter().any(|it| {
        let Some((target, is_tree)) = it.target else { return false };
        let covers = target == process || (is_tree && was_below(found, target, it));
        covers && it.is_complete() && it.stops_still(orders)
    })
}

/// Whether a detection's process descends from a target, and was there when the tree was ended.
fn was_below(found: &FoundRow, target: ProcessUid, order: &Order) -> bool {
    found.ancestors.contains(&target) && order.closed.is_some_and(|at| found.span.1 <= at)
}

/// Whether a snapshot was complete before anything was removed.
fn snapshot(orders: &[&Order]) -> Proof {
    let removals = orders.iter().filter(|it| it.deed == Deed::Removes && it.may_have_acted());
    let first = removals.map(|it| it.issued).min();
    let mut taken = orders.iter().filter(|it| it.is_snapshot);
    let is_in_time = |it: &&&Order| {
        it.is_complete() && first.is_none_or(|first| it.closed.is_some_and(|at| at <= first))
    };
    if let Some(it) = taken.clone().find(is_in_time) {
        return Proof::Yes(format!("snapshot, {}", it.id));
    }
    Proof::No(match taken.next() {
        None => "none was taken".to_owned(),
        Some(it) if it.is_complete() => "it came after the first removal".to_owned(),
        Some(it) => it.told(),
    })
}

/// Removals that were not done, or not whole, and were not done again.
fn unremoved(orders: &[&Order]) -> Vec<String> {
    let removals = || orders.iter().filter(|it| it.deed == Deed::Removes);
    let is_mended = |it: &Order| {
        removals().any(|other| {
            other.is_complete() && other.issued > it.issued && other.action == it.action
        })
    };
    removals().filter(|it| !it.is_complete() && !is_mended(it)).map(|it| it.told()).collect()
}

/// What still holds a host.
fn holds(orders: &[&Order], now: Timestamp) -> Vec<String> {
    let holding = orders
        .iter()
        .filter(|it| it.begins_hold() && it.may_have_acted() && it.holds_still(orders, now));
    holding.map(|it| format!("{} {}", it.name, it.id)).collect()
}

#[cfg(test)]
mod tests;
