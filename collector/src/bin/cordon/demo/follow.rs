//! Follows a host and its process through the collector's answers: session, detection, incident,
//! command.

use std::time::Duration;

use cordon_collector::api::view;
use cordon_shared::id::{AgentId, ProcessUid};
use serde::de::DeserializeOwned;

use super::wait;
use crate::client::Client;

/// From deed to receipt (chosen: a hundred times what it takes).
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Items of a list that are looked at (chosen: ten times what the demo makes).
const NEWEST: usize = 50;

/// A detection and the incident that it belongs to.
pub(super) struct Seen {
    /// The detection.
    pub(super) detection: view::Detection,
    /// Its incident.
    pub(super) incident: view::Incident,
}

/// Waits until an agent is connected and has said which sensors it has.
pub(super) fn host(desk: &Client, agent: AgentId) -> anyhow::Result<view::Host> {
    wait::until("the agent is connected", ANSWERED_WITHIN, || {
        let host: view::Host = desk.get(&format!("/api/v1/hosts/{agent}"), &Vec::new())?;
        Ok(Some(host).filter(|it| it.is_connected && !it.sensors.is_empty()))
    })
}

/// Waits for the detection that a rule made about a process.
pub(super) fn detection(desk: &Client, process: &ProcessUid, rule: &str) -> anyhow::Result<Seen> {
    let process = process.to_string();
    let detection = wait::until("the deed is detected", ANSWERED_WITHIN, || {
        find(desk, "/api/v1/detections", |it: &view::Detection| {
            it.process_uid.as_deref() == Some(&process)
                && it.rule_id == rule
                && it.incident_id.is_some()
        })
    })?;
    let incident = detection.incident_id.clone().unwrap_or_default();
    let incident = desk.get(&format!("/api/v1/incidents/{incident}"), &Vec::new())?;
    Ok(Seen { detection, incident })
}

/// Waits for the command that answers a detection, and for its receipt.
pub(super) fn command(desk: &Client, detection: &view::Detection) -> anyhow::Result<view::Command> {
    wait::until("a receipt has come back", ANSWERED_WITHIN, || {
        find(desk, "/api/v1/commands", |it: &view::Command| {
            it.detection_id.as_ref() == Some(&detection.detection_id) && it.closed.is_some()
        })
    })
}

/// Waits for the first command that automation gave to a host, and for its receipt.
pub(super) fn automatic(desk: &Client, agent: AgentId) -> anyhow::Result<view::Command> {
    let agent = agent.to_string();
    wait::until("automation has answered", ANSWERED_WITHIN, || {
        find(desk, "/api/v1/commands", |it: &view::Command| {
            it.agent_id == agent && it.closed.is_some()
        })
    })
}

/// The first of the newest that is as wanted.
fn find<T: DeserializeOwned>(
    desk: &Client,
    path: &str,
    is_wanted: impl Fn(&T) -> bool,
) -> anyhow::Result<Option<T>> {
    let items = desk.list(path, &Vec::new(), NEWEST)?;
    Ok(items.into_iter().find(|it| is_wanted(it)))
}
