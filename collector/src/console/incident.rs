//! One incident: where it stands, what would move each phase, what happened, and the commands to type.

use maud::{Markup, html};

use super::list::strip;
use crate::report::{
    figure::{timeline, tree},
    html::{
        part::{list, severity, state},
        section,
    },
    model::{Facts, Indicator, Report},
    remain,
    said::Said,
};

/// The page.
#[must_use]
pub fn page(it: &Report, who: &str) -> String {
    let facts = &it.facts;
    let incident = &facts.incident;
    let main = html! {
        p.kicker { a href="/" { "Incidents" } }
        h1 { (incident.title) }
        p {
            (severity(incident.severity)) " " (state(&incident.state)) " " (strip(&facts.phases)) " "
            span.fixed.quiet { (incident.incident_id) }
        }
        p {
            @if let Some(lead) = &incident.lead { "Lead: " b { (lead) } " · " }
            a href=(format!("/incidents/{}/report", incident.incident_id)) { "Open the report" }
        }
        div.columns {
            section {
                h2 { "What remains" }
                @if it.remains.is_empty() { p { "Nothing." } } @else { (list(&it.remains, 30)) }
            }
            section { h2 { "What to type" } (typed(facts)) }
        }
        (section::clocks(it))
        (section::phases(facts))
        @if let Some(timeline) = timeline::of(facts) {
            section { h2 { "What happened when" } figure { (timeline::draw(&timeline)) } }
        }
        @if let Some(tree) = tree::of(facts) {
            section { h2 { "Processes" } figure { (tree::draw(&tree)) } }
        }
        (section::detections(facts))
        (section::gaps(facts))
        (section::entries(facts))
        (section::commands(facts))
        @if !facts.unread.is_empty() {
            section { h2 { "What this page lacks" } ul { @for it in &facts.unread { li { (it) } } } }
        }
    };
    let title = incident.title.cut(60);
    super::page(&title, who, &main)
}

/// Whether a file lies where packages put theirs: to sweep for a shell finds every host.
fn is_of_system(it: &Indicator) -> bool {
    ["/usr/", "/bin/", "/sbin/", "/lib"].iter().any(|folder| it.source.as_str().starts_with(folder))
}

/// Commands for a responder's own terminal: signing is done there, with a key that no page sees.
fn typed(facts: &Facts) -> Markup {
    let incident = &facts.incident.incident_id;
    let mut lines = Vec::new();
    for host in facts.hosts.iter().take(8) {
        let agent = &host.agent_id;
        lines.push((
            format!("Cut {} off", host.name.cut(40)),
            format!("cordon isolate {agent} --incident {incident} --key KEYFILE"),
        ));
    }
    for it in facts.processes.iter().filter(|it| it.ended.is_none() && !it.detections.is_empty()) {
        lines.push((
            format!("End {} (pid {}) and its children", it.name.cut(30), it.pid),
            format!(
                "cordon kill {} --process {} --tree --incident {incident} --key KEYFILE",
                it.agent_id, it.process_uid
            ),
        ));
    }
    for it in facts.indicators.iter().filter(|it| it.kind == "sha256" && !is_of_system(it)).take(4)
    {
        lines.push((
            format!("Look for {} everywhere", it.source.cut(40)),
            format!("cordon sweep {incident} --sha256 {} --key KEYFILE", it.value),
        ));
    }
    for hold in remain::holds(facts).iter().filter(|it| it.action == "isolate").take(8) {
        lines.push((
            format!("Let {} in again", facts.host_name(&hold.agent_id).cut(40)),
            format!(
                "cordon release {} --hold {} --incident {incident} --key KEYFILE",
                hold.agent_id, hold.command_id
            ),
        ));
    }
    lines.push(("Write it up".to_owned(), format!("cordon report {incident} --out report.html")));
    lines.truncate(24);
    html! {
        @for (what, line) in &lines {
            p.typed { span.note { (what) } code { (Said::new(line.as_str())) } }
        }
    }
}
