//! What a person or a script reads: a table, or JSON.
//!
//! What comes from hosts is hostile: every control character is shown and none is obeyed by the
//! terminal. On a terminal a table keeps within its width: first the columns that matter least go,
//! then the last column wraps; ids are never cut. Piped, every row is one line.

mod order;
mod row;

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{args::Output, failure::Unread};

/// Columns of text that a last column is worth wrapping to.
const WRAPPED_COLUMNS_MIN: usize = 20;
/// How often a wait shows that it goes on.
const TICK: Duration = Duration::from_millis(120);
/// Between two columns.
const GAP: usize = 2;

/// What is shown of one item of a list.
pub(crate) trait Row: Serialize {
    /// The columns.
    const HEAD: &'static [&'static str];

    /// Columns that are left out of a narrow terminal, the least important first.
    const LESS: &'static [&'static str] = &[];

    /// The cells, as many as columns.
    fn cells(&self) -> Vec<String>;
}

/// Prints a list.
///
/// # Errors
/// When nobody reads.
pub(crate) fn list<T: Row>(output: Output, items: &[T]) -> anyhow::Result<()> {
    match output {
        Output::Json => say(&json(items)?),
        Output::Table if items.is_empty() => say("nothing to show"),
        Output::Table => say(&rows(items, width())),
    }
}

/// The table of a list, in a terminal so wide.
pub(crate) fn rows<T: Row>(items: &[T], width: Option<usize>) -> String {
    table(T::HEAD, T::LESS, items.iter().map(Row::cells).collect(), width)
}

/// Prints one thing: fields below each other, or an array of one object.
///
/// # Errors
/// When nobody reads.
pub(crate) fn one<T: Serialize>(output: Output, item: &T) -> anyhow::Result<()> {
    match output {
        Output::Json => say(&json(&[item])?),
        Output::Table => say(&fields(&serde_json::to_value(item)?)),
    }
}

/// JSON that a terminal only shows: what it could obey is escaped, which means the same.
///
/// # Errors
/// Never for what the API gives.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<String> {
    Ok(escape_json(&serde_json::to_string_pretty(value)?))
}

/// Escapes what serde leaves as it is: outside of texts JSON has no such characters.
pub(crate) fn escape_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        if is_hidden(it) && it != '\n' {
            shown.push_str(&format!("\\u{:04x}", u32::from(it)));
        } else {
            shown.push(it);
        }
    }
    shown
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

/// A table without lines.
fn table(head: &[&str], less: &[&str], rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let mut columns: Vec<(String, Vec<String>)> =
        head.iter().map(|it| (it.to_uppercase(), Vec::new())).collect();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.1.push(safe(&cell));
        }
    }
    if let Some(width) = width {
        narrow(&mut columns, less, width);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|(name, _)| Cell::new(name)));
    let count = columns.first().map_or(0, |(_, cells)| cells.len());
    for index in 0..count {
        table.add_row(columns.iter().filter_map(|(_, cells)| cells.get(index)));
    }
    let last = columns.len().saturating_sub(1);
    let taken: usize = columns.iter().take(last).map(|it| wide(it) + GAP).sum();
    let left = width.map(|it| it.saturating_sub(taken)).filter(|it| *it >= WRAPPED_COLUMNS_MIN);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if index < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let (Some(width), Some(_)) = (width, left) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Leaves columns out, the least important first, until the rest fits or wraps well.
fn narrow(columns: &mut Vec<(String, Vec<String>)>, less: &[&str], width: usize) {
    for name in less {
        let last = columns.len().saturating_sub(1);
        let taken: usize = columns.iter().take(last).map(|it| wide(it) + GAP).sum();
        let end = columns.last().map_or(0, wide).min(WRAPPED_COLUMNS_MIN);
        if taken + end <= width {
            return;
        }
        let name = name.to_uppercase();
        columns.retain(|(it, _)| *it != name);
    }
}

fn wide((name, cells): &(String, Vec<String>)) -> usize {
    cells.iter().chain([name]).map(|it| console::measure_text_width(it)).max().unwrap_or(0)
}

/// Columns of the terminal; nothing when the output goes elsewhere.
fn width() -> Option<usize> {
    let size = console::Term::stdout().size_checked();
    size.filter(|_| io::stdout().is_terminal()).map(|(_, columns)| usize::from(columns))
}

/// Shows on a terminal that something takes its time, until it is dropped.
pub(crate) fn wait(what: &'static str) -> impl Drop {
    /// Ends the show.
    struct Wait(ProgressBar);
    impl Drop for Wait {
        fn drop(&mut self) {
            self.0.finish_and_clear();
        }
    }
    // Draws on standard error, and only where that is a terminal.
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(TICK);
    Wait(bar)
}

/// Text that a terminal only shows: control characters, and those that turn the direction of text,
/// are written out.
pub(crate) fn safe(text: &str) -> String {
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

/// Control characters (C0, C1), zero widths, line separators, turns of direction, byte order mark.
fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// As [`safe`], for text of several lines that are ours.
pub(crate) fn safe_lines(text: &str) -> String {
    text.split('\n').map(safe).collect::<Vec<_>>().join("\n")
}

/// A moment to the millisecond, in UTC, for what is compared with other moments.
pub(crate) fn instant(text: &str) -> String {
    let (date, rest) = text.split_once('T').unwrap_or((text, ""));
    let (whole, fraction) = rest.trim_end_matches('Z').split_once('.').unwrap_or((rest, ""));
    let whole = whole.trim_end_matches('Z');
    let fraction: String = fraction.chars().take(3).collect();
    if rest.is_empty() { text.to_owned() } else { format!("{date} {whole}.{fraction:0<3}") }
}

/// A time to the second, in UTC.
pub(crate) fn time(text: &str) -> String {
    let instant = instant(text);
    instant.rsplit_once('.').map_or(instant.clone(), |(whole, _)| whole.to_owned())
}

/// Prints a line, or several.
///
/// # Errors
/// [`Unread`] when nobody reads any more.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints what is ours, as it is.
///
/// # Errors
/// [`Unread`] when nobody reads any more; else the disk's.
pub(crate) fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// What became of writing to the output.
///
/// # Errors
/// [`Unread`] when nobody reads any more; else the disk's.
pub(crate) fn written(done: io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Unread.into()),
        done => Ok(done?),
    }
}

/// Tells the person at the terminal something beside the output.
#[expect(clippy::print_stderr, reason = "what is beside the output is for the person")]
pub(crate) fn warn(text: &str) {
    eprintln!("cordon: {}", safe_lines(text));
}

#[cfg(test)]
mod tests;
