//! Incidents: list, one with its gates, timeline. What people do to them is in [`act`] and [`passage`].

pub(super) mod act;
pub(super) mod passage;
mod shape;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use cordon_shared::{
    id::IncidentId,
    incident::{Phase, PhaseState, Phases},
    keyring::key::Role,
};

use super::{Api, ApiError, Paging, keyring, shown, view};
use crate::{
    incident::{
        evidence,
        gate::{self, Facts},
        phase::{self, Trigger},
    },
    store::IncidentParts,
};

/// Incidents.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "incident_list", tag = "incidents",
    params(Paging), responses((status = 200, body = view::List<view::Incident>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Incident>>, ApiError> {
    let rows = api.store.incidents(&paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), shape::incident)))
}

/// One incident, with the gate of each phase.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}", operation_id = "incident_show",
    tag = "incidents", params(("incident" = String, Path, description = "its id")),
    responses((status = 200, body = view::WholeIncident)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::WholeIncident>, ApiError> {
    whole(&api, parse(&id)?).await
}

/// What happened, oldest first; `cursor` is the number of the last entry seen.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/timeline",
    operation_id = "incident_timeline", tag = "incidents",
    params(("incident" = String, Path, description = "its id"), Paging),
    responses((status = 200, body = view::List<view::Entry>)))]
pub(super) async fn timeline(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Entry>>, ApiError> {
    let id = api.store.incident(parse(&id)?).await?.id;
    let after = match &paging.cursor {
        Some(text) => text.parse().map_err(|_nan| ApiError::field("cursor", "a number"))?,
        None => 0,
    };
    let rows = api.store.timeline(id, after).await?;
    let is_full = rows.len() >= usize::try_from(super::PAGE_ROWS_MAX).unwrap_or(usize::MAX);
    let next_cursor = rows.last().filter(|_| is_full).map(|row| row.number.to_string());
    Ok(Json(view::List { items: rows.iter().map(shape::entry).collect(), next_cursor }))
}

fn parse(id: &str) -> Result<IncidentId, ApiError> {
    IncidentId::parse(id).ok_or(ApiError::field("incident", "an incident's id"))
}

/// An incident as it lies in the store, and what its gates look at.
pub(super) async fn read(api: &Api, id: IncidentId) -> Result<(IncidentParts, Facts), ApiError> {
    let now = api.clock.now();
    let keyring = keyring::open(api).await?;
    let persons = keyring.map(|keyring| {
        let keys = keyring.keys(now).into_iter();
        let may = keys.filter(|it| it.role >= Role::Responder && it.role != Role::Automation);
        let mut holders: Vec<_> = may.map(|it| it.holder.clone()).collect();
        holders.sort_unstable();
        holders.dedup();
        holders.len()
    });
    let parts = api.store.incident_parts(id).await?;
    let facts = evidence::facts(&parts, persons, now);
    Ok((parts, facts))
}

/// The same, after what follows from evidence alone was made true.
async fn settled(api: &Api, id: IncidentId) -> Result<(IncidentParts, Facts), ApiError> {
    let (parts, facts) = read(api, id).await?;
    if parts.incident.state != "open" || !is_unsettled(&parts, &facts) {
        return Ok((parts, facts));
    }
    let mut step = |host: Option<u64>, phases: &Phases| follow(&parts, &facts, host, phases);
    api.store.settle(id, parts.seen, api.clock.now(), &mut step).await?;
    read(api, id).await
}

fn is_unsettled(parts: &IncidentParts, facts: &Facts) -> bool {
    let hosts = parts.scope.iter().zip(&facts.hosts).map(|(row, it)| (Some(row.number), it.phases));
    let all = hosts.chain([(None, facts.phases)]);
    all.into_iter().any(|(host, phases)| follow(parts, facts, host, &phases).is_some())
}

/// What follows from evidence alone: a host's own gates close by themselves; and what proved a host
/// contained can be over before the host is clean, which reopens containment.
fn follow(
    parts: &IncidentParts,
    facts: &Facts,
    host: Option<u64>,
    phases: &Phases,
) -> Option<Phases> {
    let is_done = |phases: &Phases, phase: Phase| phases[phase.index()] == PhaseState::Done;
    let has_lapsed = |it: &gate::HostFacts| {
        let was = is_done(&it.phases, Phase::Containment);
        let is_clean = is_done(&it.phases, Phase::Eradication);
        was && !is_clean && gate::host(Phase::Containment, it, facts).is_open
    };
    let Some(number) = host else {
        let is_contained = is_done(phases, Phase::Containment);
        let is_clean = is_done(phases, Phase::Eradication);
        let has_lapsed = facts.hosts.iter().any(has_lapsed);
        let lapses = is_contained && !is_clean && has_lapsed;
        return lapses.then(|| phase::next(phases, Trigger::Lapsed)).flatten();
    };
    let place = parts.scope.iter().position(|it| it.number == number)?;
    let it = facts.hosts.get(place)?;
    if has_lapsed(it) {
        return phase::next(phases, Trigger::Lapsed);
    }
    let mut after = *phases;
    for phase in Phase::OF_HOST {
        // A later gate asks whether the one before is closed: judge it by what follows now.
        let now = gate::HostFacts { phases: after, ..it.clone() };
        let gate = gate::host(phase, &now, facts);
        let passage = gate.passage().filter(|_| !is_done(&after, phase));
        if let Some(next) = passage.and_then(|it| phase::next(&after, Trigger::Passed(it))) {
            after = next;
        }
    }
    (after != *phases).then_some(after)
}

/// An incident with everything that people decide by.
pub(super) async fn whole(
    api: &Api,
    id: IncidentId,
) -> Result<Json<view::WholeIncident>, ApiError> {
    let (parts, facts) = read(api, id).await?;
    Ok(Json(shape::whole(&parts, &facts)))
}
