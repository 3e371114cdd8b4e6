//! Incidents, as they are shown and as people act on them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A phase of an incident, or of a host in its scope.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    /// `preparation` to `lessons_learned`.
    pub phase: String,
    /// `pending`, `active`, `done` or `reopened`.
    pub state: String,
    /// Since when.
    pub since: String,
}

/// An incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Its name.
    pub incident_id: String,
    /// What it is about.
    pub title: String,
    /// The highest of its detections, or what a person set.
    pub severity: String,
    /// `open` or `closed`.
    pub state: String,
    /// `true_positive`, `false_positive`, `benign` or `test`; absent until somebody said.
    #[serde(default)]
    pub verdict: Option<String>,
    /// Why that verdict.
    #[serde(default)]
    pub verdict_reason: Option<String>,
    /// Who gave it.
    #[serde(default)]
    pub verdict_by: Option<String>,
    /// Who leads it.
    #[serde(default)]
    pub lead: Option<String>,
    /// The first host.
    pub host_id: String,
    /// Its agent.
    pub agent_id: String,
    /// When it was opened.
    pub opened: String,
    /// When something last happened.
    pub updated: String,
    /// When the watch window began.
    #[serde(default)]
    pub watch_from: Option<String>,
    /// When it ends.
    #[serde(default)]
    pub watch_until: Option<String>,
    /// When it was closed.
    #[serde(default)]
    pub closed: Option<String>,
    /// Who closed it.
    #[serde(default)]
    pub closed_by: Option<String>,
    /// Why it was closed though gates were open.
    #[serde(default)]
    pub closed_reason: Option<String>,
    /// The six phases.
    pub phases: Vec<Phase>,
}

/// An incident with everything that people decide by.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WholeIncident {
    /// As in the list.
    #[serde(flatten)]
    pub incident: Incident,
    /// The gate of each phase.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// The hosts and machines that it is about.
    #[serde(default)]
    pub scope: Vec<ScopeHost>,
    /// What is looked for.
    #[serde(default)]
    pub indicators: Vec<Indicator>,
    /// What the fleet answers about its indicators.
    #[serde(default)]
    pub sweep: Sweep,
    /// The same, of sweeps that were issued after the last removal.
    #[serde(default)]
    pub rescan: Sweep,
    /// What is to be done.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// What people wrote down, oldest first.
    #[serde(default)]
    pub notes: Vec<Entry>,
    /// Which gates were passed, by evidence or by a person's word.
    #[serde(default)]
    pub passages: Vec<Passage>,
}

/// The gate of a phase.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    /// Of which phase.
    pub phase: String,
    /// Whether something is missing.
    pub is_open: bool,
    /// What is missing, each with what would move it.
    pub needs: Vec<String>,
    /// What is there.
    pub rests_on: Vec<String>,
}

/// A host in scope, or a machine without an agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScopeHost {
    /// Its number in this incident.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Its record; absent for a machine without an agent.
    pub host_id: Option<String>,
    /// Its agent.
    pub agent_id: Option<String>,
    /// Since when it is in scope.
    pub added: String,
    /// Who added it.
    pub added_by: String,
    /// Why.
    pub why: String,
    /// Whether it is proved contained, or declared otherwise by two persons.
    pub is_contained: bool,
    /// By what; or why not.
    pub containment: String,
    /// `off`, `gone`, `contained_elsewhere` or `unaffected`.
    pub declaration: Option<String>,
    /// What that rests on.
    pub evidence: Option<String>,
    /// Who declared it.
    pub declared_by: Option<String>,
    /// The second person; the declaration counts from then on.
    pub confirmed_by: Option<String>,
    /// What of this incident still holds it.
    pub holds: Vec<String>,
    /// Its own phases.
    pub phases: Vec<Phase>,
}

/// Something to look for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Indicator {
    /// `sha256`, `path` or `address`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// When it was last found or given.
    pub seen: String,
    /// By whom: a person, or `collector`.
    pub added_by: String,
    /// Where it comes from, in words.
    pub why: String,
}

