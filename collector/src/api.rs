//! HTTP lives here and nowhere else: the responders' side of the collector.
//!
//! Beside the road: requests come in over TLS with a bearer token, go through one choke point
//! ([`guard`]: who asks, and whether the table of [`ROUTES`] lets them), and are answered from store
//! and lake. It signs nothing: what only a responder's key can order is signed on the responder's
//! side and carried through here.
//!
//! Bounds: a body is [`BODY_BYTES_MAX`] at most, a page of a list [`PAGE_ROWS_MAX`] rows.

mod agent;
mod audit;
mod command;
mod detection;
mod error;
mod event;
mod evidence;
mod health;
mod incident;
mod keyring;
mod live;
mod openapi;
mod page;
mod report;
mod rule;
mod serve;
mod session;
mod suppression;
mod suspicion;
mod token;
pub mod view;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use cordon_shared::{
    digest::Sha256,
    entropy::Entropy,
    error::Kind,
    id::AgentId,
    keyring::key::Roots,
    time::{Clock, Timestamp},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::serve::Visitor;
pub use self::{error::ApiError, serve::serve};
use crate::{
    auth::{Principal, role::Right, token::authenticate},
    evidence::Vault,
    lake::Lake,
    notice::{Board, InForce, Trouble},
    store::{By, PAGE_ROWS_MAX, Page, Store},
};

/// A request's body (chosen: a keyring of the largest size, in base64).
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Characters of a list's cursor: those of a UUID.
const CURSOR_CHARS_MAX: usize = 36;

/// Which route needs which right. A route that is not here is refused to everybody.
const ROUTES: &[(&str, &str, Right)] = &[
    ("GET", "/api/v1/hosts", Right::Look),
    ("GET", "/api/v1/hosts/{host}", Right::Look),
    ("POST", "/api/v1/hosts/{host}/approve", Right::DecideHosts),
    ("POST", "/api/v1/hosts/{host}/revoke", Right::DecideHosts),
    ("GET", "/api/v1/tokens", Right::MakeTokens),
    ("POST", "/api/v1/tokens", Right::MakeTokens),
    ("GET", "/api/v1/detections", Right::Look),
    ("GET", "/api/v1/detections/{detection}", Right::Look),
    ("POST", "/api/v1/suspicions", Right::Report),
    ("GET", "/api/v1/suppressions", Right::Look),
    ("POST", "/api/v1/suppressions", Right::Suppress),
    ("POST", "/api/v1/suppressions/{suppression}/end", Right::Suppress),
    ("GET", "/api/v1/incidents", Right::Look),
    ("POST", "/api/v1/incidents", Right::WorkIncidents),
    ("GET", "/api/v1/incidents/{incident}", Right::Look),
    ("GET", "/api/v1/incidents/{incident}/timeline", Right::Look),
    ("POST", "/api/v1/incidents/{incident}/assign", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/verdict", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/severity", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/notes", Right::WriteNotes),
    ("POST", "/api/v1/incidents/{incident}/tasks", Right::WriteNotes),
    ("POST", "/api/v1/incidents/{incident}/tasks/{task}", Right::WriteNotes),
    ("POST", "/api/v1/incidents/{incident}/scope", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/phase", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/close", Right::WorkIncidents),
    ("POST", "/api/v1/incidents/{incident}/reopen", Right::WorkIncidents),
    ("GET", "/api/v1/incidents/{incident}/report", Right::ReadEvents),
    ("GET", "/api/v1/commands", Right::Look),
    ("POST", "/api/v1/commands", Right::HandInCommands),
    ("GET", "/api/v1/commands/{command}", Right::Look),
    ("GET", "/api/v1/evidence", Right::Look),
    ("GET", "/api/v1/evidence/{evidence}", Right::Look),
    ("GET", "/api/v1/evidence/{evidence}/content", Right::ReadEvidence),
    ("POST", "/api/v1/commands/{command}/withdraw", Right::HandInCommands),
    ("GET", "/api/v1/leases", Right::Look),
    ("GET", "/api/v1/incidents/{incident}/ledger", Right::Look),
    ("GET", "/api/v1/keyring", Right::Look),
    ("PUT", "/api/v1/keyring", Right::InstallKeyring),
    ("GET", "/api/v1/rules", Right::Look),
    ("POST", "/api/v1/rules/reload", Right::LoadRules),
    ("GET", "/api/v1/status", Right::Look),
    ("GET", "/api/v1/audit", Right::ReadAudit),
    ("GET", "/api/v1/audit/verify", Right::ReadAudit),
    ("GET", "/api/v1/events", Right::ReadEvents),
    ("GET", "/api/v1/events/count", Right::ReadEvents),
    ("GET", "/api/v1/events/{event}", Right::ReadEvents),
    ("GET", "/api/v1/live", Right::ReadEvents),
    ("GET", "/metrics", Right::Look),
];

/// What the handlers share.
pub struct Api {
    /// The state.
    pub store: Store,
    /// The events.
    pub lake: Lake,
    /// Forensic containers.
    pub vault: Vault,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The organisation's roots, which tokens pin and keyrings are checked against.
    pub roots: Roots,
    /// SHA-256 of the authority's certificate, which tokens pin.
    pub authority: Sha256,
    /// Where hosts enrol, for tokens.
    pub enrolment: Vec<String>,
    /// The rules in force.
    pub rules: Rules,
    /// What is new.
    pub board: Board,
    /// What is wrong.
    pub troubles: Arc<dyn Fn() -> Vec<(Trouble, u64)> + Send + Sync>,
    /// Which keyring agents get.
    pub in_force: InForce,
    /// Says that there is a new command to send.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Whether an agent has an open session.
    pub is_connected: Arc<dyn Fn(AgentId) -> bool + Send + Sync>,
    /// How many agents are.
    pub connected: Arc<dyn Fn() -> usize + Send + Sync>,
    /// What is counted.
    pub metrics: PrometheusHandle,
    /// Ends live streams.
    pub stop: CancellationToken,
    /// Keeps account of live streams.
    pub streams: TaskTracker,
}

/// The rules in force, which are detection's: here they are only shown.
#[derive(Clone)]
pub struct Rules {
    /// The rules that are loaded, and what could not be.
    pub list: Arc<dyn Fn() -> (Vec<view::Rule>, Vec<String>) + Send + Sync>,
    /// Loads them again; blocks while it compiles.
    pub reload: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    fn by(&self, principal: &Principal) -> By {
        By { principal: principal.name.clone(), at: self.clock.now() }
    }
}

/// Which page of a list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows at most, 1 to 500.
    limit: Option<u32>,
}

impl Paging {
    fn rows_max(&self) -> u32 {
        self.limit.unwrap_or(100).clamp(1, PAGE_ROWS_MAX)
    }

