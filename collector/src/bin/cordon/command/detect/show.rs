//! Matches as they are printed: JSON as they come, a table at the end.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use cordon_shared::detection::RuleSummary;
use serde::Serialize;

use crate::{
    args::Output,
    render::{self, Row},
};

/// Rows of a table (chosen: more than a person reads). JSON has no such bound.
const ROWS_MAX: u64 = 10_000;

/// A rule that an event fits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Match {
    event_index: u64,
    rule_id: String,
    rule_title: String,
    level: &'static str,
}

impl Match {
    pub(super) fn new(event_index: u64, rule: &RuleSummary) -> Self {
        let (rule_id, rule_title) = (rule.id.clone(), rule.title.clone());
        Self { event_index, rule_id, rule_title, level: rule.severity.as_str() }
    }
}

impl Row for Match {
    const HEAD: &'static [&'static str] = &["event", "level", "rule", "title"];
    const LESS: &'static [&'static str] = &["rule"];

    fn cells(&self) -> Vec<String> {
        let rule = self.rule_id.clone();
        vec![self.event_index.to_string(), self.level.to_owned(), rule, self.rule_title.clone()]
    }
}

/// Where matches go.
pub(super) struct Matches {
    count: u64,
    way: Way,
}

enum Way {
    Json(BufWriter<StdoutLock<'static>>),
    Table(Vec<Match>),
}

impl Matches {
    pub(super) fn new(output: Output) -> Self {
        let way = match output {
            Output::Json => Way::Json(BufWriter::new(io::stdout().lock())),
            Output::Table => Way::Table(Vec::new()),
        };
        Self { count: 0, way }
    }

    /// Takes a match.
    ///
    /// # Errors
    /// When nobody reads.
    pub(super) fn put(&mut self, found: &Match) -> anyhow::Result<()> {
        match &mut self.way {
            Way::Json(out) => {
                let before = if self.count == 0 { "[\n" } else { ",\n" };
                let json = render::escape_json(&serde_json::to_string(found)?);
                render::written(write!(out, "{before}  {json}"))?;
            }
            Way::Table(rows) if self.count < ROWS_MAX => rows.push(found.clone()),
            Way::Table(_) => (),
        }
        self.count += 1;
        Ok(())
    }

    /// Prints what is left to print, and says how many there were.
    ///
    /// # Errors
    /// When nobody reads.
    pub(super) fn end(self) -> anyhow::Result<u64> {
        match self.way {
            Way::Json(mut out) => {
                let end = if self.count == 0 { "[]\n" } else { "\n]\n" };
                render::written(out.write_all(end.as_bytes()).and_then(|()| out.flush()))?;
            }
            Way::Table(rows) => {
                render::list(Output::Table, &rows)?;
                if self.count > ROWS_MAX {
                    let more = self.count - ROWS_MAX;
                    render::warn(&format!("{more} matches more: --output json prints them all"));
                }
            }
        }
        Ok(self.count)
    }
}
