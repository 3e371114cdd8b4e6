//! What people do to incidents but move them on: each handler reads what was asked, bounds it, and hands one act to the
//! store, which makes it true with its entry in the timeline and its row in the audit log.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use cordon_shared::{
    detection::Severity,
    error::Kind,
    id::IncidentId,
    incident::{Declaration, Indicator, IndicatorKind, Phases, TaskKind, Verdict},
    time::Timestamp,
};

use super::{Api, ApiError, parse, read, settled, view, whole};
use crate::{
    api::agent::find,
    auth::Principal,
    incident::phase::{self, Trigger},
    store::{Act, ChangedTask, NewHost, NewTask, OpenedIncident, ScopeRow},
};

/// Characters of a title, a name of a person, a name of a machine.
const LINE_CHARS_MAX: usize = 200;
/// Characters of a reason, a note, an evidence.
const TEXT_CHARS_MAX: usize = 4_000;

pub(super) type Answer = Result<Json<view::WholeIncident>, ApiError>;

/// Opens an incident by hand.
#[utoipa::path(post, path = "/api/v1/incidents", operation_id = "incident_open",
    tag = "incidents", request_body = view::NewIncident,
    responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(asked): Json<view::NewIncident>,
) -> Answer {
    let agent = find(&api, &asked.host).await?;
    let reason = if asked.reason.is_empty() { "opened by hand" } else { asked.reason.as_str() };
    let new = OpenedIncident {
        id: IncidentId::random(&*api.clock, &*api.entropy),
        title: line("title", &asked.title)?,
        severity: word("severity", &asked.severity, Severity::parse)?,
        host: NewHost {
            name: agent.host.facts.name,
            host: Some((agent.host.id, agent.id)),
            why: text("reason", reason)?,
        },
        phases: phase::opening(),
    };
    api.store.open_incident(&new, &api.by(&principal)).await?;
    whole(&api, new.id).await
}

/// Says who leads it.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/assign",
    operation_id = "incident_assign", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::Assignment, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn assign(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::Assignment>,
) -> Answer {
    let act = Act::Assign { lead: line("lead", &asked.lead)? };
    done(&api, &principal, &id, &act, Some(Trigger::Led)).await
}

/// Says what it is.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/verdict",
    operation_id = "incident_verdict", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::Judgement, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn verdict(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::Judgement>,
) -> Answer {
    let verdict = word("verdict", &asked.verdict, Verdict::parse)?;
    let act = Act::Judge { verdict, reason: text("reason", &asked.reason)? };
    done(&api, &principal, &id, &act, Some(Trigger::Judged)).await
}

/// Says how bad it is.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/severity",
    operation_id = "incident_severity", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::NewSeverity, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn severity(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::NewSeverity>,
) -> Answer {
    let severity = word("severity", &asked.severity, Severity::parse)?;
    let act = Act::Rate { severity, reason: text("reason", &asked.reason)? };
    done(&api, &principal, &id, &act, None).await
}

/// Writes something down.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/notes",
    operation_id = "incident_note", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::NewNote, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn note(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::NewNote>,
) -> Answer {
    let act = Act::Note { text: text("text", &asked.text)? };
    done(&api, &principal, &id, &act, None).await
}

/// Adds a task.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/tasks",
    operation_id = "incident_task_add", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::NewTask, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn add_task(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::NewTask>,
) -> Answer {
    let act = Act::AddTask(NewTask {
        kind: word("kind", &asked.kind, TaskKind::parse)?,
        title: line("title", &asked.title)?,
        owner: asked.owner.as_deref().map(|it| line("owner", it)).transpose()?,
        due: asked.due.as_deref().map(|it| moment("due", it)).transpose()?,
    });
    done(&api, &principal, &id, &act, None).await
}

/// Changes a task.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/tasks/{task}",
    operation_id = "incident_task_change", tag = "incidents",
    params(("incident" = String, Path, description = "its id"),
        ("task" = u64, Path, description = "its number")),
    request_body = view::TaskChange, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn change_task(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path((id, number)): Path<(String, String)>,
    Json(asked): Json<view::TaskChange>,
) -> Answer {
    let act = Act::ChangeTask(ChangedTask {
        number: number.parse().map_err(|_nan| ApiError::field("task", "a task's number"))?,
        owner: asked.owner.as_deref().map(|it| line("owner", it)).transpose()?,
        due: asked.due.as_deref().map(|it| moment("due", it)).transpose()?,
        is_done: asked.is_done,
    });
    done(&api, &principal, &id, &act, None).await
}

