//! Commands over REST: the list, one with its receipt, and those that people hand in.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_shared::{
    error::Kind,
    event::receipt::{Finding, Receipt, StepReport},
    id::{AgentId, CommandId, IncidentId, LedgerId},
    wire,
};

use super::{Api, ApiError, Paging, keyring, shown, view};
use crate::{
    auth::Principal,
    incident::phase::{self, Deed, Trigger},
    response::{
        admit::{Audience, admit},
        lease,
    },
    store::{CommandRow, Standing, StoreError},
};

/// Commands.
#[utoipa::path(get, path = "/api/v1/commands", operation_id = "command_list", tag = "commands",
    params(Paging), responses((status = 200, body = view::List<view::Command>)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Command>>, ApiError> {
    let rows = api.store.commands(None, &paging.page()?).await?;
    Ok(Json(paging.list(&rows, |row| row.id.to_string(), command)))
}

/// One command.
#[utoipa::path(get, path = "/api/v1/commands/{command}", operation_id = "command_show",
    tag = "commands", params(("command" = String, Path, description = "its id")),
    responses((status = 200, body = view::Command)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<view::Command>, ApiError> {
    let id = CommandId::parse(&id).ok_or(ApiError::field("command", "a command's id"))?;
    Ok(Json(answered(&api.store.command(id).await?)))
}

/// Takes a command that a person has signed, and sends it.
#[utoipa::path(post, path = "/api/v1/commands", operation_id = "command_issue", tag = "commands",
    request_body = view::SignedCommand, responses((status = 200, body = view::Command)))]
pub(super) async fn issue(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Json(offered): Json<view::SignedCommand>,
) -> Result<Json<view::Command>, ApiError> {
    let agent = AgentId::parse(&offered.agent_id);
    let agent = agent.ok_or(ApiError::field("agent_id", "an agent's id"))?;
    let delivery = STANDARD.decode(offered.delivery.as_bytes());
    let delivery = delivery.map_err(|_source| ApiError::field("delivery", "base64"))?;
    let agent = api.store.agent(agent).await?;
    if agent.standing == Standing::Revoked {
        return Err(ApiError::new(Kind::Conflict, "this agent was revoked and obeys nobody"));
    }
    let Some(keyring) = keyring::open(&api).await? else {
        let text = "no keyring is installed: no agent would obey this";
        return Err(ApiError::new(Kind::Conflict, text));
    };
    let audience = Audience {
        agent: agent.id,
        host: agent.host.id,
        name: &agent.host.facts.name,
        tier: &agent.host.tier,
    };
    let by = api.by(&principal);
    let new = admit(&delivery, audience, &keyring, by.at)?;
    let id = new.id;
    match api.store.command(id).await {
        // Handed in again, since the answer did not come through: it is the same command.
        Ok(row) if row.delivery == new.delivery => return Ok(Json(command(&row))),
        Ok(_) => return Err(ApiError::new(Kind::Conflict, "another command has this id")),
        Err(StoreError::NotFound { .. }) => (),
        Err(error) => return Err(error.into()),
    }
    if let Some(incident) = new.incident {
        api.store.incident(incident).await?;
    }
    let trigger = Trigger::Ordered(Deed::of(new.action));
    api.store.add_command(&new, &by, |it| phase::next(it, trigger)).await?;
    (api.wake)();
    Ok(Json(command(&api.store.command(id).await?)))
}

/// Takes back a command that was not sent yet.
#[utoipa::path(post, path = "/api/v1/commands/{command}/withdraw", operation_id = "command_withdraw",
    tag = "commands", params(("command" = String, Path, description = "its id")),
    request_body = view::Reason, responses((status = 200, body = view::Command)))]
pub(super) async fn withdraw(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(why): Json<view::Reason>,
) -> Result<Json<view::Command>, ApiError> {
    let id = CommandId::parse(&id).ok_or(ApiError::field("command", "a command's id"))?;
    let row = api.store.command(id).await?;
    if !api.store.withdraw_command(id, &api.by(&principal), &why.reason).await? {
        let text = format!(
            "it is {} already: only what was not sent can be taken back",
            row.state.as_str()
        );
        return Err(ApiError::new(Kind::Conflict, text));
    }
    Ok(Json(answered(&api.store.command(id).await?)))
}

/// What holds hosts isolated, as far as is known here.
#[utoipa::path(get, path = "/api/v1/leases", operation_id = "lease_list", tag = "commands",
    responses((status = 200, body = view::List<view::Lease>)))]
