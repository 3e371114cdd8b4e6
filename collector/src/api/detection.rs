//! Detections over REST: the list, and one of them.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use cordon_shared::id::DetectionId;

use super::{Api, ApiError, Paging, shown, view};
use crate::store::DetectionRow;

/// Detections.
#[utoipa::path(get, path = "/api/v1/detections", operation_id = "detection_list",
    tag = "detections", params(Paging),
    responses((status = 200, body = view::List<view::Detection>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Detection>>, ApiError> {
    let rows = api.store.detections(None, &paging.page()?).await?;
    Ok(Json(paging.list(&rows, DetectionRow::cursor, detection)))
}

/// One detection.
#[utoipa::path(get, path = "/api/v1/detections/{detection}", operation_id = "detection_show",
    tag = "detections", params(("detection" = String, Path, description = "its id")),
    responses((status = 200, body = view::Detection)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::Detection>, ApiError> {
    let id = DetectionId::parse(&id).ok_or(ApiError::field("detection", "a detection's id"))?;
    Ok(Json(detection(&api.store.detection(id).await?)))
}

pub(super) fn detection(row: &DetectionRow) -> view::Detection {
    view::Detection {
        detection_id: row.id.to_string(),
        rule_id: row.rule.id.clone(),
        rule_sha256: row.rule.sha256.to_string(),
        title: row.rule.title.clone(),
        severity: row.rule.severity.as_str().to_owned(),
        techniques: row.rule.techniques.clone(),
        agent_id: row.agent.to_string(),
        host_id: row.host.to_string(),
        incident_id: row.incident.map(|it| it.to_string()),
        event_id: row.event.map(|it| it.to_string()),
        reported_by: row.reported_by.clone(),
        suppression_id: row.suppression.map(|it| it.to_string()),
        process_uid: row.process.map(|it| it.to_string()),
        summary: row.summary.clone(),
        count: row.count,
        first: shown(row.span.0),
        last: shown(row.span.1),
        created: shown(row.created),
    }
}
