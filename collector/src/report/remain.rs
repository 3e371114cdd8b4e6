//! What is not done yet: open gates, commands without a proved end, holds that still hold, tasks.
//! Pure.
//!
//! An incident that is closed says here what was left behind. What is not listed is not thereby done:
//! the verdicts in the appendix are the word.

use cordon_shared::incident::{Phase, PhaseState};

use super::{
    model::{Command, Facts},
    said::{self, Said},
};

/// Actions whose effect lasts until a release names them.
const HOLDING: &[&str] = &["isolate", "block", "suspend", "lock-account"];

/// Actions that end a hold or give back what one took.
const ENDING: &[&str] = &["release", "unblock", "resume", "unlock-account"];

/// Sentences, the most pressing first.
#[must_use]
pub fn of(facts: &Facts) -> Vec<Said> {
    let mut remains = Vec::new();
    remains.extend(facts.commands.iter().filter_map(|it| unfinished(facts, it)));
    remains.extend(holds(facts).into_iter().map(|it| held(facts, it)));
    remains.extend(phases(facts));
    if facts.incident.verdict.is_none() {
        remains.push("nobody has given a verdict".to_owned());
    }
    if facts.incident.lead.is_none() {
        remains.push("nobody leads this incident".to_owned());
    }
    for task in facts.tasks.iter().filter(|it| it.state.as_str() != "done") {
        let owner = task.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        let due = task.due.as_ref().map_or_else(|| "no date".to_owned(), ToString::to_string);
        remains.push(format!("task: {} ({owner}, {due})", task.text));
    }
    remains.into_iter().map(Said::new).collect()
}

/// A command whose end is not a proof.
fn unfinished(facts: &Facts, it: &Command) -> Option<String> {
    let host = facts.host_name(&it.agent_id);
    let what = format!("{} on {host}", it.action);
    let is_made_good = facts.commands.iter().any(|other| {
        other.agent_id == it.agent_id
            && other.action == it.action
            && other.issued > it.issued
            && other.verdict.as_deref() == Some("complete")
    });
    if is_made_good {
        return None;
    }
    match it.verdict.as_deref() {
        None if it.state == "expired" => Some(format!("{what}: no receipt came before it expired")),
        None => Some(format!("{what}: no receipt yet (it is {})", it.state)),
        Some("partial") => {
            let open = said::listed(&it.open, 5);
            let open =
                if open.is_empty() { "the receipt does not say what".to_owned() } else { open };
            Some(format!("{what} is partial; open: {open}"))
        }
        Some("failed") => Some(format!("{what} failed and was rolled back")),
        Some("unknown") => Some(format!("{what}: how far it got is not known")),
        // Nothing was done, and whoever ordered it was told so; the appendix has them.
        Some(_) => None,
    }
}

/// Commands that began a hold which no complete release has ended.
#[must_use]
pub fn holds(facts: &Facts) -> Vec<&Command> {
    let is_ended = |hold: &Command| {
        facts.commands.iter().any(|it| {
            ENDING.contains(&it.action.as_str())
                && it.verdict.as_deref() == Some("complete")
                && it.releases_id.as_deref() == Some(hold.command_id.as_str())
        })
    };
    let begun = facts.commands.iter().filter(|it| {
        HOLDING.contains(&it.action.as_str())
            && matches!(it.verdict.as_deref(), Some("complete" | "partial"))
    });
    begun.filter(|it| !is_ended(it)).collect()
}

fn held(facts: &Facts, it: &Command) -> String {
    let host = facts.host_name(&it.agent_id);
    let lease = it.lease.as_ref().map_or_else(String::new, |it| format!("; {it}"));
    format!("{} on {host} is still in force (hold {}){lease}", it.action, it.command_id)
}

fn phases(facts: &Facts) -> Vec<String> {
    let mut open = Vec::new();
    let mut pending = Vec::new();
    for it in &facts.phases {
        // Being ready is the fleet's, not an incident's.
        if it.phase == Phase::Preparation || it.state == PhaseState::Done {
            continue;
        }
        if it.state == PhaseState::Pending && it.needs.is_empty() {
            pending.push(spoken(it.phase));
            continue;
        }
        let needs = said::listed(&it.needs, 4);
        let needs = if needs.is_empty() { String::new() } else { format!(": {needs}") };
        open.push(format!("{} is {}{needs}", spoken(it.phase), it.state.as_str()));
    }
    if !pending.is_empty() {
        open.push(format!("not begun: {}", pending.join(", ")));
    }
    open
}

/// A phase as people write it.
#[must_use]
pub fn spoken(phase: Phase) -> &'static str {
    match phase {
        Phase::Preparation => "preparation",
        Phase::Identification => "identification",
        Phase::Containment => "containment",
        Phase::Eradication => "eradication",
        Phase::Recovery => "recovery",
        Phase::LessonsLearned => "lessons learned",
    }
}
