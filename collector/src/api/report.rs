//! The report of an incident over REST: a page, a text or JSON.
//!
//! It holds command lines and names of persons, as events do, and needs the same right.

mod case;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use cordon_shared::{error::Kind, id::IncidentId};

use super::{Api, ApiError, event::beside, keyring};
use crate::{
    auth::{Principal, role::Right},
    report::{
        gather::{self, Asked},
        html, markdown,
        model::{Facts, Report},
        said::Said,
    },
    store::NewEntry,
};

/// How a report is written.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// `html` (the default), `md` or `json`.
    format: Option<String>,
}

/// What happened, what was done, what remains.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/report", operation_id = "incident_report",
    tag = "incidents", params(("incident" = String, Path, description = "its id"), Form),
    responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
) -> Result<Response, ApiError> {
    let write = match form.format.as_deref() {
        None | Some("html") => page,
        Some("md") => text,
        Some("json") => json,
        Some(_) => return Err(ApiError::field("format", "`html`, `md` or `json`")),
    };
    let facts = gather(&api, &id, &principal).await?;
    let facts = with_events(&api, facts).await?;
    let answer = write(&Report::of(facts))?;
    if principal.role.may(Right::WorkIncidents) {
        written(&api, &id, form.format.as_deref().unwrap_or("html"), &principal).await?;
    }
    Ok(answer)
}

/// The timeline says that a report was written, once for each form: lessons learned rest on it.
async fn written(api: &Api, id: &str, form: &str, principal: &Principal) -> Result<(), ApiError> {
    let Some(incident) = IncidentId::parse(id) else { return Ok(()) };
    let by = api.by(principal);
    let entry = NewEntry {
        at: by.at,
        recorded: by.at,
        kind: "report",
        actor: by.principal,
        text: format!("a report was written as {form}"),
        object: format!("report {form}"),
    };
    api.store.note_once(incident, &entry).await?;
    Ok(())
}

/// What the store knows of an incident.
pub(super) async fn gather(api: &Api, id: &str, principal: &Principal) -> Result<Facts, ApiError> {
    let incident = IncidentId::parse(id).ok_or(ApiError::field("incident", "an incident's id"))?;
    let now = api.clock.now();
    let keyring = keyring::open(api).await?;
    let keys = keyring.iter().flat_map(|it| it.keys(now));
    let keys = keys.map(|it| (it.public, it.holder.clone())).collect();
    let asked = Asked { incident, now, principal: principal.name.clone(), keys };
    let mut facts = gather::state(&api.store, &asked).await?;
    for host in &mut facts.hosts {
        let agent = cordon_shared::id::AgentId::parse(&host.agent_id);
        if agent.is_some_and(|it| (api.is_connected)(it)) {
            host.standing = Said::new(format!("{}, connected", host.standing));
        } else {
            host.standing = Said::new(format!("{}, not connected", host.standing));
        }
    }
    case::add(&mut facts, &super::incident::whole(api, incident).await?.0);
    Ok(facts)
}

/// Adds what the lake knows. Without the lake there is still a report, which says so.
pub(super) async fn with_events(api: &Api, mut facts: Facts) -> Result<Facts, ApiError> {
    let clock = Arc::clone(&api.clock);
    beside(&api.lake, move |lake| {
        if let Err(error) = gather::lake::add(lake, &*clock, &mut facts) {
            tracing::warn!(%error, "a report was made without events");
            facts.unread.push(Said::from("the events could not be read: no processes, no gaps"));
        }
        Ok(facts)
    })
    .await
}

fn page(report: &Report) -> Result<Response, ApiError> {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, html::policy()),
    ];
    Ok((headers, html::page(report)).into_response())
}

fn text(report: &Report) -> Result<Response, ApiError> {
    let headers = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    Ok((headers, markdown::page(report)).into_response())
}

fn json(report: &Report) -> Result<Response, ApiError> {
    let text = serde_json::to_string_pretty(report);
    let text = text.map_err(|_why| ApiError::new(Kind::Internal, "the report has no JSON form"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
