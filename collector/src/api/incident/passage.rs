//! Through the gates of an incident: a phase at a time, or all of them at its end.
//!
//! What is refused names each gate that is open and what would move it; what goes past one all the same
//! takes a lead and a reason, and stays on record.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use cordon_shared::{
    error::Kind,
    incident::{Phase, PhaseState, Phases, Verdict},
};

use super::{
    Api, ApiError,
    act::{Answer, done, text, word},
    parse, settled, view, whole,
};
use crate::{
    auth::{Principal, role::Right},
    incident::{
        gate::{self, Facts, Gate, Passage},
        phase::{self, Trigger},
    },
    store::{Act, NewPassage},
};

/// The longest watch window (chosen: a quarter of a year).
const WATCH_MAX: Duration = Duration::from_secs(92 * 24 * 3_600);

/// Goes on with a phase: through its gate, past it with a reason, or into the watch window.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/phase",
    operation_id = "incident_phase", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::PhaseMove, responses((status = 200, body = view::WholeIncident),
        (status = 409, body = view::Problem)))]
pub(crate) async fn phase(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::PhaseMove>,
) -> Answer {
    let phase = word("phase", &asked.phase, Phase::parse)?;
    if let Some(watch_ms) = asked.watch_ms {
        let watch = Duration::from_millis(watch_ms);
        if phase != Phase::Recovery || watch.is_zero() || watch > WATCH_MAX {
            return Err(ApiError::field("watch_ms", "of recovery, and at most 92 days"));
        }
        let until = api.clock.now().saturating_add(watch);
        let act = Act::Watch { until };
        return done(&api, &principal, &id, &act, Some(Trigger::Watched)).await;
    }
    let id = parse(&id)?;
    let (parts, facts) = settled(&api, id).await?;
    if facts.phases[phase.index()] == PhaseState::Done {
        let message = format!("{} is done already", phase.as_str());
        return Err(ApiError::new(Kind::Conflict, message));
    }
    let gate = gate::gate(phase, &facts);
    let (passage, new) = way(&gate, asked.override_reason.as_deref(), &principal)?;
    let by = api.by(&principal);
    let act = Act::Pass(vec![new]);
    let next = |it: &Phases| phase::next(it, Trigger::Passed(passage));
    api.store.act(id, &act, (&by, Some(parts.seen)), next).await?;
    whole(&api, id).await
}

/// The way through a gate, or past it with a reason.
fn way(
    gate: &Gate,
    reason: Option<&str>,
    principal: &Principal,
) -> Result<(Passage, NewPassage), ApiError> {
    let phase = gate.phase;
    if let Some(passage) = gate.passage() {
        let text = gate.rests_on.join("; ");
        return Ok((passage, NewPassage { phase, is_override: false, text }));
    }
    let Some(reason) = reason else {
        return Err(ApiError::new(Kind::Conflict, refusal(std::slice::from_ref(gate))));
    };
    may_override(principal)?;
    let reason = text("override_reason", reason)?;
    let passage = gate.overridden(&reason).ok_or(ApiError::field("override_reason", "a reason"))?;
    let text = format!("{reason} (missing: {})", gate.needs.join("; "));
    Ok((passage, NewPassage { phase, is_override: true, text }))
}

/// What is refused while gates are open: which, and what would move each.
fn refusal(open: &[Gate]) -> String {
    let names: Vec<_> = open.iter().map(|it| it.phase.as_str()).collect();
    let mut message = match names.as_slice() {
        [one] => format!("the gate of {one} is open"),
        many => format!("{} gates are open: {}", many.len(), many.join(", ")),
    };
    for gate in open {
        for need in &gate.needs {
            message.push_str(&format!("\n  {}: {need}", gate.phase.as_str()));
        }
    }
    message
}

fn may_override(principal: &Principal) -> Result<(), ApiError> {
    if principal.role.may(Right::OverrideGates) {
        return Ok(());
    }
    let role = principal.role.as_str();
    let message = format!("the role `{role}` may not go past an open gate: a lead may");
    Err(ApiError::new(Kind::Forbidden, message))
}

/// Closes it: refused while a gate is open, unless a lead gives a reason.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/close",
    operation_id = "incident_close", tag = "incidents",
    params(("incident" = String, Path, description = "its id")),
    request_body = view::End, responses((status = 200, body = view::WholeIncident),
        (status = 409, body = view::Problem)))]
pub(crate) async fn close(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Json(asked): Json<view::End>,
) -> Answer {
    let id = parse(&id)?;
    let (parts, mut facts) = settled(&api, id).await?;
    let (mut passages, mut ways, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for phase in Phase::ALL {
        if facts.phases[phase.index()] == PhaseState::Done {
            continue;
        }
        // The gate of a phase asks whether the one before is closed: judge it by what is closed now.
        let gate = gate::gate(phase, &facts);
        if gate.is_open {
            open.push(gate.clone());
        }
        if gate.is_open && asked.override_reason.is_none() {
            continue;
        }
        if is_unneeded(phase, &facts) {
            continue;
        }
        let (passage, new) = way(&gate, asked.override_reason.as_deref(), &principal)?;
        facts.phases[phase.index()] = PhaseState::Done;
        passages.push(new);
        ways.push(passage);
    }
    let reason = asked.override_reason.filter(|_| !open.is_empty());
    if !open.is_empty() && reason.is_none() {
        return Err(ApiError::new(Kind::Conflict, refusal(&open)));
    }
    let reason = reason.map(|it| text("override_reason", &it)).transpose()?;
    let act = Act::Close { passages, reason };
    let next = |phases: &Phases| {
        let fold = |phases: Phases, it: &Passage| {
            phase::next(&phases, Trigger::Passed(*it)).unwrap_or(phases)
        };
        Some(ways.iter().fold(*phases, fold))
    };
    api.store.act(id, &act, (&api.by(&principal), Some(parts.seen)), next).await?;
    whole(&api, id).await
}

/// Whether a phase was never gone through since the incident is none: it is not shown as done.
fn is_unneeded(phase: Phase, facts: &Facts) -> bool {
    let is_harmless = facts.verdict.is_some_and(|it| it != Verdict::TruePositive);
    is_harmless && !matches!(phase, Phase::Preparation | Phase::Identification)
}
