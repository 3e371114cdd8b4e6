//! Small parts that report and console are made of: badges, tables, what stands for an empty list.

use cordon_shared::{detection::Severity, time::Timestamp};
use maud::{Markup, html};

use super::ROWS_MAX;
use crate::report::said::Said;

/// A word with a colour; the word alone says it too.
#[must_use]
pub fn badge(tone: &str, word: &str) -> Markup {
    html! { span class=(format!("badge {tone}")) { (word) } }
}

/// How bad it would be.
#[must_use]
pub fn severity(it: Severity) -> Markup {
    let tone = match it {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "warn",
        Severity::Low | Severity::Informational => "flat",
    };
    badge(tone, it.as_str())
}

/// Whether an incident is open.
#[must_use]
pub fn state(it: &Said) -> Markup {
    badge(if it.as_str() == "closed" { "flat" } else { "warn" }, &it.cut(20))
}

/// A table, cut at [`ROWS_MAX`] rows; a sentence when it has none.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<Markup>], empty: &str) -> Markup {
    html! {
        @if rows.is_empty() {
            p.none { (empty) }
        } @else {
            div.scroll {
                table {
                    thead { tr { @for it in head { th scope="col" { (it) } } } }
                    tbody {
                        @for row in rows.iter().take(ROWS_MAX) {
                            tr { @for cell in row { td { (cell) } } }
                        }
                    }
                }
            }
            (more(rows.len(), ROWS_MAX))
        }
    }
}

/// What was cut, if anything was.
#[must_use]
pub fn more(len: usize, shown: usize) -> Markup {
    html! { @if len > shown { p.note { "and " (len - shown) " more" } } }
}

/// A time with its date apart, so that columns align and times are compared at a glance.
#[must_use]
pub fn time(at: Timestamp) -> Markup {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    html! { span.time { (day) " " b { (time.trim_end_matches('Z')) } } }
}

/// What a machine said, in fixed type.
#[must_use]
pub fn fixed(it: &Said) -> Markup {
    html! { span.fixed { (it) } }
}

/// A list of texts, cut.
#[must_use]
pub fn list(items: &[Said], items_max: usize) -> Markup {
    html! {
        @if !items.is_empty() {
            ul {
                @for it in items.iter().take(items_max) { li { (it) } }
                @if items.len() > items_max { li { "and " (items.len() - items_max) " more" } }
            }
        }
    }
}
