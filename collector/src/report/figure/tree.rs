//! The processes of an incident as a tree: who began whom, what was found about whom, how each ended.
//!
//! In: the processes as they were gathered. Out: rows in the order of the tree ([`of`]), and their
//! drawing ([`draw`]). Parents may be missing and may not name each other in a circle: what was drawn
//! is not drawn again.

use std::collections::{BTreeMap, BTreeSet};

use cordon_shared::time::Timestamp;
use maud::{Markup, html};

use super::{WIDTH, at};
use crate::report::{
    clock::spoken,
    model::{Facts, Process},
};

/// Processes that are drawn (chosen: two printed pages).
const ROWS_MAX: usize = 60;
/// Levels that are drawn apart; what is deeper is drawn at the last one.
const DEPTH_MAX: usize = 20;

const ROW: f64 = 44.0;
const HEADING: f64 = 24.0;
const STEP: f64 = 22.0;
/// Width of a letter of the figure's fixed type.
const LETTER: f64 = 6.7;

/// A row of the drawing.
#[derive(Clone, Debug)]
struct Row<'a> {
    depth: usize,
    /// The row of its parent, counted from the top.
    parent: Option<usize>,
    process: &'a Process,
}

/// A tree to be drawn.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    began: Option<Timestamp>,
    hosts: Vec<(String, Vec<Row<'a>>)>,
    more: usize,
}

/// The tree of an incident; none when no process is known.
#[must_use]
pub fn of(facts: &Facts) -> Option<Tree<'_>> {
    let mut children: BTreeMap<Option<&str>, Vec<&Process>> = BTreeMap::new();
    let known: BTreeSet<&str> = facts.processes.iter().map(|it| it.process_uid.as_str()).collect();
    for it in &facts.processes {
        let parent = it.parent_uid.as_deref().filter(|uid| known.contains(uid));
        children.entry(parent).or_default().push(it);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|it| (it.launched, it.pid));
    }
    let mut hosts: Vec<(String, Vec<Row<'_>>)> = Vec::new();
    let (mut seen, mut drawn) = (BTreeSet::new(), 0);
    for root in children.get(&None).into_iter().flatten() {
        let name = facts.host_name(&root.agent_id).cut(60);
        let index = hosts.iter().position(|it| it.0 == name).unwrap_or_else(|| {
            hosts.push((name, Vec::new()));
            hosts.len() - 1
        });
        let Some((_, rows)) = hosts.get_mut(index) else { continue };
        let mut waiting = vec![(*root, 0, None)];
        while let Some((process, depth, parent)) = waiting.pop() {
            if !seen.insert(process.process_uid.as_str()) || drawn >= ROWS_MAX {
                continue;
            }
            drawn += 1;
            rows.push(Row { depth: depth.min(DEPTH_MAX), parent, process });
            let here = rows.len() - 1;
            let below = children.get(&Some(process.process_uid.as_str()));
            waiting
                .extend(below.into_iter().flatten().rev().map(|it| (*it, depth + 1, Some(here))));
        }
    }
    hosts.retain(|it| !it.1.is_empty());
    let more = facts.processes.len().saturating_sub(drawn);
    (!hosts.is_empty()).then_some(Tree { began: facts.began(), hosts, more })
}

impl Tree<'_> {
    fn height(&self) -> f64 {
        let rows = |count: usize| (0..count).fold(0.0, |height, _| height + ROW);
        let hosts: f64 = self.hosts.iter().map(|it| HEADING + rows(it.1.len())).sum();
        hosts + if self.more > 0 { HEADING } else { 4.0 }
    }
}

/// Draws it.
#[must_use]
pub fn draw(it: &Tree<'_>) -> Markup {
    let height = it.height();
    let mut y = 0.0;
    html! {
        svg.figure.tree xmlns="http://www.w3.org/2000/svg"
            viewBox=(format!("0 0 {} {}", at(WIDTH), at(height))) role="img"
            aria-label="The processes, each below the one that began it" {
            @for (host, rows) in &it.hosts {
                text.heading x="0" y=(at(y + 16.0)) { (host) }
                @let () = y += HEADING;
                @for (index, row) in rows.iter().enumerate() {
                    (drawn(it, row, index, y))
                }
                @let () = y += rows.iter().fold(0.0, |height, _| height + ROW);
            }
            @if it.more > 0 {
                text.name x="0" y=(at(y + 16.0)) { "and " (it.more) " more" }
            }
        }
    }
}

/// Where the row `index` of a host begins.
fn top(y: f64, index: usize) -> f64 {
    (0..index).fold(y, |top, _| top + ROW)
}

fn indent(depth: usize) -> f64 {
    (0..depth).fold(0.0, |x, _| x + STEP)
}

fn drawn(tree: &Tree<'_>, row: &Row<'_>, index: usize, y: f64) -> Markup {
    let (x, top_y) = (indent(row.depth), top(y, index));
    let it = row.process;
    let class = if it.detections.is_empty() { "process" } else { "process found" };
    let mut head = format!("pid {}", it.pid);
    if !it.user.is_empty() {
        head.push_str(&format!(" · {}", it.user.cut(24)));
    }
    if let Some((launched, began)) = it.launched.zip(tree.began) {
        head.push_str(&format!(" · {}", since(launched, began)));
    }
    if let Some(ending) = &it.ending {
        head.push_str(&format!(" · {}", ending.cut(40)));
        if let Some((ended, began)) = it.ended.zip(tree.began) {
            head.push_str(&format!(" at {}", since(ended, began)));
        }
    }
    let line = if it.command_line.is_empty() { &it.exe } else { &it.command_line };
    let name = if it.name.is_empty() { it.exe.cut(40) } else { it.name.cut(40) };
    let name_end = name.chars().fold(x + 22.0, |end, _| end + LETTER + 0.9);
    html! {
        @if let Some(parent) = row.parent {
            @let from = top(y, parent) + ROW - 6.0;
            path.branch d=(format!("M{} {}V{}H{}", at(x - STEP + 10.0), at(from), at(top_y + 19.0), at(x + 2.0))) {}
        }
        rect class=(class) x=(at(x + 2.0)) y=(at(top_y + 1.0)) width=(at(WIDTH - x - 4.0))
            height=(at(ROW - 7.0)) rx="3" { title { (it.exe) " " (it.command_line) } }
        text.process-name x=(at(x + 12.0)) y=(at(top_y + 15.0)) { (name) }
        text.name x=(at(name_end)) y=(at(top_y + 15.0)) { (head) }
        text.command x=(at(x + 12.0)) y=(at(top_y + 30.0)) { (line.cut(chars(WIDTH - x - 30.0))) }
        @if let Some(title) = it.detections.first() {
            text.alarm x=(at(WIDTH - 10.0)) y=(at(top_y + 15.0)) text-anchor="end" { (title.cut(56)) }
        }
    }
}

/// A moment as the distance from the first event, either way.
fn since(moment: Timestamp, began: Timestamp) -> String {
    let before = began.since(moment);
    // Times of events are told in milliseconds: less than one is the same moment.
    if before.as_millis() > 0 {
        format!("−{}", spoken(before))
    } else {
        format!("+{}", spoken(moment.since(began)))
    }
}

/// How many letters of the fixed type fit.
fn chars(width: f64) -> usize {
    let mut room = width;
    let mut count = 0;
    while room >= LETTER && count < 160 {
        room -= LETTER;
        count += 1;
    }
    count
}
