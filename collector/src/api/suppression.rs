//! Suppressions over REST: make one, list them, end one.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use cordon_shared::{error::Kind, id::SuppressionId, time::Timestamp};

use super::{Api, ApiError, Paging, agent::find, shown, view};
use crate::{
    auth::Principal,
    store::{NewSuppression, SuppressionRow},
};

/// A suppression holds for a year at most (chosen: whoever still wants it then has looked at it).
const LENGTH_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Bytes of a name, and of a reason (chosen).
const NAME_BYTES_MAX: usize = 128;
const REASON_BYTES_MAX: usize = 1_000;

/// Suppressions, those that have ended among them.
#[utoipa::path(get, path = "/api/v1/suppressions", operation_id = "suppression_list",
    tag = "detections", params(Paging),
    responses((status = 200, body = view::List<view::Suppression>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Suppression>>, ApiError> {
    let rows = api.store.suppressions(&paging.page()?).await?;
    let now = api.clock.now();
    Ok(Json(paging.list(&rows, |it| it.id.to_string(), |it| suppression(it, now))))
}

/// Keeps detections of a rule from becoming incidents, until it ends by itself.
#[utoipa::path(post, path = "/api/v1/suppressions", operation_id = "suppression_create",
    tag = "detections", request_body = view::NewSuppression,
    responses((status = 200, body = view::Suppression)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(asked): Json<view::NewSuppression>,
) -> Result<Json<view::Suppression>, ApiError> {
    let by = api.by(&principal);
    let is_text =
        |it: &str, max| (1..=max).contains(&it.trim().len()) && !it.contains(char::is_control);
    if !is_text(&asked.owner, NAME_BYTES_MAX) {
        return Err(ApiError::field("owner", "a person's name, 1 to 128 bytes"));
    }
    if !is_text(&asked.reason, REASON_BYTES_MAX) {
        return Err(ApiError::field("reason", "1 to 1000 bytes"));
    }
    let until = Timestamp::parse(&asked.until);
    let is_ahead = |it: &Timestamp| *it > by.at && *it <= by.at.saturating_add(LENGTH_MAX);
    let until = until.filter(is_ahead);
    let until =
        until.ok_or(ApiError::field("until", "a time in RFC 3339, within a year from now"))?;
    // A slip in a rule's name would suppress nothing, unseen.
    let rules = (api.rules.list)().0;
    let rule = rules.iter().find(|it| it.rule_id == asked.rule || it.title == asked.rule);
    let missing = || ApiError::new(Kind::NotFound, format!("rule `{}` is not loaded", asked.rule));
    let rule = rule.ok_or_else(missing)?.rule_id.clone();
    let host = match &asked.host {
        Some(name) => Some(find(&api, name).await?.host.id),
        None => None,
    };
    let id = SuppressionId::random(&*api.clock, &*api.entropy);
    let (owner, reason) = (asked.owner.trim().to_owned(), asked.reason.trim().to_owned());
    let new = NewSuppression { id, rule, host, owner, reason, until };
    api.store.suppress(&new, &by).await?;
    Ok(Json(suppression(&api.store.suppression(id).await?, by.at)))
}

/// Ends a suppression before its time.
#[utoipa::path(post, path = "/api/v1/suppressions/{suppression}/end",
    operation_id = "suppression_end", tag = "detections",
    params(("suppression" = String, Path, description = "its id")), request_body = view::Reason,
    responses((status = 200, body = view::Suppression)))]
pub(super) async fn end(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(reason): Json<view::Reason>,
) -> Result<Json<view::Suppression>, ApiError> {
    let id = SuppressionId::parse(&id);
    let id = id.ok_or(ApiError::field("suppression", "a suppression's id"))?;
    if reason.reason.len() > REASON_BYTES_MAX {
        return Err(ApiError::field("reason", "at most 1000 bytes"));
    }
    let by = api.by(&principal);
    api.store.end_suppression(id, &reason.reason, &by).await?;
    Ok(Json(suppression(&api.store.suppression(id).await?, by.at)))
}

fn suppression(row: &SuppressionRow, now: Timestamp) -> view::Suppression {
    view::Suppression {
        suppression_id: row.id.to_string(),
        rule_id: row.rule.clone(),
        host_id: row.host.map(|it| it.to_string()),
        owner: row.owner.clone(),
        reason: row.reason.clone(),
        created: shown(row.created.0),
        created_by: row.created.1.clone(),
        until: shown(row.until),
        ended: row.ended.as_ref().map(|(at, _)| shown(*at)),
        ended_by: row.ended.as_ref().map(|(_, by)| by.clone()),
        is_active: row.is_active(now),
        count: row.count,
        last: row.last.map(shown),
    }
}
