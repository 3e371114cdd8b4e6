//! What happened when, as a figure: one row for each thing, time from the left to the right.
//!
//! An incident is found in milliseconds and closed in days, so the axis is logarithmic: its ticks say
//! so. In: [`Facts`]. Out: rows ([`of`]), and their drawing ([`draw`]).

use std::time::Duration;

use cordon_shared::{
    incident::{Phase, PhaseState},
    time::Timestamp,
};
use maud::{Markup, html};

use super::{WIDTH, at};
use crate::report::{
    clock::spoken,
    model::{Command, Detection, Facts},
    remain,
};

/// Rows of one group (chosen: what fits on a page).
const GROUP_ROWS_MAX: usize = 10;
/// Characters of a row's name: those that fit beside the axis.
const NAME_CHARS_MAX: usize = 34;
/// Marks in a row (chosen: more would be one blot).
const MARKS_MAX: usize = 64;

/// Where the axis begins and ends.
const LEFT: f64 = 230.0;
const RIGHT: f64 = WIDTH - 16.0;
/// Height of the axis, of a group's heading and of a row.
const TOP: f64 = 26.0;
const HEADING: f64 = 24.0;
const ROW: f64 = 22.0;
/// Width of a letter of the figure's small type.
const LETTER: f64 = 6.2;

/// Ticks of the axis, in milliseconds.
const TICKS: &[(u64, &str)] = &[
    (10, "10 ms"),
    (100, "0.1 s"),
    (1_000, "1 s"),
    (10_000, "10 s"),
    (60_000, "1 min"),
    (600_000, "10 min"),
    (3_600_000, "1 h"),
    (36_000_000, "10 h"),
    (259_200_000, "3 d"),
    (2_592_000_000, "30 d"),
    (31_536_000_000, "1 y"),
];

/// A timeline to be drawn.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeline {
    began: Timestamp,
    until: Timestamp,
    groups: Vec<Group>,
}

#[derive(Clone, PartialEq, Debug)]
struct Group {
    heading: &'static str,
    rows: Vec<Row>,
    more: usize,
}

#[derive(Clone, PartialEq, Debug)]
struct Row {
    name: String,
    marks: Vec<Mark>,
    label: String,
}

/// A moment, or a time with an end.
#[derive(Clone, PartialEq, Debug)]
struct Mark {
    class: &'static str,
    from: Timestamp,
    until: Option<Timestamp>,
    told: String,
}

/// The rows of an incident; none when nothing was found in it.
#[must_use]
pub fn of(facts: &Facts) -> Option<Timeline> {
    let began = facts.began().unwrap_or(facts.incident.opened);
    let last = facts.timeline.iter().map(|it| it.at).max().unwrap_or(began);
    let last = last.max(facts.incident.updated);
    let until = if facts.is_closed() { last } else { last.max(facts.made) };
    let detections = facts.detections.iter().map(|it| detection(it, began)).collect();
    let commands = facts.commands.iter().map(|it| command(facts, it, until)).collect();
    let groups = [
        group("Found", detections),
        group("Ordered and answered", commands),
        group("People", people(facts)),
        group("Phases", Phase::ALL.into_iter().filter_map(|it| phase(facts, it, until)).collect()),
        group("Blind", blind(facts)),
    ];
    let groups: Vec<_> = groups.into_iter().filter(|it| !it.rows.is_empty()).collect();
    (!groups.is_empty()).then_some(Timeline { began, until, groups })
}

fn group(heading: &'static str, mut rows: Vec<Row>) -> Group {
    let more = rows.len().saturating_sub(GROUP_ROWS_MAX);
    rows.truncate(GROUP_ROWS_MAX);
    Group { heading, rows, more }
}

fn detection(it: &Detection, began: Timestamp) -> Row {
    let seen = Mark {
        class: "seen",
        from: it.first,
        until: Some(it.found),
        told: format!("event at {}, found at {}", it.first, it.found),
    };
    let found = Mark {
        class: "found",
        from: it.found,
        until: None,
        told: format!("found at {}", it.found),
    };
    let label = format!("found at +{}", spoken(it.found.since(began)));
    Row { name: it.title.cut(NAME_CHARS_MAX), marks: vec![seen, found], label }
}

