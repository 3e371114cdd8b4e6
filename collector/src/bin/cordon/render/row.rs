//! Which columns each thing of the API has in a table.

use cordon_collector::api::view;

use super::{Row, instant, time};

fn optional(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

impl Row for view::Host {
    const HEAD: &'static [&'static str] =
        &["agent", "name", "state", "last seen (utc)", "tier", "version"];
    const LESS: &'static [&'static str] = &["version", "tier"];

    fn cells(&self) -> Vec<String> {
        // A host that may take part is there or not; of another only its standing matters.
        let state = match (self.standing.as_str(), self.is_connected) {
            ("approved", true) => "online",
            ("approved", false) => "offline",
            (standing, _) => standing,
        };
        vec![
            self.agent_id.clone(),
            self.name.clone(),
            state.to_owned(),
            self.last_seen.as_deref().map_or_else(|| "-".to_owned(), time),
            self.tier.clone(),
            self.agent_version.clone(),
        ]
    }
}

impl Row for view::Sensor {
    const HEAD: &'static [&'static str] = &["sensor", "tier", "why"];

    fn cells(&self) -> Vec<String> {
        vec![self.sensor.clone(), self.tier.clone(), self.reason.clone()]
    }
}

impl Row for view::Token {
    const HEAD: &'static [&'static str] =
        &["token", "hosts", "expires (utc)", "by", "tier", "labels"];
    const LESS: &'static [&'static str] = &["by", "tier"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.token_id.clone(),
            format!("{} of {}", self.hosts, self.hosts_max),
            time(&self.expires),
            self.created_by.clone(),
            self.tier.clone(),
            self.labels.join(" "),
        ]
    }
}

impl Row for view::Evidence {
    const HEAD: &'static [&'static str] =
        &["evidence", "taken (utc)", "state", "bytes", "agent", "incident"];
    const LESS: &'static [&'static str] = &["agent", "bytes"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.evidence_id.clone(),
            time(&self.taken),
            self.state.clone(),
            self.size_bytes.to_string(),
            self.agent_id.clone(),
            optional(self.incident_id.as_deref()),
        ]
    }
}

impl Row for view::EvidenceEntry {
    const HEAD: &'static [&'static str] = &["entry", "outcome", "bytes", "why"];
    const LESS: &'static [&'static str] = &["bytes"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.outcome.clone(),
            self.size_bytes.to_string(),
            self.reason.clone(),
        ]
    }
}

impl Row for view::Custody {
    const HEAD: &'static [&'static str] = &["at (utc)", "act", "actor", "what"];
    const LESS: &'static [&'static str] = &["what"];

    fn cells(&self) -> Vec<String> {
        vec![instant(&self.at), self.act.clone(), self.actor.clone(), self.detail.clone()]
    }
}

impl Row for view::Detection {
    const HEAD: &'static [&'static str] = &["detection", "last (utc)", "severity", "count", "what"];
    const LESS: &'static [&'static str] = &["count", "severity"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.detection_id.clone(),
            time(&self.last),
            self.severity.clone(),
            self.count.to_string(),
            format!("{}{}: {}", self.standing(), self.title, self.summary),
        ]
    }
}

/// What is to be said before the rest.
trait Standing {
    fn standing(&self) -> String;
}

impl Standing for view::Detection {
    fn standing(&self) -> String {
        match (&self.suppression_id, &self.reported_by) {
            (Some(_), _) => "(suppressed) ".to_owned(),
            (None, Some(who)) => format!("({who}) "),
            (None, None) => String::new(),
        }
    }
}

impl Row for view::Suppression {
    const HEAD: &'static [&'static str] =
        &["suppression", "until (utc)", "holds", "count", "owner", "rule", "where", "why"];
    const LESS: &'static [&'static str] = &["where", "rule"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.suppression_id.clone(),
            time(&self.until),
            yes(self.is_active),
            self.count.to_string(),
            self.owner.clone(),
            self.rule_id.clone(),
            self.host_id.clone().unwrap_or_else(|| "everywhere".to_owned()),
            self.reason.clone(),
        ]
    }
}

