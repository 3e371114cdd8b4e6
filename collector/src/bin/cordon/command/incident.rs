//! `cordon incident`: what people respond to, what each phase waits for, and what people do about it.

use cordon_collector::api::view;
use serde::Serialize;

use super::{
    case::part,
    fleet::{listed, segment},
};
use crate::{
    args::{
        Output,
        incident::{Incident, Open, Scope, Task},
    },
    client::Client,
    failure::{Failure, Why},
    render::{self, Row},
};

/// Entries of a timeline that are shown (chosen: more than a person reads).
const ENTRIES_MAX: usize = 2_000;
/// Detections, and commands, that are asked for one by one (chosen: a few seconds of questions).
const NAMED_MAX: usize = 200;
/// Where incidents are.
const PATH: &str = "/api/v1/incidents";

/// Incidents.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, output: Output, verb: &Incident) -> anyhow::Result<()> {
    let desk = Desk { client, output };
    match verb {
        Incident::List(listing) => {
            render::list(output, &listed::<view::Incident>(client, PATH, listing)?)
        }
        Incident::Show { id } => whole(client, output, segment(id)?),
        Incident::Timeline { id } => render::list(output, &timeline(client, segment(id)?)?),
        Incident::Open(asked) => desk.open(asked),
        Incident::Assign { id, lead } => {
            desk.act(id, "assign", &view::Assignment { lead: lead.clone() })
        }
        Incident::Verdict { id, verdict, reason } => {
            let (verdict, reason) = (verdict.clone(), reason.clone());
            desk.act(id, "verdict", &view::Judgement { verdict, reason })
        }
        Incident::Severity { id, severity, reason } => {
            let (severity, reason) = (severity.clone(), reason.clone());
            desk.act(id, "severity", &view::NewSeverity { severity, reason })
        }
        Incident::Scope(asked) => desk.scope(asked),
        Incident::Note { id, text } => desk.act(id, "notes", &view::NewNote { text: text.clone() }),
        Incident::Task(asked) => desk.task(asked),
        Incident::Phase { id, phase, reason, watch } => {
            let watch_ms = watch.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
            let (phase, override_reason) = (phase.clone(), reason.clone());
            desk.act(id, "phase", &view::PhaseMove { phase, override_reason, watch_ms })
        }
        Incident::Close { id, reason } => {
            desk.act(id, "close", &view::End { override_reason: reason.clone() })
        }
        Incident::Reopen { id, reason } => {
            desk.act(id, "reopen", &view::Reason { reason: reason.clone() })
        }
    }
}

/// Where people act.
struct Desk<'a> {
    client: &'a Client,
    output: Output,
}

impl Desk<'_> {
    /// Has something done, and shows what the incident is then.
    fn act(&self, id: &str, verb: &str, body: &impl Serialize) -> anyhow::Result<()> {
        self.shown(&self.post(id, verb, body)?)
    }

    fn post(
        &self,
        id: &str,
        verb: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<view::WholeIncident> {
        self.client.post(&format!("{PATH}/{}/{verb}", segment(id)?), body)
    }

    fn shown(&self, it: &view::WholeIncident) -> anyhow::Result<()> {
        if self.output == Output::Json {
            return render::one(self.output, it);
        }
        render::one(self.output, &it.incident)?;
        part("Gates", &gates(it))
    }

    fn open(&self, asked: &Open) -> anyhow::Result<()> {
        let new = view::NewIncident {
            title: asked.title.clone(),
            host: asked.host.clone(),
            severity: asked.severity.clone(),
            reason: asked.reason.clone(),
        };
        self.shown(&self.client.post(PATH, &new)?)
    }

    fn scope(&self, asked: &Scope) -> anyhow::Result<()> {
        let changes = changes(asked)?;
        let mut last = None;
        for change in &changes {
            last = Some(self.post(&asked.id, "scope", change)?);
        }
        let text =
            "say what changes: --add, --machine, --declare, --confirm, --sha256, --path, --ip";
        self.shown(&last.ok_or_else(|| Failure::new(Why::Usage, text))?)
    }

    fn task(&self, asked: &Task) -> anyhow::Result<()> {
        let due = asked.due.as_deref().map(moment);
        if let Some(title) = &asked.add {
            let (kind, title) = (asked.kind.clone(), title.clone());
            let new = view::NewTask { kind, title, owner: asked.owner.clone(), due };
            return self.act(&asked.id, "tasks", &new);
        }
        let number = asked.done.or(asked.change);
        let text = "say which: --add TITLE, --done NUMBER or --change NUMBER";
        let number = number.ok_or_else(|| Failure::new(Why::Usage, text))?;
        let is_done = asked.done.map(|_| true);
        let change = view::TaskChange { owner: asked.owner.clone(), due, is_done };
        self.act(&asked.id, &format!("tasks/{number}"), &change)
    }
}

