//! Keys of a configuration file: which are not known, where they stand, what was meant.
//!
//! Beside the road: pure. A key of a section is written `section.key`.

use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// The first key that is not among `known`, and its line.
pub(super) fn first_unknown(
    text: &str,
    known: &[&'static str],
) -> Result<Option<(String, usize)>, ConfigError> {
    let table = DeTable::parse(text).map_err(|it| ConfigError::Toml(it.to_string()))?;
    let mut found: Option<(usize, String)> = None;
    for (name, value) in table.get_ref() {
        let is_section =
            known.iter().any(|it| it.split_once('.').is_some_and(|it| it.0 == &**name.get_ref()));
        let mut typed = vec![(name.span().start, name.get_ref().to_string())];
        if let (true, DeValue::Table(section)) = (is_section, value.get_ref()) {
            let inner = section.iter().map(|(key, _)| {
                (key.span().start, format!("{}.{}", name.get_ref(), key.get_ref()))
            });
            typed = inner.collect();
        }
        for (at, key) in typed {
            let is_first = found.as_ref().is_none_or(|it| at < it.0);
            if is_first && !known.contains(&key.as_str()) {
                found = Some((at, key));
            }
        }
    }
    Ok(found.map(|(at, key)| (key, line_of(text, at))))
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The known key that is most like what was typed.
pub(super) fn nearest(typed: &str, known: &[&'static str]) -> &'static str {
    let nearest = known.iter().min_by_key(|it| distance(typed, it));
    nearest.copied().unwrap_or_default()
}

/// Edits that turn one text into the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (at, to) in right.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("CORDON_{}", key.to_uppercase().replace('.', "_"))
}

/// Sets a key to what a variable says: a value in TOML, or else a text as it is.
pub(super) fn set(table: &mut toml::Table, key: &str, value: &str) {
    let value = format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut it| it.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(section) = section {
                section.insert(key.to_owned(), value);
            }
        }
    }
}
