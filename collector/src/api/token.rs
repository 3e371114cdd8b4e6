//! Enrolment tokens over REST: make one, list them.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Query, State},
};
use cordon_shared::{command::action::Network, enrolment::Token, id::TokenId};

use super::{Api, ApiError, Paging, shown, view};
use crate::{
    auth::Principal,
    store::{NewToken, TokenRow},
};

/// A token lives a year at most (chosen: a forgotten one must not let anybody in for ever).
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Enrolment tokens; never their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "token_list", tag = "tokens",
    params(Paging), responses((status = 200, body = view::List<view::Token>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Token>>, ApiError> {
    let rows = api.store.tokens(&paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.token.id.to_string(), token)))
}

/// Makes an enrolment token; its text is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "token_create", tag = "tokens",
    request_body = view::NewToken, responses((status = 200, body = view::MadeToken)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(asked): Json<view::NewToken>,
) -> Result<Json<view::MadeToken>, ApiError> {
    let lifetime = Duration::from_millis(asked.lifetime_ms);
    if lifetime.is_zero() || lifetime > LIFETIME_MAX {
        return Err(ApiError::field("lifetime_ms", "above zero and at most 365 days"));
    }
    if asked.hosts_max == 0 {
        return Err(ApiError::field("hosts_max", "at least 1"));
    }
    let is_word = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
    if !(1..=64).contains(&asked.tier.len()) || !asked.tier.bytes().all(is_word) {
        return Err(ApiError::field("tier", "1 to 64 letters, digits, `-` and `_`"));
    }
    if !asked.networks.iter().all(|it| Network::parse(it).is_some()) {
        return Err(ApiError::field("networks", "ADDRESS/BITS each"));
    }
    let is_label =
        |it: &String| it.contains('=') && it.len() <= 256 && !it.contains(char::is_control);
    if !asked.labels.iter().all(is_label) {
        return Err(ApiError::field("labels", "KEY=VALUE each, at most 256 bytes"));
    }
    let by = api.by(&principal);
    let made = Token {
        id: TokenId::random(&*api.clock, &*api.entropy),
        secret: Token::random_secret(&*api.entropy),
        authority: api.authority,
        roots: api.roots.fingerprint(),
        addresses: api.enrolment.clone(),
    };
    let new = NewToken {
        id: made.id,
        secret_sha256: Token::secret_digest(made.secret.expose()),
        uses_max: asked.hosts_max,
        networks: asked.networks,
        labels: asked.labels,
        tier: asked.tier,
        is_approved: !asked.is_held,
        expires: by.at.saturating_add(lifetime),
    };
    api.store.add_token(&new, &by).await?;
    Ok(Json(view::MadeToken {
        token_id: made.id.to_string(),
        token: made.to_text().expose().clone(),
        expires: shown(new.expires),
    }))
}

fn token(row: &TokenRow) -> view::Token {
    view::Token {
        token_id: row.token.id.to_string(),
        hosts_max: row.token.uses_max,
        hosts: row.uses,
        tier: row.token.tier.clone(),
        labels: row.token.labels.clone(),
        created: shown(row.created),
        created_by: row.created_by.clone(),
        expires: shown(row.token.expires),
    }
}
