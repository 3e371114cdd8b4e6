//! Evidence over REST: the list, one with its manifest and who had it in their hands, its container.
//!
//! A container is given as it lies, to those who may read events, and each time is written down.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_shared::{
    error::Kind,
    id::{IncidentId, SnapshotId},
    wire,
};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_stream::wrappers::ReceiverStream;

use super::{Api, ApiError, Paging, shown, view};
use crate::{
    auth::Principal,
    evidence::next_chunk,
    store::{AuditRow, EvidenceRow, EvidenceState},
};

/// Pieces of a container that wait for a slow reader.
const CHUNKS_WAITING: usize = 2;

/// Which evidence.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Of this incident alone.
    incident: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows at most, 1 to 500.
    limit: Option<u32>,
}

/// Evidence.
#[utoipa::path(get, path = "/api/v1/evidence", operation_id = "evidence_list", tag = "evidence",
    params(Which), responses((status = 200, body = view::List<view::Evidence>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(which): Query<Which>,
) -> Result<Json<view::List<view::Evidence>>, ApiError> {
    let incident = which.incident.as_deref().map(|it| {
        IncidentId::parse(it).ok_or_else(|| ApiError::field("incident", "an incident's id"))
    });
    let paging = Paging { cursor: which.cursor, limit: which.limit };
    let rows = api.store.evidence_of(incident.transpose()?, &paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), evidence)))
}

/// One piece of evidence, with its manifest.
#[utoipa::path(get, path = "/api/v1/evidence/{evidence}", operation_id = "evidence_show",
    tag = "evidence", params(("evidence" = String, Path, description = "its id")),
    responses((status = 200, body = view::EvidenceManifest)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::EvidenceManifest>, ApiError> {
    let row = api.store.evidence(parse(&id)?).await?;
    let agent = api.store.agent(row.agent).await?;
    let broken = || ApiError::new(Kind::Corrupt, "the manifest that is kept does not read");
    let signed = wire::signed::decode(&row.manifest).map_err(|_source| broken())?;
    // Who signed it was checked when it came; whoever is to rely on it checks again.
    let manifest = wire::snapshot::peek(&signed).map_err(|_source| broken())?;
    let entries = manifest.entries.iter().map(|it| view::EvidenceEntry {
        name: it.name.to_string(),
        outcome: it.outcome.as_str().to_owned(),
        reason: it.reason.clone(),
        size_bytes: it.size_bytes,
        sha256: it.sha256.map(|it| it.to_string()),
    });
    Ok(Json(view::EvidenceManifest {
        evidence: evidence(&row),
        host_name: manifest.host_name.clone(),
        profile: manifest.profile.as_str().to_owned(),
        entries: entries.collect(),
        custody: custody(&row, &api.store.custody(row.id).await?),
        receipt_key: agent.receipt_key.to_string(),
        manifest: STANDARD.encode(&row.manifest),
    }))
}

/// The container.
#[utoipa::path(get, path = "/api/v1/evidence/{evidence}/content",
    operation_id = "evidence_content", tag = "evidence",
    params(("evidence" = String, Path, description = "its id")),
    responses((status = 200, body = Vec<u8>, content_type = "application/zstd")))]
pub(super) async fn content(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = api.store.evidence(parse(&id)?).await?;
    if row.state != EvidenceState::Held {
        return Err(ApiError::new(Kind::Conflict, "its container is still on its way"));
    }
    let mut file = api.vault.read(row.id)?;
    let object = format!("evidence {}", row.id);
    let detail = format!("{} bytes, SHA-256 {}", row.size_bytes, row.sha256);
    api.store.audit(&api.by(&principal), "evidence.export", &object, &detail).await?;
    let (outbox, chunks) = mpsc::channel(CHUNKS_WAITING);
    // Ends with the file, or with whoever reads.
    drop(spawn_blocking(move || {
        while let Some(chunk) = next_chunk(&mut file).transpose() {
            let is_broken = chunk.is_err();
            if outbox.blocking_send(chunk).is_err() || is_broken {
                return;
            }
        }
    }));
    let name = format!("attachment; filename=\"{}.tar.zst\"", row.id);
    let headers = [
        (header::CONTENT_TYPE, "application/zstd".to_owned()),
        (header::CONTENT_LENGTH, row.size_bytes.to_string()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(chunks))).into_response())
}

fn parse(id: &str) -> Result<SnapshotId, ApiError> {
    SnapshotId::parse(id).ok_or(ApiError::field("evidence", "a snapshot's id"))
}

fn evidence(row: &EvidenceRow) -> view::Evidence {
    view::Evidence {
        evidence_id: row.id.to_string(),
        command_id: row.command.to_string(),
        incident_id: row.incident.map(|it| it.to_string()),
        agent_id: row.agent.to_string(),
        host_id: row.host.to_string(),
        state: row.state.as_str().to_owned(),
        taken: shown(row.taken.0),
        sealed: shown(row.taken.1),
        received: row.received.map(shown),
        size_bytes: row.size_bytes,
        sha256: row.sha256.to_string(),
    }
}

/// What the agent says it did, then what the audit log says was done here.
fn custody(row: &EvidenceRow, acts: &[AuditRow]) -> Vec<view::Custody> {
    let agent = format!("agent {}", row.agent);
    let own = [("taken", row.taken.0, ""), ("sealed", row.taken.1, "by the agent's clock")];
    let own = own.into_iter().map(|(act, at, detail)| view::Custody {
        at: shown(at),
        act: act.to_owned(),
        actor: agent.clone(),
        detail: detail.to_owned(),
    });
    let here = acts.iter().map(|it| view::Custody {
        at: shown(it.at),
        act: match it.action.as_str() {
            "evidence.receive" => "received".to_owned(),
            "evidence.export" => "exported".to_owned(),
            other => other.to_owned(),
        },
        actor: it.principal.clone(),
        detail: it.detail.clone(),
    });
    own.chain(here).collect()
}
