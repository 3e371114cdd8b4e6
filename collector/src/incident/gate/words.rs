//! Parts of a gate's sentences: commands to type, lists of names, titles in one line. Pure.

use super::Facts;

/// Names of one sentence (chosen: what a person takes in at a glance).
const NAMES_MAX: usize = 5;
/// Characters of a title within a sentence.
const TITLE_CHARS_MAX: usize = 80;

/// A command of the responders' tool, to be typed.
pub(super) fn command(facts: &Facts, verb: &str, rest: &str) -> String {
    format!("`cordon incident {verb} {} {rest}`", facts.id)
}

/// The first few names, and how many more there are.
#[must_use]
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut shown = Vec::new();
    let mut more = 0;
    for name in names {
        if shown.len() < NAMES_MAX { shown.push(format!("`{name}`")) } else { more += 1 }
    }
    let mut text = shown.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The beginning of a title.
pub(super) fn line(title: &str) -> String {
    title.chars().take(TITLE_CHARS_MAX).collect()
}
