//! What people and gates add to a report: verdict, lead, scope, tasks, what each phase waits for, who
//! passed an open gate, what the fleet answered. From the incident as REST shows it. Pure.

use cordon_shared::{incident::PhaseState, time::Timestamp};

use crate::{
    api::view::{self, ScopeHost, Sweep},
    report::{
        model::{Facts, Host, Indicator, Override, Task},
        remain,
        said::Said,
    },
};

/// Adds to `facts` what `whole` says.
pub(super) fn add(facts: &mut Facts, whole: &view::WholeIncident) {
    for phase in &mut facts.phases {
        let Some(gate) = whole.gates.iter().find(|it| it.phase == phase.phase.as_str()) else {
            continue;
        };
        let is_done = phase.state == PhaseState::Done;
        phase.needs = if is_done { Vec::new() } else { said(&gate.needs) };
        phase.rests_on = said(&gate.rests_on);
    }
    scope(facts, &whole.scope);
    facts.indicators = whole.indicators.iter().filter_map(indicator).collect();
    facts.sweeps = [("", &whole.sweep), ("After the last removal: ", &whole.rescan)]
        .into_iter()
        .filter_map(|(when, it)| sweep(when, it))
        .collect();
    facts.tasks = whole.tasks.iter().map(task).collect();
    facts.overrides = whole.passages.iter().filter(|it| it.is_override).map(passage).collect();
    let closed = &whole.incident;
    if let (Some(at), Some(by), Some(why)) =
        (&closed.closed, &closed.closed_by, &closed.closed_reason)
    {
        let at = Timestamp::parse(at).unwrap_or_default();
        let text = Said::new(format!("the incident was closed: {why}"));
        facts.overrides.push(Override { at, actor: Said::new(by.as_str()), text });
    }
}

fn said(texts: &[String]) -> Vec<Said> {
    texts.iter().map(|it| Said::new(it.as_str())).collect()
}

/// Puts the hosts in scope in the place of those where something was found; what is known of these
/// stays known.
fn scope(facts: &mut Facts, scope: &[ScopeHost]) {
    if scope.is_empty() {
        return;
    }
    let mut known = std::mem::take(&mut facts.hosts);
    for it in scope {
        let agent = it.agent_id.clone().unwrap_or_else(|| format!("machine {}", it.name));
        let at = known.iter().position(|host| host.agent_id == agent);
        let host = at.map_or_else(|| stranger(it, agent), |at| known.swap_remove(at));
        let phases = it.phases.iter().map(|it| format!("{} {}", it.phase, it.state));
        facts.hosts.push(Host {
            exempt: exempt(it),
            is_contained: Some(it.is_contained),
            containment: Said::new(it.containment.as_str()),
            phases: Said::new(phases.collect::<Vec<_>>().join(", ")),
            ..host
        });
    }
}

/// A host in scope on which nothing was found.
fn stranger(it: &ScopeHost, agent_id: String) -> Host {
    let why = format!("put into scope by {}: {}", it.added_by, it.why);
    let (name, standing) = (Said::new(it.name.as_str()), Said::new(why));
    Host { agent_id, name, standing, ..Host::default() }
}

/// Why nothing has to be done on a host; only what a second person confirmed counts.
fn exempt(it: &ScopeHost) -> Option<Said> {
    let (what, first) = it.declaration.as_ref().zip(it.declared_by.as_ref())?;
    let second = it.confirmed_by.as_ref()?;
    let evidence = it.evidence.as_deref().unwrap_or_default();
    Some(Said::new(format!("{what}: {evidence} (declared by {first}, confirmed by {second})")))
}

fn indicator(it: &view::Indicator) -> Option<Indicator> {
    let kinds = ["sha256", "path", "address", "domain"];
    let kind = kinds.into_iter().find(|kind| *kind == it.kind)?;
    let source = Said::new(format!("{} ({})", it.why, it.added_by));
    Some(Indicator { kind, value: Said::new(it.value.as_str()), source })
}

/// Hit, clean and unanswered, counted apart; nothing when nobody was asked.
fn sweep(when: &str, it: &Sweep) -> Option<Said> {
    if it.hit.is_empty() && it.clean.is_empty() && it.unanswered.is_empty() && it.waiting.is_empty()
    {
        return None;
    }
    let names = |hosts: &[String]| match hosts.len() {
        0 => "0".to_owned(),
        count => format!("{count} ({})", crate::report::said::listed(&said(hosts), 8)),
    };
    Some(Said::new(format!(
        "{when}hit {}; clean {}; unanswered {}; waiting {}; not asked {}",
        names(&it.hit),
        names(&it.clean),
        names(&it.unanswered),
        names(&it.waiting),
        names(&it.unasked)
    )))
}

fn task(it: &view::Task) -> Task {
    let state = match &it.done_by {
        Some(_) => "done",
        None => "open",
    };
    let due = it.due.as_deref().map(|it| it.split('T').next().unwrap_or(it));
    Task {
        text: Said::new(format!("{}: {}", it.kind.replace('_', " "), it.title)),
        owner: it.owner.as_deref().map(Said::new),
        due: due.map(Said::new),
        state: Said::from(state),
    }
}

fn passage(it: &view::Passage) -> Override {
    let phase = cordon_shared::incident::Phase::parse(&it.phase);
    let phase = phase.map_or_else(|| it.phase.clone(), |it| remain::spoken(it).to_owned());
    Override {
        at: Timestamp::parse(&it.at).unwrap_or_default(),
        actor: Said::new(it.by.as_str()),
        text: Said::new(format!("{phase}: {}", it.text)),
    }
}