    /// What the store is asked for. A cursor is an id or a number: another text would begin the list
    /// anew, and a script that follows it would never end.
    fn page(&self) -> Result<Page, ApiError> {
        let is_id = |it: &String| {
            (1..=CURSOR_CHARS_MAX).contains(&it.len())
                && it.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
        };
        if !self.cursor.as_ref().is_none_or(is_id) {
            return Err(ApiError::field("cursor", "a `next_cursor`"));
        }
        Ok(Page { before: self.cursor.clone(), rows_max: self.rows_max() })
    }

    /// A list of what a query gave, with the cursor of the next page when this one is full.
    fn list<R, V>(
        &self,
        rows: &[R],
        cursor: impl Fn(&R) -> String,
        view: impl Fn(&R) -> V,
    ) -> view::List<V> {
        let is_full = rows.len() >= usize::try_from(self.rows_max()).unwrap_or(usize::MAX);
        let next_cursor = rows.last().filter(|_| is_full).map(cursor);
        view::List { items: rows.iter().map(view).collect(), next_cursor }
    }
}

/// All routes, behind the choke point.
pub fn router(api: Arc<Api>) -> Router {
    let (routes, _) = openapi::routes().split_for_parts();
    routes
        .merge(page::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&api), guard))
        .merge(health::open_routes())
        .merge(page::open_routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(error::as_problem))
        .layer(middleware::map_response(page::harden))
        .with_state(api)
}

/// The choke point: who asks, and whether the table lets them.
async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|it| it.as_str().to_owned());
    let path = path.unwrap_or_default();
    let refuse = |error: ApiError| {
        if page::is_page(&path) { page::refused(error) } else { error.into_response() }
    };
    let token = shown_token(&request);
    let principal = match authenticate(&api.store, token.as_deref(), api.clock.now()).await {
        Ok(principal) => principal,
        Err(error) => return refuse(ApiError::from(error)),
    };
    let right = right(request.method(), &path).or_else(|| page::right(request.method(), &path));
    if !right.is_some_and(|right| principal.role.may(right)) {
        let role = principal.role.as_str();
        let message = format!("the role `{role}` may not do this");
        return refuse(ApiError::new(Kind::Forbidden, message));
    }
    if let Some(visitor) = request.extensions().get::<Visitor>() {
        visitor.0.store(true, Ordering::Relaxed);
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// The token of a request: a bearer's, or for reading alone a browser's.
fn shown_token(request: &Request) -> Option<String> {
    let header = request.headers().get(http::header::AUTHORIZATION);
    if let Some(header) = header {
        return header.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned);
    }
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    is_reading.then(|| session::token(request.headers())).flatten()
}

fn right(method: &Method, path: &str) -> Option<Right> {
    let row = ROUTES.iter().find(|(verb, route, _)| *verb == method.as_str() && *route == path);
    row.map(|(_, _, right)| *right)
}

/// A time as the API shows it.
fn shown(at: Timestamp) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests;
