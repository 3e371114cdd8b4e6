//! Incidents: list, one, timeline.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use cordon_shared::{id::IncidentId, incident::Phase};

use super::{Api, ApiError, Paging, shown, view};
use crate::store::IncidentRow;

/// Incidents.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "incident_list", tag = "incidents",
    params(Paging), responses((status = 200, body = view::List<view::Incident>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Incident>>, ApiError> {
    let rows = api.store.incidents(&paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), incident)))
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}", operation_id = "incident_show",
    tag = "incidents", params(("incident" = String, Path, description = "its id")),
    responses((status = 200, body = view::WholeIncident)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::WholeIncident>, ApiError> {
    let row = api.store.incident(parse(&id)?).await?;
    Ok(Json(view::WholeIncident {
        incident: incident(&row),
        gates: Vec::new(),
        scope: Vec::new(),
        indicators: Vec::new(),
        sweep: view::Sweep::default(),
        rescan: view::Sweep::default(),
        tasks: Vec::new(),
        notes: Vec::new(),
        passages: Vec::new(),
    }))
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
    let items = rows.iter().map(|row| view::Entry {
        number: row.number,
        at: shown(row.at),
        recorded: shown(row.recorded),
        kind: row.kind.clone(),
        actor: row.actor.clone(),
        text: row.text.clone(),
        object: row.object.clone(),
    });
    let is_full = rows.len() >= usize::try_from(super::PAGE_ROWS_MAX).unwrap_or(usize::MAX);
    let next_cursor = rows.last().filter(|_| is_full).map(|row| row.number.to_string());
    Ok(Json(view::List { items: items.collect(), next_cursor }))
}

fn parse(id: &str) -> Result<IncidentId, ApiError> {
    IncidentId::parse(id).ok_or(ApiError::field("incident", "an incident's id"))
}

fn incident(row: &IncidentRow) -> view::Incident {
    let phases =
        Phase::ALL.into_iter().zip(row.phases).map(|(phase, (state, since))| view::Phase {
            phase: phase.as_str().to_owned(),
            state: state.as_str().to_owned(),
            since: shown(since),
        });
    view::Incident {
        incident_id: row.id.to_string(),
        title: row.title.clone(),
        severity: row.severity.as_str().to_owned(),
        state: row.state.clone(),
        verdict: None,
        verdict_reason: None,
        verdict_by: None,
        lead: None,
        host_id: row.host.to_string(),
        agent_id: row.agent.to_string(),
        opened: shown(row.opened),
        updated: shown(row.updated),
        watch_from: None,
        watch_until: None,
        closed: None,
        closed_by: None,
        closed_reason: None,
        phases: phases.collect(),
    }
}
