//! Literals of one field, all found in one pass over its text.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use crate::detect::pattern::Literal;

/// Literals, each with the number of its test.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// The whole text.
    whole: HashMap<String, Vec<u32>>,
    /// Parts of it: the texts and what each of them stands for.
    parts: Vec<(String, Vec<Part>)>,
    /// Finds `parts`. Nothing when there are none, or more than an automaton has room for: then
    /// they are tried one after the other.
    automaton: Option<AhoCorasick>,
}

/// A part of a text at a certain place.
#[derive(Debug)]
struct Part {
    test: u32,
    is_start_open: bool,
    is_end_open: bool,
}

impl Lookup {
    /// Makes literals ready.
    pub(super) fn new(literals: impl IntoIterator<Item = (Literal, u32)>) -> Self {
        let mut lookup = Self::default();
        let mut places = HashMap::new();
        for (Literal { text, is_start_open, is_end_open }, test) in literals {
            if !is_start_open && !is_end_open {
                lookup.whole.entry(text).or_default().push(test);
                continue;
            }
            let at = *places.entry(text).or_insert_with_key(|text| {
                lookup.parts.push((text.clone(), Vec::new()));
                lookup.parts.len() - 1
            });
            if let Some((_, parts)) = lookup.parts.get_mut(at) {
                parts.push(Part { test, is_start_open, is_end_open });
            }
        }
        if !lookup.parts.is_empty() {
            lookup.automaton = AhoCorasick::new(lookup.parts.iter().map(|(text, _)| text)).ok();
        }
        lookup
    }

    /// Whether nothing is looked up.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.parts.is_empty()
    }

    /// Adds the tests that hold for a text in lower case; some may be added more than once.
    pub(super) fn find(&self, text: &str, found: &mut Vec<u32>) {
        found.extend(self.whole.get(text).into_iter().flatten());
        match &self.automaton {
            Some(automaton) => {
                for it in automaton.find_overlapping_iter(text) {
                    let parts = self.parts.get(it.pattern().as_usize()).map(|(_, parts)| parts);
                    let fits = |part: &&Part| {
                        (part.is_start_open || it.start() == 0)
                            && (part.is_end_open || it.end() == text.len())
                    };
                    found.extend(parts.into_iter().flatten().filter(fits).map(|part| part.test));
                }
            }
            None => {
                for (part, places) in &self.parts {
                    let fits = |place: &&Part| match (place.is_start_open, place.is_end_open) {
                        (true, false) => text.ends_with(part),
                        (false, true) => text.starts_with(part),
                        (true, true) | (false, false) => text.contains(part),
                    };
                    found.extend(places.iter().filter(fits).map(|place| place.test));
                }
            }
        }
    }
}
