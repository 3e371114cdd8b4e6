//! The sections of a report, in its order.

use maud::{Markup, html};

use super::{
    part::{badge, fixed, list, more, severity, table, time},
    verdict,
};
use crate::report::{
    model::{Command, Facts, Report},
    remain,
    said::{self, Said},
};

/// Lines of what remains on the first page.
const REMAINS_MAX: usize = 40;
/// Steps of one command.
const STEPS_MAX: usize = 40;
/// Commands that are written out.
const COMMANDS_MAX: usize = 150;

/// The first page.
#[must_use]
pub fn summary(it: &Report) -> Markup {
    let sum = &it.summary;
    let lines = |lines: &[Said]| html! { @for line in lines { p { (line) } } };
    html! {
        section.summary {
            h2 { "Summary" }
            dl {
                dt { "What happened" } dd { (lines(&sum.what)) }
                dt { "When" } dd { (lines(&sum.when)) }
                dt { "Where" } dd { (lines(&sum.place)) }
                dt { "What was done" }
                dd {
                    @if sum.done.is_empty() { p { "Nothing was ordered." } }
                    @for done in &sum.done {
                        p { (verdict(Some(done.verdict.as_str()), "")) " " (done.text) }
                    }
                    @if sum.done_more > 0 { p { "and " (sum.done_more) " more; all are in the appendix" } }
                }
                dt { "What remains" }
                dd {
                    @if it.remains.is_empty() {
                        p { "Nothing: every gate is closed, no hold is in force, every order has its proof." }
                    } @else {
                        (list(&it.remains, REMAINS_MAX))
                    }
                }
            }
        }
    }
}

/// How long things took.
#[must_use]
pub fn clocks(it: &Report) -> Markup {
    html! {
        section {
            h2 { "How long it took" }
            div.clocks {
                @for clock in &it.clocks {
                    div class=(if clock.duration.is_some() { "clock" } else { "clock open" }) {
                        p.kicker { (clock.clock) }
                        p.value { (clock.spoken()) }
                        p { (clock.what) }
                        p.note { (clock.note) }
                    }
                }
            }
        }
    }
}

/// The six phases, their gates, and who went through an open one.
#[must_use]
pub fn phases(facts: &Facts) -> Markup {
    let rows: Vec<_> = facts
        .phases
        .iter()
        .map(|it| {
            let tone = match it.state.as_str() {
                "done" => "good",
                "reopened" => "bad",
                "active" => "warn",
                _ => "flat",
            };
            let needs = html! {
                @if !it.needs.is_empty() { (list(&it.needs, 12)) }
                @else if it.rests_on.is_empty() { span.quiet { "–" } }
                @else { (badge("good", "rests on")) (list(&it.rests_on, 12)) }
            };
            let since = html! {
                @if it.state.as_str() == "pending" { span.quiet { "–" } } @else { (time(it.since)) }
            };
            let name = html! { b { (remain::spoken(it.phase)) } };
            vec![name, badge(tone, it.state.as_str()), since, needs]
        })
        .collect();
    html! {
        section {
            h2 { "Phases and gates" }
            (table(&["Phase", "State", "Since", "What would close it, or closed it"], &rows, ""))
            @if !facts.overrides.is_empty() {
                h3 { "Closed with an open gate" }
                @let rows: Vec<_> = facts.overrides.iter().map(|it| {
                    vec![time(it.at), html! { b { (it.actor) } }, html! { (it.text) }]
                }).collect();
                (table(&["When (UTC)", "Who", "Which, and why"], &rows, ""))
            }
            @if let Some(lead) = &facts.incident.lead { p { "Incident lead: " b { (lead) } } }
            @else { p { "This incident has no lead." } }
        }
    }
}