/// Changes the scope: hosts, what is said of them, what is looked for.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/scope",
    operation_id = "incident_scope", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::ScopeChange, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn scope(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::ScopeChange>,
) -> Answer {
    let (act, trigger) = match asked {
        view::ScopeChange::AddHost { host, reason } => {
            let agent = find(&api, &host).await?;
            let host = Some((agent.host.id, agent.id));
            let new = NewHost { name: agent.host.facts.name, host, why: text("reason", &reason)? };
            (Act::AddHost(new), Some(Trigger::Widened))
        }
        view::ScopeChange::AddMachine { name, reason } => {
            let why = text("reason", &reason)?;
            let new = NewHost { name: line("name", &name)?, host: None, why };
            (Act::AddHost(new), Some(Trigger::Widened))
        }
        view::ScopeChange::Declare { host, declaration, evidence } => {
            let host = scoped(&api, &id, &host).await?;
            let what = word("declaration", &declaration, Declaration::parse)?;
            (Act::Declare { host, what, evidence: text("evidence", &evidence)? }, None)
        }
        view::ScopeChange::Confirm { host } => {
            (Act::Confirm { host: scoped(&api, &id, &host).await? }, None)
        }
        view::ScopeChange::AddIndicator { kind, value, reason } => {
            let kind = word("kind", &kind, IndicatorKind::parse)?;
            let what = "64 hexadecimal digits, an absolute path or an address, as `kind` says";
            let indicator = Indicator::parse(kind, &value).ok_or(ApiError::field("value", what))?;
            let reason = if reason.is_empty() { "given by hand".to_owned() } else { reason };
            (Act::AddIndicator { indicator, reason: text("reason", &reason)? }, None)
        }
    };
    done(&api, &principal, &id, &act, trigger).await
}

/// The number of a host in scope, by its name or its number.
async fn scoped(api: &Api, id: &str, host: &str) -> Result<u64, ApiError> {
    let (parts, _) = read(api, parse(id)?).await?;
    let is_it = |it: &&ScopeRow| it.name == host || it.number.to_string() == host;
    let mut named = parts.scope.iter().filter(is_it);
    match (named.next(), named.next()) {
        (Some(row), None) => Ok(row.number),
        (Some(_), Some(_)) => {
            let message = format!("several hosts in scope are called `{host}`: give the number");
            Err(ApiError::new(Kind::Conflict, message))
        }
        (None, _) => Err(ApiError::new(Kind::NotFound, format!("host `{host}` is not in scope"))),
    }
}

/// Opens a closed incident again.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/reopen",
    operation_id = "incident_reopen", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::Reason, responses((status = 200, body = view::WholeIncident)))]
pub(crate) async fn reopen(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::Reason>,
) -> Answer {
    let act = Act::Reopen { reason: text("reason", &asked.reason)? };
    done(&api, &principal, &id, &act, Some(Trigger::Resumed)).await
}

/// Has an act done, and shows what the incident is then.
pub(super) async fn done(
    api: &Api,
    principal: &Principal,
    id: &str,
    act: &Act,
    trigger: Option<Trigger>,
) -> Answer {
    let id = parse(id)?;
    let next = |it: &Phases| phase::next(it, trigger?);
    api.store.act(id, act, (&api.by(principal), None), next).await?;
    settled(api, id).await?;
    whole(api, id).await
}

pub(super) fn word<T>(
    field: &str,
    said: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, ApiError> {
    parse(said).ok_or(ApiError::field(field, "one of the words that the API's description lists"))
}

/// One line for people.
fn line(field: &str, said: &str) -> Result<String, ApiError> {
    let said = said.trim();
    let is_fit = (1..=LINE_CHARS_MAX).contains(&said.chars().count());
    if is_fit && !said.contains(char::is_control) {
        return Ok(said.to_owned());
    }
    Err(ApiError::field(field, "one line of 1 to 200 characters"))
}

/// Some lines for people.
pub(super) fn text(field: &str, said: &str) -> Result<String, ApiError> {
    let said = said.trim();
    let is_odd = |it: char| it.is_control() && it != '\n' && it != '\t';
    if (1..=TEXT_CHARS_MAX).contains(&said.chars().count()) && !said.contains(is_odd) {
        return Ok(said.to_owned());
    }
    Err(ApiError::field(
        field,
        "1 to 4000 characters, and no other control characters than new lines",
    ))
}

fn moment(field: &str, said: &str) -> Result<Timestamp, ApiError> {
    Timestamp::parse(said).ok_or(ApiError::field(field, "a time in RFC 3339"))
}
