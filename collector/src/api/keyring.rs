//! The keyring: read, install.
//!
//! A keyring is checked against the pinned roots and the one in force before it is kept, so that a
//! slip shows here and not on ten thousand hosts; the hosts check it again.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_shared::{error::Kind, keyring::Keyring, wire};
use tracing::warn;

use super::{Api, ApiError, shown, view};
use crate::auth::Principal;

/// How long an installed keyring may take until agents get it before somebody is told (chosen: five
/// looks at the store).
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

/// The keyring in force.
#[utoipa::path(get, path = "/api/v1/keyring", operation_id = "keyring_show", tag = "keyring",
    responses((status = 200, body = view::Keyring)))]
pub(super) async fn show(State(api): State<Arc<Api>>) -> Result<Json<view::Keyring>, ApiError> {
    let row = api.store.keyring().await?;
    let row = row.ok_or(ApiError::new(Kind::NotFound, "no keyring has been installed yet"))?;
    Ok(Json(view::Keyring {
        number: row.number,
        signed: STANDARD.encode(&row.signed),
        installed: shown(row.installed),
        installed_by: row.installed_by,
    }))
}

/// Installs a keyring that root and admins signed.
#[utoipa::path(put, path = "/api/v1/keyring", operation_id = "keyring_install", tag = "keyring",
    request_body = view::Keyring, responses((status = 200, body = view::Keyring)))]
pub(super) async fn install(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(offered): Json<view::Keyring>,
) -> Result<Json<view::Keyring>, ApiError> {
    let bytes = STANDARD.decode(offered.signed.as_bytes());
    let bytes = bytes.map_err(|_source| ApiError::field("signed", "base64"))?;
    let keyring = Keyring::open(&wire::keyring::decode(&bytes)?, &api.roots)?;
    if let Some(current) = open(&api).await? {
        keyring.succeeds(&current)?;
    }
    let detail = format!(
        "policy {}, members {}, {} rules armed",
        keyring.policy().version,
        keyring.members().version,
        keyring.members().armed.len()
    );
    api.store.install_keyring(&bytes, &detail, &api.by(&principal)).await?;
    let installed = show(State(Arc::clone(&api))).await?;
    if !api.in_force.reach(installed.number, IN_FORCE_WITHIN).await {
        warn!(number = installed.number, "agents get the new keyring late");
    }
    Ok(installed)
}

/// The keyring in force, opened.
pub(super) async fn open(api: &Api) -> Result<Option<Keyring>, ApiError> {
    let Some(row) = api.store.keyring().await? else { return Ok(None) };
    let bundle = wire::keyring::decode(&row.signed)?;
    Ok(Some(Keyring::open(&bundle, &api.roots)?))
}