/// The hosts in scope.
#[must_use]
pub fn hosts(facts: &Facts) -> Markup {
    let rows: Vec<_> = facts
        .hosts
        .iter()
        .map(|it| {
            let own = facts.commands.iter().filter(|command| command.agent_id == it.agent_id);
            let words: Vec<_> = own
                .map(|it| {
                    format!("{} {}", it.action, it.verdict.as_deref().unwrap_or("no receipt"))
                })
                .map(Said::new)
                .collect();
            let held =
                remain::holds(facts).iter().filter(|hold| hold.agent_id == it.agent_id).count();
            let state = html! {
                (it.standing)
                @if held > 0 { " " (badge("warn", &format!("{held} held"))) }
                @if !it.phases.is_empty() { br; (it.phases) }
                @if !it.containment.is_empty() { br; (it.containment) }
                @if let Some(why) = &it.exempt { br; (why) }
            };
            let seen = html! { @if let Some(at) = it.last_seen { (time(at)) } @else { "never" } };
            let done = html! {
                @if words.is_empty() { span.quiet { "–" } } @else { (said::listed(&words, 8)) }
            };
            vec![
                html! { b { (it.name) } },
                html! { (it.tier) },
                html! { (it.system) },
                state,
                seen,
                done,
            ]
        })
        .collect();
    let head = ["Host", "Tier", "System", "State", "Last heard (UTC)", "What was done"];
    html! { section { h2 { "Hosts in scope" } (table(&head, &rows, "No host is in scope.")) } }
}

/// What was found.
#[must_use]
pub fn detections(facts: &Facts) -> Markup {
    let rows: Vec<_> = facts
        .detections
        .iter()
        .map(|it| {
            let what = html! {
                b { (it.title) } " "
                @if !it.techniques.is_empty() { span.quiet { (said::listed(&it.techniques, 6)) } }
                br; (fixed(&it.summary))
            };
            let host = html! { (facts.host_name(&it.agent_id)) };
            vec![
                time(it.first),
                severity(it.severity),
                what,
                host,
                html! { span.number { (it.count) } },
            ]
        })
        .collect();
    let head = ["First event (UTC)", "Severity", "What was found", "Host", "Events"];
    html! { section { h2 { "Detections" } (table(&head, &rows, "Nothing was found by a rule.")) } }
}

/// What to look for elsewhere.
#[must_use]
pub fn indicators(facts: &Facts) -> Markup {
    let row = |it: &crate::report::model::Indicator| {
        vec![html! { (it.kind) }, fixed(&it.value), html! { (it.source) }]
    };
    let rows: Vec<_> = facts.indicators.iter().map(row).collect();
    let empty = "The events of this incident name none.";
    html! {
        section {
            h2 { "Indicators" }
            p.note { "What the processes of this incident were, touched and reached. Not each is hostile: judge before you sweep." }
            (table(&["Kind", "Value", "Seen"], &rows, empty))
            @if !facts.sweeps.is_empty() { h3 { "What the fleet answered" } (list(&facts.sweeps, 8)) }
        }
    }
}

/// When hosts were blind.
#[must_use]
pub fn gaps(facts: &Facts) -> Markup {
    let rows: Vec<_> = facts
        .gaps
        .iter()
        .map(|it| {
            let count = it.spoken();
            let sensor = if it.sensor.is_empty() { Said::from("–") } else { it.sensor.clone() };
            let host = html! { (facts.host_name(&it.agent_id)) };
            vec![
                time(it.from),
                time(it.until),
                host,
                html! { (it.cause) },
                html! { (sensor) },
                html! { (count) },
            ]
        })
        .collect();
    let head = ["From (UTC)", "Until (UTC)", "Host", "Cause", "Sensor", "Events lost"];
    let empty = "No host in scope declared a loss in this time.";
    html! { section { h2 { "Blind spots" } (table(&head, &rows, empty)) } }
}

