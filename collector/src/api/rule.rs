//! The rules that are loaded, which of them the keyring arms, and loading them again.

use std::sync::Arc;

use axum::{Json, extract::State};
use cordon_shared::{digest::Sha256, error::Kind};

use super::{Api, ApiError, keyring, view};

/// The rules that are loaded, and whether the keyring arms them.
#[utoipa::path(get, path = "/api/v1/rules", operation_id = "rule_list", tag = "rules",
    responses((status = 200, body = view::List<view::Rule>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
) -> Result<Json<view::List<view::Rule>>, ApiError> {
    let keyring = keyring::open(&api).await?;
    let (rules, _) = (api.rules.list)();
    let rules = rules.into_iter().map(|rule| {
        let sha256 = Sha256::parse(&rule.sha256);
        let is_armed = keyring
            .as_ref()
            .zip(sha256)
            .is_some_and(|(keyring, sha256)| keyring.is_armed(&rule.rule_id, sha256));
        view::Rule { is_armed, ..rule }
    });
    Ok(Json(view::List { items: rules.collect(), next_cursor: None }))
}

/// Loads the rules again from where they are: what cannot be loaded is named in the answer, the
/// others are in force.
#[utoipa::path(post, path = "/api/v1/rules/reload", operation_id = "rule_reload", tag = "rules",
    responses((status = 200, body = view::RuleReload)))]
pub(super) async fn reload(
    State(api): State<Arc<Api>>,
) -> Result<Json<view::RuleReload>, ApiError> {
    let reload = Arc::clone(&api.rules.reload);
    if tokio::task::spawn_blocking(move || reload()).await.is_err() {
        return Err(ApiError::new(Kind::Internal, "the rules were not loaded"));
    }
    let (rules, problems) = (api.rules.list)();
    Ok(Json(view::RuleReload { rules: u64::try_from(rules.len()).unwrap_or(u64::MAX), problems }))
}