impl Row for view::Incident {
    const HEAD: &'static [&'static str] =
        &["incident", "opened (utc)", "state", "severity", "title"];
    const LESS: &'static [&'static str] = &["severity", "state"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.incident_id.clone(),
            time(&self.opened),
            self.state.clone(),
            self.severity.clone(),
            self.title.clone(),
        ]
    }
}

impl Row for view::Phase {
    const HEAD: &'static [&'static str] = &["phase", "state", "since (utc)"];

    fn cells(&self) -> Vec<String> {
        vec![self.phase.clone(), self.state.clone(), time(&self.since)]
    }
}

impl Row for view::ScopeHost {
    const HEAD: &'static [&'static str] = &["host", "contained", "declared", "phases", "by or why"];
    const LESS: &'static [&'static str] = &["phases", "declared"];

    fn cells(&self) -> Vec<String> {
        let phases: Vec<_> = self.phases.iter().map(|it| it.state.as_str()).collect();
        let declared = self.declaration.as_ref().map(|what| match &self.confirmed_by {
            Some(_) => what.clone(),
            None => format!("{what}, by one person"),
        });
        vec![
            self.name.clone(),
            yes(self.is_contained),
            optional(declared.as_deref()),
            phases.join(" "),
            self.containment.clone(),
        ]
    }
}

impl Row for view::Indicator {
    const HEAD: &'static [&'static str] = &["kind", "seen (utc)", "by", "value"];
    const LESS: &'static [&'static str] = &["by"];

    fn cells(&self) -> Vec<String> {
        vec![self.kind.clone(), time(&self.seen), self.added_by.clone(), self.value.clone()]
    }
}

impl Row for view::Task {
    const HEAD: &'static [&'static str] = &["task", "kind", "done", "due", "owner", "what"];
    const LESS: &'static [&'static str] = &["kind"];

    fn cells(&self) -> Vec<String> {
        let due = self.due.as_deref().map(|it| it.split('T').next().unwrap_or(it).to_owned());
        vec![
            self.number.to_string(),
            self.kind.clone(),
            yes(self.done.is_some()),
            optional(due.as_deref()),
            optional(self.owner.as_deref()),
            self.title.clone(),
        ]
    }
}

impl Row for view::Passage {
    const HEAD: &'static [&'static str] = &["phase", "at (utc)", "who", "how", "what"];

    fn cells(&self) -> Vec<String> {
        let how = if self.is_override { "override" } else { "evidence" };
        let (phase, by) = (self.phase.clone(), self.by.clone());
        vec![phase, time(&self.at), by, how.to_owned(), self.text.clone()]
    }
}

impl Row for view::Entry {
    const HEAD: &'static [&'static str] = &["at (utc)", "kind", "who", "what"];

    fn cells(&self) -> Vec<String> {
        vec![instant(&self.at), self.kind.clone(), self.actor.clone(), self.text.clone()]
    }
}

impl Row for view::Command {
    const HEAD: &'static [&'static str] =
        &["command", "issued (utc)", "state", "verdict", "ms", "by", "what"];
    const LESS: &'static [&'static str] = &["by", "ms", "state"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.command_id.clone(),
            time(&self.issued),
            self.state.clone(),
            optional(self.verdict.as_deref()),
            self.duration_ms.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            self.issued_by.clone(),
            format!("{}: {}", self.action, self.summary),
        ]
    }
}

impl Row for view::Rule {
    const HEAD: &'static [&'static str] = &["rule", "severity", "armed", "source", "title"];
    const LESS: &'static [&'static str] = &["source"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.rule_id.clone(),
            self.severity.clone(),
            yes(self.is_armed),
            self.source.clone(),
            self.title.clone(),
        ]
    }
}

impl Row for view::Audit {
    const HEAD: &'static [&'static str] =
        &["number", "at (utc)", "who", "action", "object", "detail"];
    const LESS: &'static [&'static str] = &["number"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            time(&self.at),
            self.principal.clone(),
            self.action.clone(),
            self.object.clone(),
            self.detail.clone(),
        ]
    }
}
