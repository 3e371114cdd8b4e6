//! How long things took: computed from recorded times, never typed. Pure.
//!
//! One incident's times; the mean over incidents is called MTTD, MTTA, MTTC, MTTE, MTTR, and so these
//! are named after them. What has not happened is "not yet" with a reason, and never zero.

use std::time::Duration;

use cordon_shared::{
    incident::{Phase, PhaseState},
    time::Timestamp,
};
use serde::{Serialize, Serializer};

use super::{
    model::{Command, Facts, Host},
    said::Said,
};

/// Actions that take something from the adversary; names as commands have them.
const CONTAINING: &[&str] = &[
    "kill",
    "suspend",
    "isolate",
    "block",
    "cut",
    "quarantine",
    "lock-account",
    "end-sessions",
    "disable-unit",
];

/// One clock.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// `MTTD`, …
    pub clock: &'static str,
    /// What it measures.
    pub what: &'static str,
    /// When it ended; absent when it has not.
    #[serde(serialize_with = "at")]
    pub at: Option<Timestamp>,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Option<Duration>,
    /// By what it ended, or why it has not.
    pub note: Said,
}

impl Reading {
    /// As people read it.
    #[must_use]
    pub fn spoken(&self) -> String {
        self.duration.map_or_else(|| "not yet".to_owned(), spoken)
    }
}

/// A duration in two units at most.
#[must_use]
pub fn spoken(it: Duration) -> String {
    let (ms, seconds) = (it.as_millis(), it.as_secs());
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    if seconds < 60 {
        let tenths = ms / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    if hours == 0 {
        return format!("{minutes} min {:02} s", seconds % 60);
    }
    if hours < 24 {
        return format!("{hours} h {:02} min", minutes % 60);
    }
    format!("{} d {} h", hours / 24, hours % 24)
}

/// All five.
#[must_use]
pub fn read(facts: &Facts) -> Vec<Reading> {
    let began = facts.began();
    let found = facts.detections.iter().map(|it| it.found).min();
    let found = found.map(|at| (at, "the first detection".to_owned())).ok_or("nothing was found");
    let found_at = found.as_ref().ok().map(|it| it.0);
    let reading = |clock, what, from: Option<Timestamp>, end: Ended| {
        let (at, note) = match end {
            Ok((at, note)) => (Some(at), note),
            Err(why) => (None, why),
        };
        let duration = at.zip(from).map(|(at, from)| at.since(from));
        let is_early = at.zip(from).is_some_and(|(at, from)| at < from);
        let note = if is_early { format!("{note}; by the clocks it came first") } else { note };
        Reading { clock, what, at, duration, note: Said::new(note) }
    };
    vec![
        reading("MTTD", "first event to detection", began, found.map_err(str::to_owned)),
        reading("MTTA", "detection to first answer", found_at, answered(facts)),
        reading("MTTC", "first event to contained", began, contained(facts)),
        reading("MTTE", "first event to eradicated", began, done(facts, Phase::Eradication)),
        reading("MTTR", "first event to recovered", began, done(facts, Phase::Recovery)),
    ]
}

/// When a clock ended and by what, or why it has not.
type Ended = Result<(Timestamp, String), String>;

/// The first command, or the first act of a person.
fn answered(facts: &Facts) -> Ended {
    let commands =
        facts.commands.iter().map(|it| (it.issued, format!("{} by {}", it.action, it.issued_by)));
    let acts = facts.timeline.iter().filter(|it| it.is_of_person());
    let acts = acts.map(|it| (it.at, format!("{} by {}", it.kind, it.actor)));
    let first = commands.chain(acts).min_by_key(|it| it.0);
    first.ok_or_else(|| "nobody has answered".to_owned())
}

/// The receipt by which the last host in scope was proved contained.
fn contained(facts: &Facts) -> Ended {
    let phase = facts.phases.iter().find(|it| it.phase == Phase::Containment);
    if let Some(phase) = phase.filter(|it| it.state == PhaseState::Reopened) {
        return Err(format!("reopened at {}", phase.since));
    }
    let mut last = None;
    for host in &facts.hosts {
        if host.exempt.is_some() {
            continue;
        }
        let is_done = phase.is_some_and(|it| it.state == PhaseState::Done);
        if host.is_contained == Some(false) && !is_done {
            return Err(format!("{}: {}", host.name, host.containment));
        }
        last = last.max(Some(host_contained(facts, host)?));
    }
    match last {
        Some(at) if facts.hosts.len() == 1 => Ok((at, "the host is proved contained".to_owned())),
        Some(at) => Ok((at, "every host in scope is proved contained".to_owned())),
        None => Err("no host is in scope".to_owned()),
    }
}

/// When the receipts proved a host contained: of each action that was begun, the first receipt that
/// says `complete` and that no other verdict of the same action follows.
fn host_contained(facts: &Facts, host: &Host) -> Result<Timestamp, String> {
    let mut last = None;
    for action in CONTAINING {
        let begun = |it: &&Command| {
            it.agent_id == host.agent_id
                && it.action == *action
                && !matches!(it.verdict.as_deref(), Some("refused" | "expired" | "planned"))
                && it.state != "expired"
        };
        let mut proved: Option<Result<Timestamp, String>> = None;
        for command in facts.commands.iter().filter(begun) {
            proved = Some(match (command.verdict.as_deref(), proved) {
                (Some("complete"), Some(Ok(earlier))) => Ok(earlier),
                (Some("complete"), _) => Ok(command.closed.unwrap_or(command.issued)),
                (Some(verdict), _) => Err(format!("is {verdict}")),
                (None, _) => Err("has no receipt yet".to_owned()),
            });
        }
        match proved {
            None => (),
            Some(Ok(at)) => last = last.max(Some(at)),
            Some(Err(why)) => return Err(format!("{action} on {} {why}", host.name)),
        }
    }
    let at = last.ok_or_else(|| format!("nothing was done on {} to contain it", host.name))?;
    let later = facts.detections.iter().filter(|it| it.agent_id == host.agent_id && it.first > at);
    let Some(again) = later.map(|it| it.first).max() else { return Ok(at) };
    // It went on, or came back: only what was proved after that counts.
    let proved = facts.commands.iter().filter(|it| {
        it.agent_id == host.agent_id
            && CONTAINING.contains(&it.action.as_str())
            && it.verdict.as_deref() == Some("complete")
    });
    let proved = proved.filter_map(|it| it.closed).filter(|it| *it >= again).min();
    proved.ok_or_else(|| format!("found again on {} at {again}, nothing proved since", host.name))
}

/// When a phase was closed on its gate.
fn done(facts: &Facts, phase: Phase) -> Ended {
    let Some(it) = facts.phases.iter().find(|it| it.phase == phase) else {
        return Err("the phase is not known".to_owned());
    };
    match it.state {
        PhaseState::Done => Ok((it.since, format!("{} was closed", phase.as_str()))),
        PhaseState::Reopened => Err(format!("reopened at {}", it.since)),
        PhaseState::Active => Err(format!("{} is worked on", phase.as_str())),
        PhaseState::Pending => Err(format!("{} has not begun", phase.as_str())),
    }
}

fn at<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

fn milliseconds<S: Serializer>(it: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match it {
        Some(it) => serializer.serialize_u64(u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        None => serializer.serialize_none(),
    }
}
