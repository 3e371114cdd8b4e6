//! An incident's rows and facts → what leaves.

use cordon_shared::{
    incident::{Phase, PhaseState},
    time::Timestamp,
};

use super::{shown, view};
use crate::{
    incident::gate::{self, Facts, HostFacts, Proof, Sweep, Swept},
    store::{EntryRow, IncidentParts, IncidentRow, ScopeRow, TaskRow},
};

pub(super) fn incident(row: &IncidentRow) -> view::Incident {
    let text = |it: &Option<String>| it.clone();
    let (watch_from, watch_until) = row.watch.unzip();
    view::Incident {
        incident_id: row.id.to_string(),
        title: row.title.clone(),
        severity: row.severity.as_str().to_owned(),
        state: row.state.clone(),
        verdict: row.verdict.map(|it| it.as_str().to_owned()),
        verdict_reason: text(&row.verdict_reason),
        verdict_by: text(&row.verdict_by),
        lead: text(&row.lead),
        host_id: row.host.to_string(),
        agent_id: row.agent.to_string(),
        opened: shown(row.opened),
        updated: shown(row.updated),
        watch_from: watch_from.map(shown),
        watch_until: watch_until.map(shown),
        closed: row.closed.map(shown),
        closed_by: text(&row.closed_by),
        closed_reason: text(&row.closed_reason),
        phases: phases(&Phase::ALL, &row.phases),
    }
}

fn phases(of: &[Phase], states: &[(PhaseState, Timestamp); 6]) -> Vec<view::Phase> {
    let shape = |phase: &Phase| {
        let (state, since) = states[phase.index()];
        view::Phase {
            phase: phase.as_str().to_owned(),
            state: state.as_str().to_owned(),
            since: shown(since),
        }
    };
    of.iter().map(shape).collect()
}

pub(super) fn whole(parts: &IncidentParts, facts: &Facts) -> view::WholeIncident {
    let gates = gate::all(facts).into_iter().map(|it| view::Gate {
        phase: it.phase.as_str().to_owned(),
        is_open: it.is_open,
        needs: it.needs,
        rests_on: it.rests_on,
    });
    let hosts = parts.scope.iter().zip(&facts.hosts);
    let indicators = parts.indicators.iter().map(|it| view::Indicator {
        kind: it.indicator.kind().as_str().to_owned(),
        value: it.indicator.value().to_owned(),
        seen: shown(it.seen),
        added_by: it.added_by.clone(),
        why: it.why.clone(),
    });
    let passages = parts.passages.iter().map(|it| view::Passage {
        phase: it.phase.as_str().to_owned(),
        is_override: it.is_override,
        at: shown(it.at),
        by: it.by.clone(),
        text: it.text.clone(),
    });
    view::WholeIncident {
        incident: incident(&parts.incident),
        gates: gates.collect(),
        scope: hosts.map(|(row, it)| host(row, it, facts)).collect(),
        indicators: indicators.collect(),
        sweep: sweep(&facts.sweep),
        rescan: sweep(&facts.rescan),
        tasks: parts.tasks.iter().map(task).collect(),
        notes: parts.notes.iter().map(entry).collect(),
        passages: passages.collect(),
    }
}

fn host(row: &ScopeRow, it: &HostFacts, facts: &Facts) -> view::ScopeHost {
    let containment = match &it.containment {
        Proof::Yes(by) => by.clone(),
        Proof::No(why) => why.clone(),
    };
    let declared = row.declared.as_ref();
    view::ScopeHost {
        number: row.number,
        name: row.name.clone(),
        host_id: row.host.map(|(host, _)| host.to_string()),
        agent_id: row.host.map(|(_, agent)| agent.to_string()),
        added: shown(row.added),
        added_by: row.added_by.clone(),
        why: row.why.clone(),
        is_contained: !gate::host(Phase::Containment, it, facts).is_open,
        containment,
        declaration: declared.map(|it| it.what.as_str().to_owned()),
        evidence: declared.map(|it| it.evidence.clone()),
        declared_by: declared.map(|it| it.by.clone()),
        confirmed_by: declared.and_then(|it| it.confirmed_by.clone()),
        holds: it.holds.clone(),
        phases: phases(&Phase::OF_HOST, &row.phases),
    }
}

fn sweep(of: &Sweep) -> view::Sweep {
    let names = |hosts: &[Swept]| hosts.iter().map(|it| it.name.clone()).collect();
    view::Sweep {
        hit: names(&of.hit),
        clean: names(&of.clean),
        unanswered: names(&of.unanswered),
        waiting: names(&of.waiting),
        unasked: names(&of.unasked),
    }
}

fn task(row: &TaskRow) -> view::Task {
    let (done, done_by) = row.done.clone().unzip();
    view::Task {
        number: row.number,
        kind: row.kind.as_str().to_owned(),
        title: row.title.clone(),
        owner: row.owner.clone(),
        due: row.due.map(shown),
        done: done.map(shown),
        done_by,
        created: shown(row.created.0),
        created_by: row.created.1.clone(),
    }
}

pub(super) fn entry(row: &EntryRow) -> view::Entry {
    view::Entry {
        number: row.number,
        at: shown(row.at),
        recorded: shown(row.recorded),
        kind: row.kind.clone(),
        actor: row.actor.clone(),
        text: row.text.clone(),
        object: row.object.clone(),
    }
}
