//! `cordon detect`: the collector's engine over events in a file, on the responder's machine.
//!
//! In: rules, and events one after the other ([`events`]). Out: a match for each rule that an event
//! fits ([`show`]). What is wrong with a rule or an event is named and passed over; a bad event makes
//! the exit code 1. It needs no collector, and holds one event at a time.

mod events;
mod show;

use std::path::PathBuf;

use cordon_collector::{
    detect::{self, engine::Engine, field::Fields, logsource::LogSource, row, rule::Source},
    rulefile,
};
use cordon_shared::detection::RuleSummary;

use self::{
    events::Event,
    show::{Match, Matches},
};
use crate::{
    args::{Output, detect::Detect},
    failure::{Failure, Why},
    render,
};

/// Bad events that are told one by one (chosen: who has more looks at the file, not at the list).
const TOLD_MAX: u64 = 100;

/// Runs rules over the events of a file, and prints what matches.
///
/// # Errors
/// When no rule loads, the file cannot be read, or an event could not be.
pub(crate) fn run(output: Output, asked: &Detect) -> anyhow::Result<()> {
    let way = Way::of(asked)?;
    let engine = load(&asked.rules)?;
    let mut matches = Matches::new(output);
    let file = asked.events.display().to_string();
    let mut tally = Tally { file, ..Tally::default() };
    let read = events::read(&asked.events, &mut |place, event| {
        tally.events += 1;
        match event.and_then(|event| way.judge(&engine, &event)) {
            Ok(Found::Rules(rules)) => {
                for rule in rules {
                    matches.put(&Match::new(place.index, rule))?;
                }
            }
            Ok(Found::NoSource(named)) => tally.pass_over(&place, &named),
            Err(reason) => tally.refuse(&place, &reason),
        }
        Ok(())
    });
    let count = matches.end()?;
    read?;
    tally.tell(count, &engine, output);
    if tally.bad == 0 {
        return Ok(());
    }
    let text = format!("{} of {} events could not be read", tally.bad, tally.events);
    Err(Failure::new(Why::Failed, text).into())
}

/// Compiles the rules, and names those that would not load.
fn load(paths: &[PathBuf]) -> anyhow::Result<Engine> {
    let mut read = rulefile::Read::default();
    for path in paths {
        if !path.try_exists().unwrap_or(false) {
            let text = format!("`{}` is no rule and no folder of rules", path.display());
            return Err(Failure::new(Why::NotFound, text).into());
        }
        let mut found = rulefile::read(path);
        read.files.append(&mut found.files);
        read.problems.append(&mut found.problems);
    }
    let engine = if paths.is_empty() {
        Engine::new(detect::SHIPPED.iter().copied())
    } else {
        Engine::new(read.files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
    };
    let refused = engine.problems().iter().map(|it| format!("{}: {}", it.file, it.error));
    for it in read.problems.iter().cloned().chain(refused) {
        render::warn(&format!("a rule is not loaded: {it}"));
    }
    if engine.rules().count() == 0 {
        return Err(Failure::new(Why::Failed, "no rule is loaded").into());
    }
    Ok(engine)
}

/// How the log source of an event is known.
enum Way {
    /// All events are of these.
    Given(Vec<Source>),
    /// A field of the event says it.
    Field(String),
}

/// What became of an event.
enum Found<'a> {
    /// The rules that it fits.
    Rules(Vec<&'a RuleSummary>),
    /// No rule could look at it: its log source is this one.
    NoSource(String),
}

impl Way {
    fn of(asked: &Detect) -> anyhow::Result<Self> {
        let usage = |text: String| anyhow::Error::from(Failure::new(Why::Usage, text));
        if let Some(field) = &asked.logsource_field {
            return Ok(Self::Field(field.clone()));
        }
        let Some(text) = &asked.logsource else { return Ok(Self::Given(Source::ALL.to_vec())) };
        let named = LogSource::parse(text).map_err(|it| usage(format!("`{text}`: {it}")))?;
        if !named.is_known() {
            return Err(usage(format!("`{text}` is not a log source of this release")));
        }
        Ok(Self::Given(named.sources()))
    }

    fn judge<'a>(&self, engine: &'a Engine, event: &Event) -> Result<Found<'a>, String> {
        if let Some(row) = row::Row::recognise(event) {
            return Ok(Found::Rules(matches(engine, row.sources(), &row)));
        }
        match self {
            Self::Given(sources) => Ok(Found::Rules(matches(engine, sources, event))),
            Self::Field(name) => {
                let value = event.get(name).ok_or_else(|| format!("has no field `{name}`"))?;
                let named = LogSource::of_json(value).map_err(|it| format!("`{name}`: {it}"))?;
                let sources = named.sources();
                if sources.is_empty() {
                    return Ok(Found::NoSource(value.to_string()));
                }
                Ok(Found::Rules(matches(engine, &sources, event)))
            }
        }
    }
}

fn matches<'a>(
    engine: &'a Engine,
    sources: &[Source],
    fields: &dyn Fields,
) -> Vec<&'a RuleSummary> {
    let rules = |source: &Source| engine.matches(*source, fields);
    sources.iter().flat_map(rules).collect()
}

/// What was read, and what could not be.
#[derive(Default)]
struct Tally {
    file: String,
    events: u64,
    bad: u64,
    passed_over: u64,
    /// Where the first was that no rule could look at, and its log source.
    first_passed_over: Option<String>,
}

impl Tally {
    fn refuse(&mut self, place: &events::Place, reason: &str) {
        self.bad += 1;
        if self.bad <= TOLD_MAX {
            render::warn(&format!("{} {place}: {reason}", self.file));
        } else if self.bad == TOLD_MAX + 1 {
            render::warn("more events that cannot be read are counted and not named");
        }
    }

    fn pass_over(&mut self, place: &events::Place, named: &str) {
        self.passed_over += 1;
        self.first_passed_over.get_or_insert_with(|| format!("{place}: {named}"));
    }

    /// What a person wants to know beside the matches.
    fn tell(&self, matches: u64, engine: &Engine, output: Output) {
        if let Some(first) = &self.first_passed_over {
            let count = self.passed_over;
            render::warn(&format!(
                "{count} events are of log sources that no rule of this release looks at; the first \
                 is {first}"
            ));
        }
        if output == Output::Table {
            let rules = engine.rules().count();
            let events = self.events - self.bad;
            render::warn(&format!("{matches} matches in {events} events by {rules} rules"));
        }
    }
}
