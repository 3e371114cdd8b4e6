//! What people report, over REST.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use cordon_shared::{detection::Detection, id::ProcessUid, time::Timestamp};
use serde_json::json;

use super::{Api, ApiError, agent::find, detection, view};
use crate::{
    auth::Principal,
    notice::Board,
    store::{Gathered, News},
    suspicion::{self, Report},
};

/// Reports something odd: it becomes a detection, and belongs to an incident like any other.
#[utoipa::path(post, path = "/api/v1/suspicions", operation_id = "suspicion_report",
    tag = "detections", request_body = view::NewSuspicion,
    responses((status = 200, body = view::Detection)))]
pub(super) async fn report(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(asked): Json<view::NewSuspicion>,
) -> Result<Json<view::Detection>, ApiError> {
    let process = asked
        .process_uid
        .as_deref()
        .map(|it| ProcessUid::parse(it).ok_or(ApiError::field("process_uid", "a process's uid")));
    let at = asked
        .at
        .as_deref()
        .map(|it| Timestamp::parse(it).ok_or(ApiError::field("at", "a time in RFC 3339")));
    let row = find(&api, &asked.host).await?;
    let report = Report {
        host: row.host.id,
        agent: row.id,
        text: asked.text,
        file: asked.file,
        process: process.transpose()?,
        at: at.transpose()?,
    };
    let by = api.by(&principal);
    let (found, gathered) =
        suspicion::take(&api.store, &report, &by, (&*api.clock, &*api.entropy)).await?;
    post(&api.board, &found, &gathered);
    Ok(Json(detection::detection(&api.store.detection(found.id).await?)))
}

/// Tells those who watch now, in the form that the watch has for what rules find.
fn post(board: &Board, detection: &Detection, gathered: &Gathered) {
    let incident = gathered.incident.map(|it| it.to_string());
    let rule = &detection.rule;
    if gathered.news == News::Opened {
        let json = json!({
            "incident_id": incident,
            "title": rule.title,
            "severity": rule.severity.as_str(),
            "state": "open",
            "host_id": detection.host.to_string(),
            "agent_id": detection.agent.to_string(),
        });
        board.post("incident", json.to_string());
    }
    let json = json!({
        "detection_id": gathered.detection.to_string(),
        "rule_id": rule.id,
        "rule_sha256": rule.sha256.to_string(),
        "title": rule.title,
        "severity": rule.severity.as_str(),
        "techniques": rule.techniques,
        "agent_id": detection.agent.to_string(),
        "host_id": detection.host.to_string(),
        "incident_id": incident,
        "event_id": null,
        "reported_by": detection.basis.reporter(),
        "process_uid": detection.subject.as_ref().map(|it| it.uid.to_string()),
        "summary": detection.summary,
        "last": detection.at.to_string(),
    });
    board.post("detection", json.to_string());
}
