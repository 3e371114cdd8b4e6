//! Notices of what was found, by a rule or by a person. Names of fields are those of the REST API.

use cordon_shared::{
    detection::Detection,
    id::{DetectionId, IncidentId},
};
use serde_json::json;

use super::Board;

impl Board {
    /// Posts a detection: itself, or the one whose count it raised, which `stands_for` names.
    pub fn found(
        &self,
        detection: &Detection,
        stands_for: DetectionId,
        incident: Option<IncidentId>,
    ) {
        let rule = &detection.rule;
        let json = json!({
            "detection_id": stands_for.to_string(),
            "rule_id": rule.id,
            "rule_sha256": rule.sha256.to_string(),
            "title": rule.title,
            "severity": rule.severity.as_str(),
            "techniques": rule.techniques,
            "agent_id": detection.agent.to_string(),
            "host_id": detection.host.to_string(),
            "incident_id": incident.map(|it| it.to_string()),
            "event_id": detection.basis.event().map(|it| it.to_string()),
            "reported_by": detection.basis.reporter(),
            "process_uid": detection.subject.as_ref().map(|it| it.uid.to_string()),
            "summary": detection.summary,
            "last": detection.at.to_string(),
        });
        self.post("detection", json.to_string());
    }

    /// Posts an incident that a detection has opened.
    pub fn opened(&self, detection: &Detection, incident: Option<IncidentId>) {
        let json = json!({
            "incident_id": incident.map(|it| it.to_string()),
            "title": detection.rule.title,
            "severity": detection.rule.severity.as_str(),
            "state": "open",
            "host_id": detection.host.to_string(),
            "agent_id": detection.agent.to_string(),
        });
        self.post("incident", json.to_string());
    }
}
