//! The audit log over REST: list it, verify its chain.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};

use super::{Api, ApiError, Paging, shown, view};

/// Who did what.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "audit_list", tag = "audit",
    params(Paging), responses((status = 200, body = view::List<view::Audit>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Audit>>, ApiError> {
    let rows = api.store.audit_rows(&paging.page()?).await?;
    Ok(Json(paging.list(
        &rows,
        |row| row.number.to_string(),
        |row| view::Audit {
            number: row.number,
            at: shown(row.at),
            principal: row.principal.clone(),
            action: row.action.clone(),
            object: row.object.clone(),
            detail: row.detail.clone(),
            sha256: row.sha256.to_string(),
        },
    )))
}

/// Walks the whole chain.
#[utoipa::path(get, path = "/api/v1/audit/verify", operation_id = "audit_verify", tag = "audit",
    responses((status = 200, body = view::AuditVerdict)))]
pub(super) async fn verify(
    State(api): State<Arc<Api>>,
) -> Result<Json<view::AuditVerdict>, ApiError> {
    Ok(Json(match api.store.verify_audit().await? {
        Ok((rows, head)) => view::AuditVerdict { is_whole: true, rows, head: head.to_string() },
        Err(it) => {
            let rows = it.number.saturating_sub(1);
            view::AuditVerdict { is_whole: false, rows, head: String::new() }
        }
    }))
}
