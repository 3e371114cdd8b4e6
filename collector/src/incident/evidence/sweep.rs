//! What each host of the fleet answers to what an incident looks for: hit, clean and unanswered apart.

use std::collections::HashMap;

use cordon_shared::{
    command::action::Question,
    id::AgentId,
    incident::{Indicator, IndicatorKind},
    time::Timestamp,
};

use super::Order;
use crate::{
    incident::gate::{Sweep, Swept},
    store::IncidentParts,
};

/// What a host answers, the most telling last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Clean,
    Unanswered,
    Waiting,
    Unasked,
    Hit,
}

/// What the fleet, and the hosts in scope, answer to sweeps that were issued after `from`. Of several
/// for the same question the newest counts.
pub(super) fn swept(
    parts: &IncidentParts,
    orders: &[Order],
    questions: &[&Indicator],
    from: Timestamp,
) -> Sweep {
    let mut sweep = Sweep::default();
    let scoped = parts.scope.iter().filter_map(|it| Some((it.host?.1, it.name.clone())));
    let mut hosts = parts.fleet.clone();
    for (agent, name) in scoped {
        if !hosts.iter().any(|(it, _)| *it == agent) {
            hosts.push((agent, name));
        }
    }
    if questions.is_empty() {
        return sweep;
    }
    let mut asked: HashMap<AgentId, Vec<&Order>> = HashMap::new();
    for it in orders.iter().filter(|it| it.issued > from && !it.questions().is_empty()) {
        asked.entry(it.agent).or_default().push(it);
    }
    for (agent, name) in hosts {
        let asked = asked.get(&agent).map_or(&[][..], Vec::as_slice);
        let row = parts.scope.iter().find(|it| it.host.is_some_and(|(_, it)| it == agent));
        let declared = row.and_then(|it| it.declared.as_ref());
        let is_declared = declared.is_some_and(|it| it.confirmed_by.is_some());
        let swept = Swept { name, is_in_scope: row.is_some() && !is_declared, is_declared };
        let answers = questions.iter().map(|it| answer(asked, it));
        match answers.max().unwrap_or(Answer::Unasked) {
            Answer::Hit => sweep.hit.push(swept),
            Answer::Clean => sweep.clean.push(swept),
            Answer::Unanswered => sweep.unanswered.push(swept),
            Answer::Waiting => sweep.waiting.push(swept),
            Answer::Unasked => sweep.unasked.push(swept),
        }
    }
    sweep
}

/// What a host answers to one question; its sweeps come newest first.
fn answer(asked: &[&Order], indicator: &Indicator) -> Answer {
    let newest = asked.iter().find_map(|it| {
        let place = it.questions().iter().position(|it| is_for(it, indicator))?;
        Some((it, place))
    });
    let Some((order, place)) = newest else { return Answer::Unasked };
    if order.hits.contains(&place) {
        return Answer::Hit;
    }
    match (order.is_complete(), order.is_over) {
        (true, _) => Answer::Clean,
        (false, true) => Answer::Unanswered,
        (false, false) => Answer::Waiting,
    }
}

fn is_for(question: &Question, indicator: &Indicator) -> bool {
    match (question, indicator.kind()) {
        (Question::Sha256(digest), IndicatorKind::Sha256) => {
            digest.to_string() == indicator.value()
        }
        (Question::Path(path), IndicatorKind::Path) => path.to_string() == indicator.value(),
        _ => false,
    }
}
