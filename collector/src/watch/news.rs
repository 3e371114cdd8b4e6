//! Notices for those who watch now, as JSON. Names of fields are those of the REST API; what a notice
//! leaves out is read there by its id.

use std::sync::Arc;

use cordon_shared::{
    arrival::Arrival,
    detection::Detection,
    event::receipt::{Receipt, Refusal},
    ocsf::{self, Context},
};
use serde_json::json;

use crate::{
    notice::Board,
    response::reconcile::Claim,
    store::{Gathered, NewCommand},
};

/// Every event of a page, as OCSF.
pub(super) fn events(board: &Board, arrivals: &[Arc<Arrival>]) {
    for arrival in arrivals {
        for (id, event) in arrival.events() {
            let context = Context {
                id: Some(id),
                agent: arrival.agent,
                host: &arrival.host,
                boot: arrival.boot(),
                time: arrival.corrected(event.boottime),
                received: Some(arrival.received),
            };
            board.post("event", ocsf::json::to_string(event, &context));
        }
    }
}

pub(super) fn detection(board: &Board, detection: &Detection, gathered: &Gathered) {
    let rule = &detection.rule;
    let json = json!({
        "detection_id": gathered.detection.to_string(),
        "rule_id": rule.id,
        "rule_sha256": rule.sha256.to_string(),
        "title": rule.title,
        "severity": rule.severity.as_str(),
        "techniques": rule.techniques,
        "agent_id": detection.agent.to_string(),
        "host_id": detection.host.to_string(),
        "incident_id": gathered.incident.map(|it| it.to_string()),
        "event_id": detection.basis.event().map(|it| it.to_string()),
        "reported_by": detection.basis.reporter(),
        "process_uid": detection.subject.as_ref().map(|it| it.uid.to_string()),
        "summary": detection.summary,
        "last": detection.at.to_string(),
    });
    board.post("detection", json.to_string());
}

pub(super) fn incident(board: &Board, detection: &Detection, gathered: &Gathered) {
    let json = json!({
        "incident_id": gathered.incident.map(|it| it.to_string()),
        "title": detection.rule.title,
        "severity": detection.rule.severity.as_str(),
        "state": "open",
        "host_id": detection.host.to_string(),
        "agent_id": detection.agent.to_string(),
    });
    board.post("incident", json.to_string());
}

pub(super) fn command(board: &Board, new: &NewCommand) {
    let json = json!({
        "command_id": new.id.to_string(),
        "incident_id": new.incident.map(|it| it.to_string()),
        "detection_id": new.detection.map(|it| it.to_string()),
        "agent_id": new.agent.to_string(),
        "host_id": new.host.to_string(),
        "action": new.action,
        "summary": new.summary,
        "state": "issued",
        "expires": new.expires.to_string(),
    });
    board.post("command", json.to_string());
}

pub(super) fn receipt(board: &Board, claim: &Claim, receipt: &Receipt) {
    let json = json!({
        "command_id": receipt.command.to_string(),
        "incident_id": receipt.incident.map(|it| it.to_string()),
        "agent_id": receipt.agent.to_string(),
        "verdict": receipt.verdict.as_str(),
        "refusal": receipt.refusal.map(Refusal::as_str),
        "detail": receipt.detail,
        "open": receipt.open,
        "receipt_event_id": claim.event.to_string(),
    });
    board.post("receipt", json.to_string());
}
