//! Commands over REST: the list, and one with its receipt.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use cordon_shared::id::CommandId;

use super::{Api, ApiError, Paging, shown, view};
use crate::store::CommandRow;

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