/// What is kept.
#[must_use]
pub fn evidence(facts: &Facts) -> Markup {
    let row = |it: &crate::report::model::Evidence| {
        vec![html! { (it.what) }, fixed(&it.id), html! { (it.source) }, html! { (it.proof) }]
    };
    let rows: Vec<_> = facts.evidence.iter().map(row).collect();
    let head = ["What", "Name", "From", "Proof"];
    html! { section { h2 { "Evidence" } (table(&head, &rows, "Nothing is kept beside the events.")) } }
}

/// What is to be done.
#[must_use]
pub fn lessons(facts: &Facts) -> Markup {
    let or = |it: &Option<Said>, else_: &str| {
        it.as_ref().map_or_else(|| else_.to_owned(), ToString::to_string)
    };
    let rows: Vec<_> = facts
        .tasks
        .iter()
        .map(|it| {
            let state =
                badge(if it.state.as_str() == "done" { "good" } else { "warn" }, &it.state.cut(20));
            let (owner, due) = (or(&it.owner, "nobody"), or(&it.due, "no date"));
            vec![html! { (it.text) }, html! { (owner) }, html! { (due) }, state]
        })
        .collect();
    let empty = "No action item has been written down.";
    html! {
        section {
            h2 { "Lessons and actions" }
            (table(&["What", "Owner", "Due", "State"], &rows, empty))
        }
    }
}

/// The timeline, whole.
#[must_use]
pub fn entries(facts: &Facts) -> Markup {
    let row = |it: &crate::report::model::Entry| {
        let actor = it.actor.as_str().strip_prefix("agent ");
        let actor = actor.map_or_else(|| it.actor.clone(), |id| facts.host_name(id));
        vec![time(it.at), html! { (it.kind) }, html! { (actor) }, html! { (it.text) }]
    };
    let rows: Vec<_> = facts.timeline.iter().map(row).collect();
    let head = ["When (UTC)", "Kind", "Who", "What"];
    html! { section { h2 { "Timeline" } (table(&head, &rows, "Nothing is on the timeline.")) } }
}

/// Every order, with who signed it and its receipt.
#[must_use]
pub fn commands(facts: &Facts) -> Markup {
    html! {
        section.appendix {
            h2 { "Appendix: commands, signers, receipts" }
            @if facts.commands.is_empty() { p.none { "Nothing was ordered." } }
            @for it in facts.commands.iter().take(COMMANDS_MAX) { (command(facts, it)) }
            (more(facts.commands.len(), COMMANDS_MAX))
        }
    }
}

fn command(facts: &Facts, it: &Command) -> Markup {
    html! {
        article {
            h3 {
                (it.action) " on " (facts.host_name(&it.agent_id)) " "
                (verdict(it.verdict.as_deref(), &it.state))
            }
            dl.small {
                dt { "Command" } dd { span.fixed { (it.command_id) } }
                dt { "Order" } dd { (it.summary) }
                dt { "Handed in by" } dd { (it.issued_by) }
                dt { "Signed by" }
                dd { @if it.signers.is_empty() { "not known" } @else { (said::listed(&it.signers, 16)) } }
                dt { "Issued" } dd { (it.issued) }
                @if let Some(lease) = &it.lease { dt { "Lasts" } dd { (lease) } }
                @if let Some(hold) = &it.releases_id { dt { "Ends hold" } dd { span.fixed { (hold) } } }
                dt { "Receipt" }
                dd {
                    @match (&it.closed, &it.receipt_event_id) {
                        (Some(at), Some(event)) => { (at) ", event " span.fixed { (event) } }
                        (Some(at), None) => { (at) }
                        (None, _) => { "none yet" }
                    }
                }
                @if let Some(detail) = &it.detail { dt { "It says" } dd { (detail) } }
                @if !it.open.is_empty() { dt { b { "Left open" } } dd { (list(&it.open, STEPS_MAX)) } }
                @if !it.steps.is_empty() { dt { "Steps" } dd { (list(&it.steps, STEPS_MAX)) } }
            }
        }
    }
}
