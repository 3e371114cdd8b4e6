//! Health, readiness, metrics, status.
//!
//! `/healthz` and `/readyz` need no token: load balancers have none. They say one word, or why the
//! collector is not ready in sentences that give nothing away.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing};

use cordon_shared::error::Kind;

use super::{Api, ApiError, openapi, shown, view};
use crate::notice::Trouble;

/// The routes that need no token.
pub(super) fn open_routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/healthz", routing::get(healthz))
        .route("/readyz", routing::get(readyz))
        .route("/api/openapi.json", routing::get(openapi::document))
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Facts are taken in and kept: the state database answers, and no stage of the road stands still.
async fn readyz(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    let reasons = standstills(&(api.troubles)());
    if !reasons.is_empty() {
        return Err(ApiError::new(Kind::Unavailable, reasons.join("; ")));
    }
    api.store.position("ready").await?;
    Ok("ready\n")
}

/// Why the collector is not ready.
fn standstills(troubles: &[(Trouble, u64)]) -> Vec<String> {
    let standstills = troubles.iter().filter(|(trouble, _)| trouble.is_standstill());
    standstills.map(|(trouble, count)| trouble.sentence(*count)).collect()
}

/// What is counted, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> String {
    api.metrics.render()
}

/// The collector as a whole.
#[utoipa::path(get, path = "/api/v1/status", operation_id = "status", tag = "health",
    responses((status = 200, body = view::Status)))]
pub(super) async fn status(State(api): State<Arc<Api>>) -> Result<Json<view::Status>, ApiError> {
    let (rules, rule_problems) = (api.rules.list)();
    let troubles = (api.troubles)();
    Ok(Json(view::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: shown(api.clock.now()),
        is_ready: standstills(&troubles).is_empty(),
        problems: troubles.iter().map(|(trouble, count)| trouble.sentence(*count)).collect(),
        hosts_connected: u64::try_from((api.connected)()).unwrap_or(u64::MAX),
        rules: u64::try_from(rules.len()).unwrap_or(u64::MAX),
        rule_problems,
        keyring_number: api.store.keyring().await?.map_or(0, |it| it.number),
    }))
}