pub(super) async fn leases(
    State(api): State<Arc<Api>>,
) -> Result<Json<view::List<view::Lease>>, ApiError> {
    let rows = api.store.hold_commands().await?;
    let keyring = keyring::open(&api).await?;
    let held = lease::in_force(&rows, keyring.as_ref(), api.clock.now());
    let of = |id: CommandId| rows.iter().find(|it| it.id == id).and_then(|it| it.incident);
    let items = held.into_iter().map(|it| view::Lease {
        command_id: it.command.to_string(),
        agent_id: it.agent.to_string(),
        incident_id: of(it.command).map(|it| it.to_string()),
        signed_by: it.signed_by,
        since: shown(it.since),
        until: it.until.map(shown),
        is_sticky: it.is_sticky,
    });
    Ok(Json(view::List { items: items.collect(), next_cursor: None }))
}

/// What can be undone of an incident.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/ledger", operation_id = "incident_ledger",
    tag = "commands", params(("incident" = String, Path, description = "its id"), Paging),
    responses((status = 200, body = view::List<view::Entered>)))]
pub(super) async fn ledger(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<view::List<view::Entered>>, ApiError> {
    let id = IncidentId::parse(&id).ok_or(ApiError::field("incident", "an incident's id"))?;
    api.store.incident(id).await?;
    let rows = api.store.commands(Some(id), &paging.page()?).await?;
    let undone_by = |entry: &LedgerId| {
        let undoes = |it: &&CommandRow| {
            matches!(it.action.as_str(), "undo" | "restore")
                && it.verdict.as_deref() == Some("complete")
                && it.summary.contains(&entry.to_string())
        };
        rows.iter().find(undoes).map(|it| it.id.to_string())
    };
    let entries = |row: &CommandRow| receipt(row).map(|it| it.ledger).unwrap_or_default();
    let entered = rows.iter().flat_map(|row| entries(row).into_iter().map(move |it| (row, it)));
    let items = entered.map(|(row, entry)| view::Entered {
        entry_id: entry.to_string(),
        command_id: row.id.to_string(),
        agent_id: row.agent.to_string(),
        summary: row.summary.clone(),
        at: shown(row.closed.unwrap_or(row.issued)),
        undone_by: undone_by(&entry),
    });
    let items = items.collect();
    let page = paging.list(&rows, |row| row.id.to_string(), |_| ());
    Ok(Json(view::List { items, next_cursor: page.next_cursor }))
}

/// The receipt, as it was verified when it came.
fn receipt(row: &CommandRow) -> Option<Receipt> {
    row.receipt.as_deref().and_then(wire::receipt::kept)
}

/// A command with what its receipt says.
fn answered(row: &CommandRow) -> view::Command {
    let shown = command(row);
    let Some(receipt) = receipt(row) else { return shown };
    view::Command {
        refusal: receipt.refusal.map(|it| it.as_str().to_owned()),
        steps: receipt.steps.iter().map(step).collect(),
        open: receipt.open,
        findings: receipt.findings.iter().map(finding).collect(),
        ledger: receipt.ledger.iter().map(ToString::to_string).collect(),
        ..shown
    }
}

fn step(it: &StepReport) -> view::Step {
    let outcome = it.outcome.as_str().to_owned();
    view::Step { step: it.step.clone(), outcome, detail: it.detail.clone() }
}

fn finding(it: &Finding) -> view::Finding {
    let file = it.file.as_ref();
    view::Finding {
        path: file.map(|it| it.path.to_string()),
        device: file.map(|it| it.device),
        inode: file.map(|it| it.inode),
        sha256: file.map(|it| it.sha256.to_string()),
        size_bytes: it.size_bytes,
        modified: shown(it.modified),
        pid: it.process.map(|it| it.pid),
        start_ticks: it.process.map(|it| it.start_ticks),
        question: it.question,
        note: it.note.clone(),
    }
}

fn command(row: &CommandRow) -> view::Command {
    let took = row.closed.map(|closed| closed.since(row.issued).as_millis());
    view::Command {
        command_id: row.id.to_string(),
        incident_id: row.incident.map(|it| it.to_string()),
        detection_id: row.detection.map(|it| it.to_string()),
        agent_id: row.agent.to_string(),
        host_id: row.host.to_string(),
        action: row.action.clone(),
        summary: row.summary.clone(),
        releases_id: row.releases.map(|it| it.to_string()),
        state: row.state.as_str().to_owned(),
        verdict: row.verdict.clone(),
        detail: row.detail.clone(),
        issued_by: row.issued_by.clone(),
        issued: shown(row.issued),
        expires: shown(row.expires),
        sent: row.sent.map(shown),
        seen: row.seen.map(shown),
        closed: row.closed.map(shown),
        duration_ms: took.and_then(|it| u64::try_from(it).ok()),
        receipt_event_id: row.receipt_event.map(|it| it.to_string()),
        refusal: None,
        steps: Vec::new(),
        open: Vec::new(),
        findings: Vec::new(),
        ledger: Vec::new(),
    }
}
