//! The fleet: list, one, approve, revoke.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use cordon_shared::error::Kind;

use super::{Api, ApiError, Paging, shown, view};
use crate::{
    auth::Principal,
    store::{AgentRow, Standing},
};

/// Hosts with their agents.
#[utoipa::path(get, path = "/api/v1/hosts", operation_id = "host_list", tag = "hosts",
    params(Paging), responses((status = 200, body = view::List<view::Host>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Host>>, ApiError> {
    let rows = api.store.agents(&paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), |row| host(&api, row))))
}

/// One host, by agent id, host id or name.
#[utoipa::path(get, path = "/api/v1/hosts/{host}", operation_id = "host_show", tag = "hosts",
    params(("host" = String, Path, description = "agent id, host id or name")),
    responses((status = 200, body = view::Host)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<Json<view::Host>, ApiError> {
    let row = find(&api, &name).await?;
    Ok(Json(host(&api, &row)))
}

/// Approves a held agent.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/approve", operation_id = "host_approve",
    tag = "hosts", params(("host" = String, Path, description = "agent id, host id or name")),
    responses((status = 200, body = view::Host)))]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<view::Host>, ApiError> {
    let row = find(&api, &name).await?;
    api.store.approve_agent(row.id, &api.by(&principal)).await?;
    Ok(Json(host(&api, &api.store.agent(row.id).await?)))
}

/// Puts an agent out for good; its stream is cut within a second.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/revoke", operation_id = "host_revoke",
    tag = "hosts", params(("host" = String, Path, description = "agent id, host id or name")),
    request_body = view::Reason, responses((status = 200, body = view::Host)))]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Json(reason): Json<view::Reason>,
) -> Result<Json<view::Host>, ApiError> {
    let row = find(&api, &name).await?;
    api.store.revoke_agent(row.id, &reason.reason, &api.by(&principal)).await?;
    Ok(Json(host(&api, &api.store.agent(row.id).await?)))
}

/// The one agent that a name means: among several, the one that is not revoked.
pub(super) async fn find(api: &Api, name: &str) -> Result<AgentRow, ApiError> {
    let mut rows = api.store.agents_named(name).await?;
    if rows.len() > 1 {
        rows.retain(|row| row.standing != Standing::Revoked);
    }
    if rows.len() > 1 {
        let message = format!("{} hosts are called `{name}`; give the agent id", rows.len());
        return Err(ApiError::new(Kind::Conflict, message));
    }
    let message = || ApiError::new(Kind::NotFound, format!("host `{name}` is not known"));
    rows.pop().ok_or_else(message)
}

fn host(api: &Api, row: &AgentRow) -> view::Host {
    let facts = row.host.facts.clone();
    let sensors = row.sensors.iter().map(|it| view::Sensor {
        sensor: it.sensor.clone(),
        tier: it.tier.clone(),
        reason: it.reason.clone(),
    });
    view::Host {
        agent_id: row.id.to_string(),
        host_id: row.host.id.to_string(),
        name: facts.name,
        os: facts.os,
        kernel: facts.kernel,
        architecture: facts.architecture,
        tier: row.host.tier.clone(),
        labels: row.host.labels.clone(),
        standing: row.standing.as_str().to_owned(),
        is_connected: (api.is_connected)(row.id),
        enrolled: shown(row.enrolled),
        last_seen: row.last_seen.map(shown),
        agent_version: facts.agent_version,
        receipt_key_id: row.receipt_key.id().to_string(),
        sensors: sensors.collect(),
    }
}
