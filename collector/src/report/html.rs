//! A report as one page that needs nothing else: no script, no link out, its style and figures inside.
//! Pure.
//!
//! In: a [`Report`]. Out: HTML. Every value goes through maud, which escapes it, after
//! [`Said`](super::said::Said) has shown what would hide. A policy in the page itself forbids the
//! browser to load or run anything ([`policy`]), also when the file is opened from a disk. Lists are
//! cut at [`ROWS_MAX`].

pub mod part;

pub mod section;

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::part::{badge, severity, state};
use super::{
    figure::{timeline, tree},
    model::Report,
};

/// Rows of one table (chosen: a printed report of some dozen pages).
pub const ROWS_MAX: usize = 250;

/// How a report looks; the console looks the same.
pub const STYLE: &str =
    concat!(include_str!("../../web/base.css"), include_str!("../../web/report.css"));

/// What the browser may do with the page: show it, with this very style.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let sum = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{sum}'; base-uri 'none'; form-action 'none'")
});

/// The page's content policy, also as a header.
#[must_use]
pub fn policy() -> &'static str {
    &POLICY
}

/// Writes the page.
#[must_use]
pub fn page(it: &Report) -> String {
    let incident = &it.facts.incident;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Incident report: " (incident.title) }
                style { (PreEscaped(STYLE)) }
            }
            body.report {
                header {
                    p.kicker { "Incident report" }
                    h1 { (incident.title) }
                    p {
                        (severity(incident.severity)) " " (state(&incident.state)) " "
                        span.fixed { (incident.incident_id) }
                    }
                    p.note {
                        "Made " (it.facts.made) " for " (it.facts.made_for)
                        " from what the collector recorded. All times are UTC."
                    }
                }
                main { (body(it)) }
                footer {
                    p.note {
                        "Incident " (incident.incident_id) " · made " (it.facts.made)
                        " · durations are computed from recorded times; verdicts are those of signed receipts."
                    }
                }
            }
        }
    };
    page.into_string()
}

fn body(it: &Report) -> Markup {
    let facts = &it.facts;
    html! {
        (section::summary(it))
        (section::clocks(it))
        @if let Some(timeline) = timeline::of(facts) {
            section {
                h2 { "What happened when" }
                figure { (timeline::draw(&timeline)) }
            }
        }
        @if let Some(tree) = tree::of(facts) {
            section {
                h2 { "Processes" }
                figure { (tree::draw(&tree)) }
                p.note { "A red edge marks a process that a rule found. Times are counted from the first event." }
            }
        }
        (section::phases(facts))
        (section::hosts(facts))
        (section::detections(facts))
        (section::indicators(facts))
        (section::gaps(facts))
        (section::evidence(facts))
        (section::lessons(facts))
        (section::entries(facts))
        (section::commands(facts))
        @if !facts.unread.is_empty() {
            section {
                h2 { "What this report lacks" }
                ul { @for it in &facts.unread { li { (it) } } }
            }
        }
    }
}

/// A verdict that is not prettified.
pub(super) fn verdict(it: Option<&str>, state: &str) -> Markup {
    match it {
        Some("complete") => badge("good", "complete"),
        Some("partial") => badge("warn", "PARTIAL"),
        Some("failed") => badge("bad", "FAILED"),
        Some("unknown") => badge("warn", "UNKNOWN"),
        Some(other) => badge("flat", other),
        None if state == "expired" => badge("bad", "no receipt"),
        None => badge("flat", "no receipt yet"),
    }
}
