//! The list of incidents: what is open first, how far each is, who leads it.

use cordon_shared::time::Timestamp;
use maud::{Markup, html};

use crate::report::{
    clock::spoken,
    html::part::{self, severity, state},
    model::{Incident, PhaseFacts},
    remain,
    said::Said,
};

/// An incident in one line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The incident.
    pub incident: Incident,
    /// Its phases.
    pub phases: Vec<PhaseFacts>,
    /// The first host.
    pub host: Said,
}

/// The page. `lines` newest first; those that are open come before those that are closed.
#[must_use]
pub fn page(lines: &[Line], who: &str, now: Timestamp, older: Option<&str>) -> String {
    let is_open = |it: &&Line| it.incident.state.as_str() != "closed";
    let (open, closed): (Vec<_>, Vec<_>) = lines.iter().partition(is_open);
    let main = html! {
        h1 { "Incidents" }
        p.note { (open.len()) " open, " (closed.len()) " closed on this page, at " (now) }
        (table(&open, now, "No incident is open."))
        @if !closed.is_empty() {
            h2 { "Closed" }
            (table(&closed, now, ""))
        }
        @if let Some(older) = older { p { a href=(format!("/?cursor={older}")) { "Older" } } }
    };
    super::page("Incidents", who, &main)
}

fn table(lines: &[&Line], now: Timestamp, empty: &str) -> Markup {
    let row = |it: &&Line| {
        let incident = &it.incident;
        let title = html! {
            a.title href=(format!("/incidents/{}", incident.incident_id)) { (incident.title.cut(120)) }
            br; span.fixed.quiet { (incident.incident_id) }
        };
        let lead = html! {
            @match &incident.lead {
                Some(lead) => { (lead) }
                None => { span.quiet { "no lead" } }
            }
        };
        let age = html! { span.number { (spoken(now.since(incident.opened))) } };
        let state = html! { (severity(incident.severity)) " " (state(&incident.state)) };
        vec![state, title, strip(&it.phases), html! { (it.host) }, lead, age]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    part::table(&["Severity", "Incident", "Phases", "First host", "Lead", "Age"], &rows, empty)
}

/// The six phases as a strip: a box each, with the first letter and the state in words behind it.
#[must_use]
pub fn strip(phases: &[PhaseFacts]) -> Markup {
    html! {
        span.strip {
            @for it in phases {
                @let name = remain::spoken(it.phase);
                span class=(format!("box {}", it.state.as_str()))
                    title=(format!("{name}: {}", it.state.as_str())) {
                    (name.chars().next().unwrap_or(' ').to_uppercase())
                }
            }
        }
    }
}
