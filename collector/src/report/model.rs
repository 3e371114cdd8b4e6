//! What a report says, as values. Pure.
//!
//! [`Facts`] are gathered, and what a [`Report`] adds to them is computed: clocks, the summary, what
//! remains. Serialized, a report is the JSON that `cordon report --format json` gives: times RFC 3339
//! in UTC, durations in `_ms`.

use cordon_shared::{
    detection::Severity,
    incident::{Phase, PhaseState},
    time::Timestamp,
};
use serde::Serialize;

use super::{clock, remain, said::Said, summary, written};

/// A report, whole.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The first page in sentences.
    pub summary: summary::Summary,
    /// How long things took, by what was recorded.
    pub clocks: Vec<clock::Reading>,
    /// What is not done yet, in sentences.
    pub remains: Vec<Said>,
    /// What was recorded.
    #[serde(flatten)]
    pub facts: Facts,
}

impl Report {
    /// Reads clocks and sums up.
    #[must_use]
    pub fn of(facts: Facts) -> Self {
        let clocks = clock::read(&facts);
        let remains = remain::of(&facts);
        let summary = summary::of(&facts, &clocks);
        Self { summary, clocks, remains, facts }
    }
}

/// What was recorded of an incident.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// When the report was made.
    #[serde(serialize_with = "written::time")]
    pub made: Timestamp,
    /// For whom it was made.
    pub made_for: Said,
    /// The incident.
    pub incident: Incident,
    /// Its six phases, in order.
    pub phases: Vec<PhaseFacts>,
    /// The hosts in scope.
    pub hosts: Vec<Host>,
    /// What was found, oldest first.
    pub detections: Vec<Detection>,
    /// What was ordered, oldest first.
    pub commands: Vec<Command>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// The processes, parents before their children.
    pub processes: Vec<Process>,
    /// What to look for elsewhere.
    pub indicators: Vec<Indicator>,
    /// What the fleet answered about them, in sentences.
    pub sweeps: Vec<Said>,
    /// When hosts were blind.
    pub gaps: Vec<Gap>,
    /// What is kept as evidence.
    pub evidence: Vec<Evidence>,
    /// What is to be done.
    pub tasks: Vec<Task>,
    /// Who went on although a gate was open.
    pub overrides: Vec<Override>,
    /// What could not be read while the report was made, in sentences.
    pub unread: Vec<Said>,
}

/// The incident itself.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// Its name.
    pub incident_id: String,
    /// What it is about.
    pub title: Said,
    /// The highest of its detections.
    #[serde(serialize_with = "written::severity")]
    pub severity: Severity,
    /// `open` or `closed`.
    pub state: Said,
    /// `true_positive`, …, with its reason; absent until somebody has judged.
    pub verdict: Option<Said>,
    /// Who leads it.
    pub lead: Option<Said>,
    /// When it was opened.
    #[serde(serialize_with = "written::time")]
    pub opened: Timestamp,
    /// When something last happened.
    #[serde(serialize_with = "written::time")]
    pub updated: Timestamp,
}

/// A phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseFacts {
    /// Which.
    #[serde(serialize_with = "written::phase")]
    pub phase: Phase,
    /// How far it is.
    #[serde(serialize_with = "written::phase_state")]
    pub state: PhaseState,
    /// Since when.
    #[serde(serialize_with = "written::time")]
    pub since: Timestamp,
    /// What would move it; empty when nothing is missing.
    pub needs: Vec<Said>,
    /// What is there.
    pub rests_on: Vec<Said>,
}

/// A host in scope.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Host {
    /// Its agent, as the commands name it.
    pub agent_id: String,
    /// Its name.
    pub name: Said,
    /// `standard`, `critical`, …
    pub tier: Said,
    /// Operating system and kernel.
    pub system: Said,
    /// `approved`, `revoked`, …; `connected` or not.
    pub standing: Said,
    /// When it last spoke.
    #[serde(serialize_with = "written::time_maybe")]
    pub last_seen: Option<Timestamp>,
    /// Why nothing has to be done on it to contain it, and who said so.
    pub exempt: Option<Said>,
    /// Its own phases, in words.
    pub phases: Said,
    /// Whether it is proved contained, by its gate; absent where no gate was asked.
    pub is_contained: Option<bool>,
    /// By what it is, or why it is not.
    pub containment: Said,
}

/// What a rule found.
#[derive(Clone, Debug, Serialize)]
pub struct Detection {
    /// Its name.
    pub detection_id: String,
    /// The rule's title.
    pub title: Said,
    /// The rule's id.
    pub rule_id: Said,
    /// Its level.
    #[serde(serialize_with = "written::severity")]
    pub severity: Severity,
    /// ATT&CK techniques.
    pub techniques: Vec<Said>,
    /// Where.
    pub agent_id: String,
    /// Whom it is about.
    pub process_uid: Option<String>,
    /// The first event, by name; none when a person reported it.
    pub event_id: Option<String>,
    /// The first event, in one line.
    pub summary: Said,
    /// How many events.
    pub count: u64,
    /// When the first happened.
    #[serde(serialize_with = "written::time")]
    pub first: Timestamp,
    /// When the last happened.
    #[serde(serialize_with = "written::time")]
    pub last: Timestamp,
    /// When it was found.
    #[serde(serialize_with = "written::time")]
    pub found: Timestamp,
}

