//! Keys of a configuration file: which are not known, where they stand, what was meant; and the
//! environment over it.
//!
//! Beside the road: pure, for both programs. A key of a section is written `section.key`. Every key
//! is also an environment variable: `listen.api` is `CORDON_LISTEN_API`.

use toml::de::{DeTable, DeValue};

/// The file's keys were refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingError {
    /// It is no TOML; the text says where.
    #[error("{0}")]
    Toml(String),
    /// There is no such key.
    #[error("line {line}: `{key}` is not a key; did you mean `{nearest}`?")]
    Unknown {
        /// What was typed.
        key: String,
        /// Where, from 1.
        line: usize,
        /// What is most like it.
        nearest: &'static str,
    },
}

/// Reads TOML in which every key is among `known`, and lays over it what `environment` says.
///
/// # Errors
/// [`SettingError`] naming the first key that is not known, and its line.
pub fn read(
    text: &str,
    known: &[&'static str],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<toml::Table, SettingError> {
    if let Some((key, line)) = first_unknown(text, known)? {
        let nearest = nearest(&key, known);
        return Err(SettingError::Unknown { key, line, nearest });
    }
    let mut table: toml::Table =
        text.parse().map_err(|it: toml::de::Error| SettingError::Toml(it.to_string()))?;
    for key in known {
        if let Some(value) = environment(&variable(key)) {
            set(&mut table, key, &value);
        }
    }
    Ok(table)
}

/// The environment variable of a key.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("CORDON_{}", key.to_uppercase().replace('.', "_"))
}

fn first_unknown(
    text: &str,
    known: &[&'static str],
) -> Result<Option<(String, usize)>, SettingError> {
    let table = DeTable::parse(text).map_err(|it| SettingError::Toml(it.to_string()))?;
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
fn nearest(typed: &str, known: &[&'static str]) -> &'static str {
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

/// Sets a key to what a variable says: a value in TOML, or else a text as it is.
fn set(table: &mut toml::Table, key: &str, value: &str) {
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    const KNOWN: [&str; 3] = ["data_dir", "log.format", "pin"];

    #[track_caller]
    fn check(text: &str, environment: &[(&str, &str)], want: &Expect) {
        let value =
            |name: &str| environment.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        let shown = match super::read(text, &KNOWN, value) {
            Ok(table) => table.to_string(),
            Err(error) => error.to_string(),
        };
        want.assert_eq(shown.trim_end());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_what_was_meant() {
        check(
            "pin = true\ndata_dri = '/x'",
            &[],
            &expect!["line 2: `data_dri` is not a key; did you mean `data_dir`?"],
        );
        check(
            "pin = true\n\n[log]\nformt = 'json'",
            &[],
            &expect!["line 4: `log.formt` is not a key; did you mean `log.format`?"],
        );
    }

    #[test]
    fn the_environment_wins_and_may_be_toml_or_plain_text() {
        check(
            "pin = true",
            &[
                ("CORDON_PIN", "false"),
                ("CORDON_DATA_DIR", "/var/x"),
                ("CORDON_LOG_FORMAT", "json"),
            ],
            &expect![[r#"
                data_dir = "/var/x"
                pin = false

                [log]
                format = "json""#]],
        );
    }
}