/// Hosts by what they answer to a sweep, by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Sweep {
    /// Found something.
    pub hit: Vec<String>,
    /// Looked everywhere and found nothing.
    pub clean: Vec<String>,
    /// Could not look, or not everywhere, or were not reached until their command ended.
    pub unanswered: Vec<String>,
    /// Their command has not ended yet.
    pub waiting: Vec<String>,
    /// Were not asked, or not everything.
    pub unasked: Vec<String>,
}

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its number in this incident.
    pub number: u64,
    /// `action_item`, `weakness` or `credential`.
    pub kind: String,
    /// What is to be done.
    pub title: String,
    /// By whom.
    pub owner: Option<String>,
    /// Until when.
    pub due: Option<String>,
    /// When it was done.
    pub done: Option<String>,
    /// Who said so.
    pub done_by: Option<String>,
    /// When it was written down.
    pub created: String,
    /// By whom.
    pub created_by: String,
}

/// That a gate was passed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Passage {
    /// Of which phase.
    pub phase: String,
    /// Whether a person's word stood for evidence.
    pub is_override: bool,
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// What it rested on; for an override, the reason and what was missing.
    pub text: String,
}

/// An entry of an incident's timeline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Rises by one.
    pub number: u64,
    /// When it happened.
    pub at: String,
    /// When the collector learned of it.
    pub recorded: String,
    /// `detection`, `command`, `receipt`, `phase`, …
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// In words.
    pub text: String,
    /// What it is about.
    pub object: String,
}

/// An incident that a person opens.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncident {
    /// What it is about.
    pub title: String,
    /// The first host: name, host id or agent id.
    pub host: String,
    /// `informational` to `critical`.
    pub severity: String,
    /// Why, for the timeline.
    #[serde(default)]
    pub reason: String,
}

/// Who shall lead.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The person.
    pub lead: String,
}

/// What an incident is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// `true_positive`, `false_positive`, `benign` or `test`.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

/// How bad an incident is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSeverity {
    /// `informational` to `critical`.
    pub severity: String,
    /// Why.
    pub reason: String,
}

/// Something to be written down.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// The text.
    pub text: String,
}

/// Something to be done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// `action_item`, `weakness` or `credential`.
    pub kind: String,
    /// What.
    pub title: String,
    /// By whom.
    #[serde(default)]
    pub owner: Option<String>,
    /// Until when, RFC 3339.
    #[serde(default)]
    pub due: Option<String>,
}

/// What changes of a task; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// By whom.
    #[serde(default)]
    pub owner: Option<String>,
    /// Until when, RFC 3339.
    #[serde(default)]
    pub due: Option<String>,
    /// Whether it is done.
    #[serde(default)]
    pub is_done: Option<bool>,
}

/// What changes of a scope.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScopeChange {
    /// A host with an agent belongs to it.
    AddHost {
        /// Name, host id or agent id.
        host: String,
        /// Why.
        reason: String,
    },
    /// A machine without an agent belongs to it.
    AddMachine {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A host is off, gone, contained elsewhere or unaffected.
    Declare {
        /// Its name in the scope, or its number.
        host: String,
        /// `off`, `gone`, `contained_elsewhere` or `unaffected`.
        declaration: String,
        /// What that rests on.
        evidence: String,
    },
    /// A second person says so too.
    Confirm {
        /// Its name in the scope, or its number.
        host: String,
    },
    /// Something is to be looked for.
    AddIndicator {
        /// `sha256`, `path` or `address`.
        kind: String,
        /// The value.
        value: String,
        /// Where it comes from.
        #[serde(default)]
        reason: String,
    },
}

/// On with a phase.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseMove {
    /// Which.
    pub phase: String,
    /// Past its gate though it is open, for this reason.
    #[serde(default)]
    pub override_reason: Option<String>,
    /// Begins the watch window, of so many milliseconds, instead of passing the gate of recovery.
    #[serde(default)]
    pub watch_ms: Option<u64>,
}

/// The end of an incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Though gates are open, for this reason.
    #[serde(default)]
    pub override_reason: Option<String>,
}
