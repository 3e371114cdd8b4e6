//! Notices for those who watch now, as JSON. Names of fields are those of the REST API; what a notice
//! leaves out is read there by its id. Those of what was found are the board's own
//! ([`Board::found`]): people find things too.

use std::sync::Arc;

use cordon_shared::{
    arrival::Arrival,
    event::receipt::{Receipt, Refusal},
    ocsf::{self, Context},
};
use serde_json::json;

use crate::{notice::Board, response::reconcile::Claim, store::NewCommand};

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