fn command(facts: &Facts, it: &Command, until: Timestamp) -> Row {
    let verdict = it.verdict.as_deref();
    let class = match verdict {
        Some("complete") => "complete",
        Some("partial" | "unknown") => "partial",
        Some("failed") => "failed",
        Some(_) => "nothing",
        None => "waiting",
    };
    let told = verdict.unwrap_or("no receipt yet");
    let label = match it.closed {
        Some(closed) => format!("{told} after {}", spoken(closed.since(it.issued))),
        None => told.to_owned(),
    };
    let mark = Mark {
        class,
        from: it.issued,
        until: Some(it.closed.unwrap_or(until)),
        told: format!("{} ordered at {}: {label}", it.action, it.issued),
    };
    let name = format!("{} {}", it.action, facts.host_name(&it.agent_id).cut(NAME_CHARS_MAX));
    Row { name: name.chars().take(NAME_CHARS_MAX).collect(), marks: vec![mark], label }
}

/// What people did, one row for each of them.
fn people(facts: &Facts) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for it in facts.timeline.iter().filter(|it| it.is_of_person()) {
        let name = it.actor.cut(NAME_CHARS_MAX);
        let told = format!("{} at {}: {}", it.kind, it.at, it.text.cut(80));
        let mark = Mark { class: "person", from: it.at, until: None, told };
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) if row.marks.len() < MARKS_MAX => row.marks.push(mark),
            Some(_) => (),
            None => rows.push(Row { name, marks: vec![mark], label: String::new() }),
        }
    }
    rows
}

/// The states that a phase went through, by the timeline; the last one by its own row.
fn phase(facts: &Facts, phase: Phase, until: Timestamp) -> Option<Row> {
    let now = facts.phases.iter().find(|it| it.phase == phase)?;
    if now.state == PhaseState::Pending {
        return None;
    }
    let prefix = format!("{}: ", phase.as_str());
    let mut states: Vec<(PhaseState, Timestamp)> = Vec::new();
    for it in facts.timeline.iter().filter(|it| it.kind.as_str() == "phase") {
        let moved = it.text.as_str().strip_prefix(prefix.as_str());
        let after = moved.and_then(|it| it.split_once(" to "));
        let state = after.and_then(|(_, after)| PhaseState::parse(after.split([' ', ':']).next()?));
        states.extend(state.map(|state| (state, it.at)));
    }
    if states.last().map(|it| it.0) != Some(now.state) {
        states.push((now.state, now.since));
    }
    let ends = states.iter().skip(1).map(|it| it.1).chain([until]);
    let marks = states.iter().zip(ends).map(|((state, from), end)| Mark {
        class: match state {
            PhaseState::Pending | PhaseState::Active => "active",
            PhaseState::Done => "done",
            PhaseState::Reopened => "reopened",
        },
        from: *from,
        until: Some(end),
        told: format!("{} since {from}", state.as_str()),
    });
    let marks = marks.take(MARKS_MAX).collect();
    let name = remain::spoken(phase).to_owned();
    Some(Row { name, marks, label: now.state.as_str().to_owned() })
}

fn blind(facts: &Facts) -> Vec<Row> {
    let row = |it: &crate::report::model::Gap| {
        let label = format!("{}, events lost: {}", it.cause.cut(20), it.spoken());
        let mark = Mark {
            class: "blind",
            from: it.from,
            until: Some(it.until),
            told: format!("{} to {}: {label}", it.from, it.until),
        };
        Row { name: facts.host_name(&it.agent_id).cut(NAME_CHARS_MAX), marks: vec![mark], label }
    };
    facts.gaps.iter().map(row).collect()
}

impl Timeline {
    /// Where a moment lies: the logarithm of the time since the first event.
    fn x(&self, moment: Timestamp) -> f64 {
        let scale = |it: Duration| (it.as_secs_f64() * 1_000.0).ln_1p();
        let whole = scale(self.until.since(self.began)).max(f64::MIN_POSITIVE);
        let part = (scale(moment.since(self.began)) / whole).clamp(0.0, 1.0);
        LEFT + part * (RIGHT - LEFT)
    }

