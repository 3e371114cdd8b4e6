//! What people report, over REST.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use cordon_shared::{id::ProcessUid, time::Timestamp};

use super::{Api, ApiError, agent::find, detection, view};
use crate::{
    auth::Principal,
    store::News,
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
    if gathered.news == News::Opened {
        api.board.opened(&found, gathered.incident);
    }
    api.board.found(&found, gathered.detection, gathered.incident);
    Ok(Json(detection::detection(&api.store.detection(found.id).await?)))
}
