//! What a person or a script reads: a table, or JSON.
//!
//! What comes from hosts is hostile: every control character is shown and none is obeyed by the
//! terminal.

use comfy_table::{Cell, ContentArrangement, Table, presets};
use cordon_collector::api::view;
use serde::Serialize;

use crate::args::Output;

/// What is shown of one item of a list.
pub(crate) trait Row: Serialize {
    /// The columns.
    const HEAD: &'static [&'static str];

    /// The cells, as many as columns.
    fn cells(&self) -> Vec<String>;
}

/// Prints a list.
///
/// # Errors
/// Never for what the API gives.
pub(crate) fn list<T: Row>(output: Output, items: &[T]) -> anyhow::Result<()> {
    match output {
        Output::Json => say(&serde_json::to_string_pretty(items)?),
        Output::Table if items.is_empty() => say("nothing to show"),
        Output::Table => say(&table(T::HEAD, items.iter().map(Row::cells).collect())),
    }
    Ok(())
}

/// Prints one thing: fields below each other, or an array of one object.
///
/// # Errors
/// Never for what the API gives.
pub(crate) fn one<T: Serialize>(output: Output, item: &T) -> anyhow::Result<()> {
    match output {
        Output::Json => say(&serde_json::to_string_pretty(&[item])?),
        Output::Table => say(&fields(&serde_json::to_value(item)?)),
    }
    Ok(())
}

/// The simple fields of an object, one below the other, without those that are empty.
fn fields(value: &serde_json::Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    let shown = pairs.filter_map(|(name, value)| {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
            serde_json::Value::Array(items) => {
                let texts: Option<Vec<_>> = items.iter().map(|it| it.as_str()).collect();
                texts?.join(", ")
            }
            serde_json::Value::Null | serde_json::Value::Object(_) => return None,
        };
        (!text.is_empty()).then(|| (name.replace('_', " "), text))
    });
    let shown: Vec<_> = shown.collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, text): &(String, String)| format!("{name:<width$}  {}", safe(text));
    shown.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A table without lines, its ids whole: they are copied from here.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().map(|it| Cell::new(it.to_uppercase())));
    for row in rows {
        table.add_row(row.iter().map(|it| Cell::new(safe(it))));
    }
    let columns = table.column_iter_mut();
    for column in columns {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Text that a terminal only shows: control characters, and those that turn the direction of text,
/// are written out.
pub(crate) fn safe(text: &str) -> String {
    let is_hidden = |it: char| {
        it.is_control()
            || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        if is_hidden(it) {
            shown.extend(it.escape_unicode());
        } else {
            shown.push(it);
        }
    }
    shown
}

/// As [`safe`], for text of several lines that are ours.
pub(crate) fn safe_lines(text: &str) -> String {
    text.split('\n').map(safe).collect::<Vec<_>>().join("\n")
}

/// A time to the millisecond, as people compare it.
pub(crate) fn time(text: &str) -> String {
    let (date, rest) = text.split_once('T').unwrap_or((text, ""));
    let (whole, fraction) = rest.trim_end_matches('Z').split_once('.').unwrap_or((rest, ""));
    let whole = whole.trim_end_matches('Z');
    let fraction: String = fraction.chars().take(3).collect();
    if rest.is_empty() { text.to_owned() } else { format!("{date} {whole}.{fraction:0<3}") }
}

fn optional(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

#[expect(clippy::print_stdout, reason = "this is what the person asked for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

impl Row for view::Host {
    const HEAD: &'static [&'static str] =
        &["agent", "name", "tier", "standing", "connected", "last seen", "version"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.agent_id.clone(),
            self.name.clone(),
            self.tier.clone(),
            self.standing.clone(),
            if self.is_connected { "yes" } else { "no" }.to_owned(),
            self.last_seen.as_deref().map_or_else(|| "-".to_owned(), time),
            self.agent_version.clone(),
        ]
    }
}

impl Row for view::Token {
    const HEAD: &'static [&'static str] = &["token", "hosts", "tier", "labels", "by", "expires"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.token_id.clone(),
            format!("{} of {}", self.hosts, self.hosts_max),
            self.tier.clone(),
            self.labels.join(" "),
            self.created_by.clone(),
            time(&self.expires),
        ]
    }
}

impl Row for view::Detection {
    const HEAD: &'static [&'static str] =
        &["detection", "last", "severity", "title", "count", "incident", "summary"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.detection_id.clone(),
            time(&self.last),
            self.severity.clone(),
            self.title.clone(),
            self.count.to_string(),
            optional(self.incident_id.as_deref()),
            self.summary.clone(),
        ]
    }
}

impl Row for view::Incident {
    const HEAD: &'static [&'static str] = &["incident", "opened", "severity", "state", "title"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.incident_id.clone(),
            time(&self.opened),
            self.severity.clone(),
            self.state.clone(),
            self.title.clone(),
        ]
    }
}

impl Row for view::Phase {
    const HEAD: &'static [&'static str] = &["phase", "state", "since"];

    fn cells(&self) -> Vec<String> {
        vec![self.phase.clone(), self.state.clone(), time(&self.since)]
    }
}

impl Row for view::Entry {
    const HEAD: &'static [&'static str] = &["at", "kind", "who", "what"];

    fn cells(&self) -> Vec<String> {
        vec![time(&self.at), self.kind.clone(), self.actor.clone(), self.text.clone()]
    }
}

impl Row for view::Command {
    const HEAD: &'static [&'static str] =
        &["command", "issued", "by", "state", "verdict", "ms", "summary"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.command_id.clone(),
            time(&self.issued),
            self.issued_by.clone(),
            self.state.clone(),
            optional(self.verdict.as_deref()),
            self.duration_ms.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            self.summary.clone(),
        ]
    }
}

impl Row for view::Rule {
    const HEAD: &'static [&'static str] = &["rule", "severity", "armed", "title", "source"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.rule_id.clone(),
            self.severity.clone(),
            if self.is_armed { "yes" } else { "no" }.to_owned(),
            self.title.clone(),
            self.source.clone(),
        ]
    }
}

impl Row for view::Audit {
    const HEAD: &'static [&'static str] = &["number", "at", "who", "action", "object", "detail"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            time(&self.at),
            self.principal.clone(),
            self.action.clone(),
            self.object.clone(),
            self.detail.clone(),
        ]
    }
}

#[cfg(test)]
mod tests;
