//! The console over HTTP: pages, the session's two forms, style and script.
//!
//! Pages go through the same choke point as REST, with [`PAGES`] as their table; who is not known is
//! sent to the login page. Open are the login page, its form, the end of a session, style and script,
//! which say nothing. Every answer of the responders' port carries [`harden`]'s headers.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Extension, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing,
};
use cordon_shared::error::Kind;

use super::{
    Api, ApiError, Paging,
    report::{self, Form},
    serve::Visitor,
    session,
};
use crate::{
    auth::{Principal, role::Right, token::authenticate},
    console::{self, incident, list, live, login},
    report::{gather, model::Report, said::Said},
    store::{IncidentRow, StoreError},
};

/// Which page needs which right; all are read.
pub(super) const PAGES: &[(&str, Right)] = &[
    ("/", Right::Look),
    ("/incidents/{incident}", Right::Look),
    ("/incidents/{incident}/report", Right::ReadEvents),
    ("/live", Right::ReadEvents),
];

/// Bytes of the login form.
const FORM_BYTES_MAX: usize = 4 << 10;

/// The pages that need a person.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/", routing::get(incidents))
        .route("/incidents/{incident}", routing::get(show))
        .route("/incidents/{incident}/report", routing::get(whole))
        .route("/live", routing::get(follow))
}

/// What everybody may ask for.
pub(super) fn open_routes() -> Router<Arc<Api>> {
    let style = || async { ([(header::CONTENT_TYPE, "text/css")], console::STYLE) };
    let script = || async { ([(header::CONTENT_TYPE, "text/javascript")], console::LIVE_SCRIPT) };
    Router::new()
        .route("/login", routing::get(|| async { Html(login::page(None)) }).post(log_in))
        .route("/logout", routing::post(log_out))
        .route("/favicon.ico", routing::get(|| async { StatusCode::NO_CONTENT }))
        .route("/style.css", routing::get(style))
        .route("/live.js", routing::get(script))
}

/// The right that a page needs.
pub(super) fn right(method: &Method, path: &str) -> Option<Right> {
    let row = PAGES.iter().find(|(page, _)| *page == path);
    row.filter(|_| matches!(*method, Method::GET | Method::HEAD)).map(|(_, right)| *right)
}

/// Whether a path is a page's and not REST's.
pub(super) fn is_page(path: &str) -> bool {
    PAGES.iter().any(|(page, _)| *page == path)
}

/// A refusal that a person reads: who is not known may log in.
pub(super) fn refused(error: ApiError) -> Response {
    let kind = error.kind();
    if kind == Kind::Unauthenticated {
        return Redirect::to("/login").into_response();
    }
    let message = error.message().to_owned();
    let status = error.into_response().status();
    let title = status.canonical_reason().unwrap_or("Refused");
    (status, Html(console::refusal(title, &message))).into_response()
}

/// Headers that keep a browser from doing more with an answer than to show it.
pub(super) async fn harden(mut response: Response) -> Response {
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"text/html"));
    let policy =
        if is_page { console::POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let headers = response.headers_mut();
        // The report brings a policy of its own; a stream says that it is not to be kept.
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// The list.
async fn incidents(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Query(paging): Query<Paging>,
) -> Result<Html<String>, Response> {
    let made = async {
        let rows = api.store.incidents(&paging.page()?).await?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            lines.push(line(&api, row).await?);
        }
        let is_full = rows.len() >= usize::try_from(paging.rows_max()).unwrap_or(usize::MAX);
        let older = rows.last().filter(|_| is_full).map(|it| it.id.to_string());
        Ok(Html(list::page(&lines, &principal.name, api.clock.now(), older.as_deref())))
    };
    made.await.map_err(refused)
}

async fn line(api: &Api, row: &IncidentRow) -> Result<list::Line, ApiError> {
    let host = match api.store.agent(row.agent).await {
        Ok(agent) => agent.host.facts.name,
        Err(StoreError::NotFound { .. }) => row.agent.to_string(),
        Err(error) => return Err(error.into()),
    };
    let (incident, phases) = (gather::incident(row), gather::phases(row));
    Ok(list::Line { incident, phases, host: Said::new(host) })
}

/// One incident; with its processes for who may read events.
async fn show(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Html<String>, Response> {
    let made = async {
        let mut facts = report::gather(&api, &id, &principal).await?;
        if principal.role.may(Right::ReadEvents) {
            facts = report::with_events(&api, facts).await?;
        }
        Ok(Html(incident::page(&Report::of(facts), &principal.name)))
    };
    made.await.map_err(refused)
}

/// The report as a page.
async fn whole(
    api: State<Arc<Api>>,
    principal: Extension<Principal>,
    id: Path<String>,
) -> Result<Response, Response> {
    report::show(api, principal, id, Query(Form::default())).await.map_err(refused)
}

/// Live events.
async fn follow(Extension(principal): Extension<Principal>) -> Html<String> {
    Html(live::page(&principal.name))
}

/// Takes a token and begins a session with it.
async fn log_in(State(api): State<Arc<Api>>, request: Request) -> Response {
    if !session::is_same_origin(request.headers()) {
        return refused(ApiError::new(Kind::Forbidden, "this form must be sent from its own page"));
    }
    let visitor = request.extensions().get::<Visitor>().cloned();
    let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await.unwrap_or_default();
    let token = session::field(&String::from_utf8_lossy(&body));
    let known = authenticate(&api.store, token.as_deref(), api.clock.now()).await;
    let cookie = token.as_deref().and_then(session::begin);
    match (known, cookie) {
        (Ok(_), Some(cookie)) => {
            if let Some(visitor) = visitor {
                visitor.0.store(true, Ordering::Relaxed);
            }
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        (Err(error), _) => {
            let error = ApiError::from(error);
            if error.kind() != Kind::Unauthenticated {
                return refused(error);
            }
            let page = login::page(Some("This token is not known, has ended or was withdrawn."));
            (StatusCode::UNAUTHORIZED, Html(page)).into_response()
        }
        (Ok(_), None) => refused(ApiError::field("token", "a responder's token")),
    }
}

/// Ends the session in this browser; the token lives on.
async fn log_out(request: Request) -> Response {
    if !session::is_same_origin(request.headers()) {
        return refused(ApiError::new(Kind::Forbidden, "this form must be sent from its own page"));
    }
    ([(header::SET_COOKIE, session::end())], Redirect::to("/login")).into_response()
}

#[cfg(test)]
mod tests;