/// An order, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    /// Its name.
    pub command_id: String,
    /// To whom.
    pub agent_id: String,
    /// The verb.
    pub action: String,
    /// In one line.
    pub summary: Said,
    /// Who handed it in.
    pub issued_by: Said,
    /// Whose keys signed it.
    pub signers: Vec<Said>,
    /// The command whose hold it ends.
    pub releases_id: Option<String>,
    /// `issued`, `sent`, `seen`, `closed` or `expired`.
    pub state: String,
    /// What the receipt says; absent while there is none.
    pub verdict: Option<String>,
    /// In one sentence.
    pub detail: Option<Said>,
    /// What was done, with its outcome.
    pub steps: Vec<Said>,
    /// What is left open.
    pub open: Vec<Said>,
    /// How long what it does lasts, in words.
    pub lease: Option<Said>,
    /// When it was signed.
    #[serde(serialize_with = "written::time")]
    pub issued: Timestamp,
    /// When the receipt came.
    #[serde(serialize_with = "written::time_maybe")]
    pub closed: Option<Timestamp>,
    /// The event that carried the receipt.
    pub receipt_event_id: Option<String>,
}

/// An entry of the timeline.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Rises by one.
    pub number: u64,
    /// When it happened.
    #[serde(serialize_with = "written::time")]
    pub at: Timestamp,
    /// `detection`, `command`, `receipt`, `phase`, …
    pub kind: Said,
    /// Who.
    pub actor: Said,
    /// What.
    pub text: Said,
    /// About what.
    pub object: Said,
}

/// A process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Process {
    /// Which.
    pub process_uid: String,
    /// Whose child.
    pub parent_uid: Option<String>,
    /// Where.
    pub agent_id: String,
    /// Its number on its host.
    pub pid: i64,
    /// Its name.
    pub name: Said,
    /// Its executable.
    pub exe: Said,
    /// The executable's digest.
    pub sha256: Option<String>,
    /// What it was started with.
    pub command_line: Said,
    /// As whom.
    pub user: Said,
    /// When it was launched.
    #[serde(serialize_with = "written::time_maybe")]
    pub launched: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "written::time_maybe")]
    pub ended: Option<Timestamp>,
    /// How it ended: `exit 0`, `signal 9`.
    pub ending: Option<Said>,
    /// Titles of what was found about it.
    pub detections: Vec<Said>,
}

/// A value to look for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Indicator {
    /// `sha256`, `address`, `domain` or `path`.
    pub kind: &'static str,
    /// The value.
    pub value: Said,
    /// Where it was seen.
    pub source: Said,
}

/// A time in which a host did not see, or what it saw was lost.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Which host.
    pub agent_id: String,
    /// `sensor_down`, `kernel_buffer`, …
    pub cause: Said,
    /// Which sensor.
    pub sensor: Said,
    /// How many events, as far as is known.
    pub count: u64,
    /// Whether that is all of them.
    pub is_count_exact: bool,
    /// Since when.
    #[serde(serialize_with = "written::time")]
    pub from: Timestamp,
    /// Until when.
    #[serde(serialize_with = "written::time")]
    pub until: Timestamp,
}

/// A thing that is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// What: a snapshot, a receipt, events.
    pub what: Said,
    /// Its name.
    pub id: Said,
    /// From where, and when.
    pub source: Said,
    /// Its digest, or what proves it.
    pub proof: Said,
}

/// Something to be done.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// What.
    pub text: Said,
    /// By whom.
    pub owner: Option<Said>,
    /// Until when.
    pub due: Option<Said>,
    /// `open` or `done`.
    pub state: Said,
}

/// Somebody went on although a gate was open.
#[derive(Clone, Debug, Serialize)]
pub struct Override {
    /// When.
    #[serde(serialize_with = "written::time")]
    pub at: Timestamp,
    /// Who.
    pub actor: Said,
    /// Which gate, and why.
    pub text: Said,
}

impl Gap {
    /// How many events were lost, as far as is known.
    #[must_use]
    pub fn spoken(&self) -> String {
        match (self.is_count_exact, self.count) {
            (true, count) => count.to_string(),
            (false, 0) => "not known".to_owned(),
            (false, count) => format!("at least {count}"),
        }
    }
}

impl Entry {
    /// Whether a person did it and not a program of ours.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        let actor = self.actor.as_str();
        let is_program = matches!(actor, "" | "automation" | "collector" | "agent");
        !is_program && !actor.starts_with("agent ")
    }
}

impl Facts {
    /// The name of a host in scope, or its agent's id.
    #[must_use]
    pub fn host_name(&self, agent: &str) -> Said {
        let host = self.hosts.iter().find(|it| it.agent_id == agent);
        let name = host.map(|it| it.name.clone()).filter(|it| !it.is_empty());
        name.unwrap_or_else(|| Said::new(agent))
    }

    /// When the first event of the first detection happened.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.detections.iter().map(|it| it.first).min()
    }

    /// Whether the incident was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.incident.state.as_str() == "closed"
    }
}
