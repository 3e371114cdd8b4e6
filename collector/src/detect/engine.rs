//! All rules, by log source, over a batch.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cordon_shared::{
    arrival::Arrival,
    detection::{Basis, Detection, RuleSummary, Subject},
    event::{Body, Event},
    id::EventId,
};

use super::{
    field::{self, Fields},
    matcher::Program,
    parse,
    rule::{Node, Rule, Source},
};

/// Characters of a command line or path in a detection's summary.
const SUMMARY_CHARS_MAX: usize = 200;

/// The rules of one log source.
#[derive(Debug, Default)]
struct Group {
    /// By the program's numbers.
    rules: Vec<Loaded>,
    program: Program,
}

/// A rule that is loaded.
#[derive(Debug)]
struct Loaded {
    summary: RuleSummary,
    file: String,
    /// It broke: until the rules are loaded again it matches nothing.
    is_off: AtomicBool,
}

/// A rule that broke on an event and is switched off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Which rule.
    pub rule: RuleSummary,
    /// Its file.
    pub file: String,
    /// The event.
    pub event: EventId,
}

/// A rule that could not be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Its file.
    pub file: String,
    /// Line and reason.
    pub error: parse::ParseError,
}

/// The rules. A reload makes another; nothing changes in one but that a rule is switched off.
#[derive(Debug, Default)]
pub struct Engine {
    groups: BTreeMap<Source, Group>,
    problems: Vec<Problem>,
    broken: Mutex<Vec<Broken>>,
}

impl Engine {
    /// Compiles `(file, text)` pairs. What cannot be loaded is among [`Engine::problems`].
    #[must_use]
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut engine = Self::default();
        let mut conditions: BTreeMap<Source, Vec<Node>> = BTreeMap::new();
        let mut ids = HashMap::new();
        for (file, text) in files {
            // Detections are named after the rule's id: two rules of one id would be one.
            let loaded = parse::rule(text).and_then(|rule| match ids.get(&rule.summary.id) {
                Some(other) => {
                    let line = parse::line_of(text, "id");
                    let reason = format!("`{other}` has a rule of the same id");
                    Err(parse::ParseError { line, reason })
                }
                None => Ok(rule),
            });
            match loaded {
                Ok(Rule { summary, source, condition }) => {
                    ids.insert(summary.id.clone(), file);
                    let group = engine.groups.entry(source).or_default();
                    let (file, is_off) = (file.to_owned(), AtomicBool::new(false));
                    group.rules.push(Loaded { summary, file, is_off });
                    conditions.entry(source).or_default().push(condition);
                }
                Err(error) => engine.problems.push(Problem { file: file.to_owned(), error }),
            }
        }
        for (group, conditions) in engine.groups.values_mut().zip(conditions.values()) {
            group.program = Program::compile(conditions);
        }
        engine
    }

    /// The rules that are loaded, each with its file.
    pub fn rules(&self) -> impl Iterator<Item = (&RuleSummary, &str)> {
        let rules = self.groups.values().flat_map(|it| &it.rules);
        rules.map(|it| (&it.summary, it.file.as_str()))
    }

    /// What could not be loaded.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The rules of a source that these fields match.
    pub fn matches<'a>(
        &'a self,
        source: Source,
        fields: &dyn Fields,
    ) -> impl Iterator<Item = &'a RuleSummary> + use<'a> {
        let group = self.groups.get(&source);
        let matches = group.map(|it| it.program.matches(fields)).unwrap_or_default();
        matches.into_iter().filter_map(move |rule| Some(&group?.rules.get(rule)?.summary))
    }

    /// What the rules find in an event of a batch. A rule that breaks on it is switched off.
    #[must_use]
    pub fn judge(&self, arrival: &Arrival, id: EventId, event: &Event) -> Vec<Detection> {
        let sources = field::sources(event).iter();
        let rules = sources.flat_map(|source| self.holding(*source, event, id));
        rules.map(|rule| detection(rule, arrival, id, event)).collect()
    }

    /// As [`Engine::matches`], for the event of that name. A rule that breaks on it is switched off.
    pub fn holding(
        &self,
        source: Source,
        fields: &dyn Fields,
        event: EventId,
    ) -> Vec<&RuleSummary> {
        let Some(Group { rules, program }) = self.groups.get(&source) else { return Vec::new() };
        // Matching changes nothing that outlives it, so nothing is left half done. What breaks while
        // it is done for all rules at once is done again rule by rule: so it is known whose it is.
        let look = panic::catch_unwind(AssertUnwindSafe(|| program.look(fields)));
        let mut look = look.unwrap_or_else(|_panic| program.look_alone(fields));
        let mut holding = Vec::new();
        for number in look.candidates() {
            let Some(it) = rules.get(number) else { continue };
            if it.is_off.load(Ordering::Relaxed) {
                continue;
            }
            match panic::catch_unwind(AssertUnwindSafe(|| look.holds(number))) {
                Ok(true) => holding.push(&it.summary),
                Ok(false) => (),
                Err(_panic) => self.switch_off(it, event),
            }
        }
        holding
    }

    fn switch_off(&self, it: &Loaded, event: EventId) {
        if !it.is_off.swap(true, Ordering::Relaxed) {
            let (rule, file) = (it.summary.clone(), it.file.clone());
            self.lock().push(Broken { rule, file, event });
        }
    }

    /// The rules that are switched off, in the order in which they broke.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rules find in a batch, in event order.
    #[must_use]
    pub fn run(&self, arrival: &Arrival) -> Vec<Detection> {
        arrival.events().flat_map(|(id, event)| self.judge(arrival, id, event)).collect()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the rule `{}` broke on event {} and is switched off until the rules are loaded again",
            self.rule.title, self.event
        )
    }
}

fn detection(rule: &RuleSummary, arrival: &Arrival, id: EventId, event: &Event) -> Detection {
    let boot = arrival.boot();
    let mut ancestry = Vec::new();
    if let Body::ProcessLaunch(launch) = &event.body {
        ancestry.extend(launch.ancestry.iter().map(|it| it.key));
    }
    let subject = field::actor(event).map(|process| Subject {
        key: Some(process.key),
        uid: process.key.uid(arrival.agent, boot),
        ancestry: ancestry.iter().map(|key| key.uid(arrival.agent, boot)).collect(),
    });
    Detection {
        id: Detection::id_of(&rule.id, id),
        rule: rule.clone(),
        basis: Basis::Event(id),
        agent: arrival.agent,
        host: arrival.host.id,
        at: arrival.corrected(event.boottime),
        subject,
        exercise: event.exercise,
        summary: summary(event),
    }
}

/// The event in one line.
fn summary(event: &Event) -> String {
    let get = |field| event.get(field).unwrap_or_default();
    let pid = field::actor(event).map_or_else(String::new, |it| format!(" (pid {})", it.key.pid));
    let line = match field::sources(event).first() {
        Some(Source::FileEvent) => format!("{} wrote {}", get("Image"), get("TargetFilename")),
        Some(Source::NetworkConnection) => {
            let (image, to) = (get("Image"), get("DestinationIp"));
            format!("{image} connected to {to} port {}", get("DestinationPort"))
        }
        Some(Source::ProcessCreation) | None => {
            format!("{}: {}", get("Image"), get("CommandLine"))
        }
        Some(_) => format!("{}: {}", get("unit"), get("message")),
    };
    let line: String = line.chars().take(SUMMARY_CHARS_MAX).collect();
    line + &pid
}
