//! Commands over REST: the list, one with its receipt, and those that people hand in.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_shared::{
    error::Kind,
    id::{AgentId, CommandId},
};

use super::{Api, ApiError, Paging, keyring, shown, view};
use crate::{
    auth::Principal,
    incident::phase::{self, Deed, Trigger},
    response::admit::{Audience, admit},
    store::{CommandRow, Standing, StoreError},
};

/// Commands.
#[utoipa::path(get, path = "/api/v1/commands", operation_id = "command_list", tag = "commands",
    params(Paging), responses((status = 200, body = view::List<view::Command>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Command>>, ApiError> {
    let rows = api.store.commands(None, &paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), command)))
}

/// One command.
#[utoipa::path(get, path = "/api/v1/commands/{command}", operation_id = "command_show",
    tag = "commands", params(("command" = String, Path, description = "its id")),
    responses((status = 200, body = view::Command)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::Command>, ApiError> {
    let id = CommandId::parse(&id).ok_or(ApiError::field("command", "a command's id"))?;
    Ok(Json(command(&api.store.command(id).await?)))
}

/// Takes a command that a person has signed, and sends it.
#[utoipa::path(post, path = "/api/v1/commands", operation_id = "command_issue", tag = "commands",
    request_body = view::SignedCommand, responses((status = 200, body = view::Command)))]
pub(super) async fn issue(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(offered): Json<view::SignedCommand>,
) -> Result<Json<view::Command>, ApiError> {
    let agent = AgentId::parse(&offered.agent_id);
    let agent = agent.ok_or(ApiError::field("agent_id", "an agent's id"))?;
    let delivery = STANDARD.decode(offered.delivery.as_bytes());
    let delivery = delivery.map_err(|_source| ApiError::field("delivery", "base64"))?;
    let agent = api.store.agent(agent).await?;
    if agent.standing == Standing::Revoked {
        return Err(ApiError::new(Kind::Conflict, "this agent was revoked and obeys nobody"));
    }
    let Some(keyring) = keyring::open(&api).await? else {
        let text = "no keyring is installed: no agent would obey this";
        return Err(ApiError::new(Kind::Conflict, text));
    };
    let audience = Audience {
        agent: agent.id,
        host: agent.host.id,
        name: &agent.host.facts.name,
        tier: &agent.host.tier,
    };
    let by = api.by(&principal);
    let new = admit(&delivery, audience, &keyring, by.at)?;
    let id = new.id;
    match api.store.command(id).await {
        // Handed in again, since the answer did not come through: it is the same command.
        Ok(row) if row.delivery == new.delivery => return Ok(Json(command(&row))),
        Ok(_) => return Err(ApiError::new(Kind::Conflict, "another command has this id")),
        Err(StoreError::NotFound { .. }) => (),
        Err(error) => return Err(error.into()),
    }
    if let Some(incident) = new.incident {
        api.store.incident(incident).await?;
    }
    let trigger = Trigger::Ordered(Deed::of(new.action));
    api.store.add_command(&new, &by, |it| phase::next(it, trigger)).await?;
    (api.wake)();
    Ok(Json(command(&api.store.command(id).await?)))
}

fn command(row: &CommandRow) -> view::Command {
    let took = row.closed.map(|closed| closed.since(row.issued).as_millis());
    view::Command {
        command_id: row.id.to_string(),
        incident_id: row.incident.map(|it| it.to_string()),
        detection_id: row.detection.map(|it| it.to_string()),
        agent_id: row.agent.to_string(),
        host_id: row.host.to_string(),
        action: row.action.clone(),
        summary: row.summary.clone(),
        releases_id: row.releases.map(|it| it.to_string()),
        state: row.state.as_str().to_owned(),
        verdict: row.verdict.clone(),
        detail: row.detail.clone(),
        issued_by: row.issued_by.clone(),
        issued: shown(row.issued),
        expires: shown(row.expires),
        sent: row.sent.map(shown),
        seen: row.seen.map(shown),
        closed: row.closed.map(shown),
        duration_ms: took.and_then(|it| u64::try_from(it).ok()),
        receipt_event_id: row.receipt_event.map(|it| it.to_string()),
    }
}