/// A day is its first moment.
fn moment(text: &str) -> String {
    if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") }
}

/// Each option of `incident scope` is a change of its own.
fn changes(asked: &Scope) -> anyhow::Result<Vec<view::ScopeChange>> {
    let reason = asked.reason.clone().unwrap_or_else(|| "given by hand".to_owned());
    let mut changes = Vec::new();
    for host in &asked.add {
        let (host, reason) = (host.clone(), reason.clone());
        changes.push(view::ScopeChange::AddHost { host, reason });
    }
    for name in &asked.machine {
        let (name, reason) = (name.clone(), reason.clone());
        changes.push(view::ScopeChange::AddMachine { name, reason });
    }
    for text in &asked.declare {
        let refused = || Failure::new(Why::Usage, format!("`--declare {text}` must be HOST=WHAT"));
        let (host, what) = text.split_once('=').ok_or_else(refused)?;
        changes.push(view::ScopeChange::Declare {
            host: host.to_owned(),
            declaration: what.to_owned(),
            evidence: reason.clone(),
        });
    }
    for host in &asked.confirm {
        changes.push(view::ScopeChange::Confirm { host: host.clone() });
    }
    for (kind, values) in [("sha256", &asked.sha256), ("path", &asked.path), ("address", &asked.ip)]
    {
        for value in values {
            let (kind, value) = (kind.to_owned(), value.clone());
            changes.push(view::ScopeChange::AddIndicator { kind, value, reason: reason.clone() });
        }
    }
    Ok(changes)
}

/// One line about a phase: where it is, and one thing that it waits for or rests on.
#[derive(Serialize)]
struct GateLine {
    phase: String,
    state: String,
    gate: &'static str,
    what: String,
}

impl Row for GateLine {
    const HEAD: &'static [&'static str] = &["phase", "state", "gate", "what"];

    fn cells(&self) -> Vec<String> {
        vec![self.phase.clone(), self.state.clone(), self.gate.to_owned(), self.what.clone()]
    }
}

/// What each phase waits for, a line each; of a closed gate, what it rests on.
fn gates(of: &view::WholeIncident) -> Vec<GateLine> {
    let mut lines = Vec::new();
    for it in &of.gates {
        let phase = of.incident.phases.iter().find(|phase| phase.phase == it.phase);
        let state = phase.map_or_else(String::new, |it| it.state.clone());
        let gate = if it.is_open { "open" } else { "closed" };
        let line =
            |what: String| GateLine { phase: it.phase.clone(), state: state.clone(), gate, what };
        if it.is_open {
            lines.extend(it.needs.iter().map(|need| line(need.clone())));
        } else {
            lines.push(line(it.rests_on.join("; ")));
        }
    }
    lines
}

/// An incident with all that belongs to it.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    incident: view::WholeIncident,
    timeline: Vec<view::Entry>,
    detections: Vec<view::Detection>,
    commands: Vec<view::Command>,
}

fn timeline(client: &Client, id: &str) -> anyhow::Result<Vec<view::Entry>> {
    client.list(&format!("{PATH}/{id}/timeline"), &Vec::new(), ENTRIES_MAX)
}

fn whole(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let incident: view::WholeIncident = client.get(&format!("{PATH}/{id}"), &Vec::new())?;
    let timeline = timeline(client, id)?;
    let detections = named(client, &timeline, "detection", "/api/v1/detections")?;
    let commands = named(client, &timeline, "command", "/api/v1/commands")?;
    let whole = Whole { incident, timeline, detections, commands };
    if output == Output::Json {
        return render::one(output, &whole);
    }
    let incident = &whole.incident;
    render::one(output, &incident.incident)?;
    part("Gates", &gates(incident))?;
    part("Scope", &incident.scope)?;
    part("Indicators", &incident.indicators)?;
    render::say("\nSweep")?;
    render::one(output, &incident.sweep)?;
    part("Tasks", &incident.tasks)?;
    part("Passed gates", &incident.passages)?;
    part("Timeline", &whole.timeline)?;
    part("Detections", &whole.detections)?;
    part("Commands", &whole.commands)
}

/// What the timeline names, in the order in which it first does.
fn named<T: serde::de::DeserializeOwned>(
    client: &Client,
    timeline: &[view::Entry],
    kind: &str,
    path: &str,
) -> anyhow::Result<Vec<T>> {
    let ids = ids(timeline, kind);
    ids.iter().map(|id| client.get(&format!("{path}/{}", segment(id)?), &Vec::new())).collect()
}

/// The ids behind `detection ID` or `command ID`, each once.
fn ids<'a>(timeline: &'a [view::Entry], kind: &str) -> Vec<&'a str> {
    let mut ids = Vec::new();
    for entry in timeline {
        if let Some((it, id)) = entry.object.split_once(' ')
            && it == kind
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids.truncate(NAMED_MAX);
    ids
}

#[cfg(test)]
mod tests;
