//! The first page in sentences: what, when, where, what was done. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    clock::{Reading, spoken},
    model::{Command, Facts},
    said::Said,
};

/// Lines of what was done (chosen: what fits on the first page).
const DONE_LINES_MAX: usize = 12;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What happened.
    pub what: Vec<Said>,
    /// When.
    pub when: Vec<Said>,
    /// Where.
    pub place: Vec<Said>,
    /// What was done, each with its verdict.
    pub done: Vec<Done>,
    /// How many more were done.
    pub done_more: usize,
}

/// A deed and its proof.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// The verdict as the receipt has it, or `no receipt`.
    pub verdict: Said,
    /// What, where, by whom, how fast.
    pub text: Said,
}

/// Sums up.
#[must_use]
pub fn of(facts: &Facts, clocks: &[Reading]) -> Summary {
    let done: Vec<_> = facts.commands.iter().map(|it| deed(facts, it)).collect();
    let done_more = done.len().saturating_sub(DONE_LINES_MAX);
    Summary {
        what: what(facts),
        when: when(facts, clocks),
        place: place(facts),
        done: done.into_iter().take(DONE_LINES_MAX).collect(),
        done_more,
    }
}

fn what(facts: &Facts) -> Vec<Said> {
    let mut rules: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for it in &facts.detections {
        let (detections, events) = rules.entry(it.title.as_str()).or_default();
        *detections += 1;
        *events += it.count;
    }
    let mut lines = Vec::new();
    if let Some(first) = facts.detections.iter().min_by_key(|it| it.first) {
        lines.push(Said::new(format!("It began with: {}", first.summary)));
    }
    let (found, by) = (facts.detections.len(), rules.len());
    let events: u64 = facts.detections.iter().map(|it| it.count).sum();
    let count = |count: usize, one: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
    };
    lines.push(Said::new(format!(
        "{} by {} over {}, about {}.",
        count(found, "detection"),
        count(by, "rule"),
        count(usize::try_from(events).unwrap_or(usize::MAX), "event"),
        processes(facts)
    )));
    let verdict = match &facts.incident.verdict {
        Some(verdict) => format!("Verdict: {verdict}."),
        None => "Nobody has given a verdict yet.".to_owned(),
    };
    lines.push(Said::new(verdict));
    lines
}

fn processes(facts: &Facts) -> String {
    let mut uids: Vec<_> =
        facts.detections.iter().filter_map(|it| it.process_uid.as_ref()).collect();
    uids.sort_unstable();
    uids.dedup();
    match uids.len() {
        0 => "no process".to_owned(),
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    }
}

fn when(facts: &Facts, clocks: &[Reading]) -> Vec<Said> {
    let mut lines = Vec::new();
    if let Some(began) = facts.began() {
        lines.push(Said::new(format!("First event: {began}.")));
    }
    let named = |name: &str| clocks.iter().find(|it| it.clock == name);
    if let Some((took, contained)) = named("MTTD").zip(named("MTTC")) {
        let contained = match contained.duration {
            Some(_) => format!("contained after {}", contained.spoken()),
            None => format!("not contained yet ({})", contained.note),
        };
        lines.push(Said::new(format!("Found after {}; {contained}.", took.spoken())));
    }
    let state = if facts.is_closed() { "Closed; last" } else { "Open; last" };
    lines.push(Said::new(format!("{state} entry: {}.", facts.incident.updated)));
    lines
}

fn place(facts: &Facts) -> Vec<Said> {
    let line = |host: &super::model::Host| {
        let found = facts.detections.iter().filter(|it| it.agent_id == host.agent_id).count();
        let found = match found {
            0 => "no detection".to_owned(),
            1 => "1 detection".to_owned(),
            count => format!("{count} detections"),
        };
        Said::new(format!("{} ({}, {}): {found}", host.name, host.tier, host.system))
    };
    facts.hosts.iter().take(DONE_LINES_MAX).map(line).collect()
}

fn deed(facts: &Facts, it: &Command) -> Done {
    let took =
        it.closed.map(|at| format!(", {} after it was ordered", spoken(at.since(it.issued))));
    let detail = it.detail.as_ref().filter(|it| !it.is_empty());
    let detail = detail.map_or_else(String::new, |it| format!(": {}", it.cut(160)));
    let text = format!(
        "{} on {} by {}{}{detail}",
        it.action,
        facts.host_name(&it.agent_id),
        it.issued_by,
        took.unwrap_or_default()
    );
    let verdict = match (it.verdict.as_deref(), it.state.as_str()) {
        (Some(verdict), _) => verdict.to_owned(),
        (None, "expired") => "no receipt".to_owned(),
        (None, state) => format!("{state}, no receipt yet"),
    };
    Done { verdict: Said::new(verdict), text: Said::new(text) }
}