    fn height(&self) -> f64 {
        let groups = self.groups.iter().map(|it| {
            let rows = it.rows.iter().fold(HEADING, |height, _| height + ROW);
            if it.more > 0 { rows + ROW } else { rows }
        });
        TOP + groups.sum::<f64>() + 6.0
    }
}

/// Draws it.
#[must_use]
pub fn draw(it: &Timeline) -> Markup {
    let height = it.height();
    let mut y = TOP;
    html! {
        svg.figure.timeline xmlns="http://www.w3.org/2000/svg"
            viewBox=(format!("0 0 {} {}", at(WIDTH), at(height))) role="img"
            aria-label="What happened when, by the time since the first event" {
            (axis(it, height))
            @for group in &it.groups {
                text.heading x="0" y=(at(y + HEADING - 7.0)) { (group.heading) }
                line.rule x1="0" y1=(at(y + HEADING - 2.0)) x2=(at(WIDTH)) y2=(at(y + HEADING - 2.0)) {}
                @let () = y += HEADING;
                @for row in &group.rows {
                    (drawn(it, row, y))
                    @let () = y += ROW;
                }
                @if group.more > 0 {
                    text.name x="8" y=(at(y + 15.0)) { "and " (group.more) " more" }
                    @let () = y += ROW;
                }
            }
        }
    }
}

fn axis(it: &Timeline, height: f64) -> Markup {
    let whole = it.until.since(it.began);
    let mut free_from = LEFT + 20.0;
    html! {
        text.tick x=(at(LEFT)) y="12" { "0" }
        line.grid x1=(at(LEFT)) y1="18" x2=(at(LEFT)) y2=(at(height)) {}
        @for (ms, name) in TICKS {
            @let tick = Duration::from_millis(*ms);
            @if tick < whole {
                @let x = it.x(it.began.saturating_add(tick));
                line.grid x1=(at(x)) y1="18" x2=(at(x)) y2=(at(height)) {}
                @if x > free_from && x < RIGHT - 20.0 {
                    text.tick x=(at(x)) y="12" text-anchor="middle" { (name) }
                    @let () = free_from = x + 44.0;
                }
            }
        }
        text.name x="0" y="12" { "time since the first event" }
    }
}

fn drawn(it: &Timeline, row: &Row, y: f64) -> Markup {
    let middle = y + ROW / 2.0;
    let ends = row.marks.iter().map(|mark| it.x(mark.until.unwrap_or(mark.from)));
    let end = ends.fold(LEFT, f64::max) + 9.0;
    let start = row.marks.iter().map(|mark| it.x(mark.from)).fold(RIGHT, f64::min);
    let width = row.label.chars().fold(0.0, |width, _| width + LETTER);
    // Behind the last mark; before the first one when there is more room; else over the bar.
    let label = if end + width <= WIDTH {
        (end, "start", "label")
    } else if start - 6.0 - width >= LEFT {
        (start - 6.0, "end", "label")
    } else {
        (end - 15.0, "end", "label over")
    };
    html! {
        text.name x="8" y=(at(middle + 4.0)) { (row.name) }
        @for mark in &row.marks {
            (marked(it, mark, middle))
        }
        text class=(label.2) x=(at(label.0)) y=(at(middle + 4.0)) text-anchor=(label.1) { (row.label) }
    }
}

fn marked(it: &Timeline, mark: &Mark, middle: f64) -> Markup {
    let from = it.x(mark.from);
    html! {
        @match mark.until {
            Some(until) => {
                rect class=(mark.class) x=(at(from)) y=(at(middle - 6.0))
                    width=(at((it.x(until) - from).max(3.0))) height="12" { title { (mark.told) } }
            }
            None => {
                circle class=(mark.class) cx=(at(from)) cy=(at(middle)) r="5" { title { (mark.told) } }
            }
        }
    }
}
