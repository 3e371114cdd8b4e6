//! Health, readiness, metrics, status.
//!
//! `/healthz` and `/readyz` need no token: load balancers have none, and they say one word.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing};

use super::{Api, ApiError, openapi, shown, view};

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

/// The state database answers.
async fn readyz(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    api.store.position("ready").await?;
    Ok("ready\n")
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
    Ok(Json(view::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: shown(api.clock.now()),
        hosts_connected: u64::try_from((api.connected)()).unwrap_or(u64::MAX),
        rules: u64::try_from(rules.len()).unwrap_or(u64::MAX),
        rule_problems,
        keyring_number: api.store.keyring().await?.map_or(0, |it| it.number),
    }))
}
