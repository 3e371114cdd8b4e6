//! YAML → [`Rule`]: one document of Sigma 2.1, single-event.
//!
//! What is not understood is refused by name and line, never passed over: a rule that would match
//! something else than its author meant is worse than one that does not load.

mod condition;
mod modifier;
mod yaml;

use std::collections::BTreeMap;

use cordon_shared::{
    detection::{RuleSummary, Severity},
    digest::Sha256,
};
use serde_json::Value as Json;

use self::yaml::{Entry, Kind, Yaml};
use super::rule::{Node, Rule, Source};

/// Bytes of a rule (chosen: SigmaHQ's longest is a fifth of it).
pub const RULE_BYTES_MAX: usize = 256 << 10;

/// A rule was not loaded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line that it is about, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Events that a rule must and must not match, by field.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// Must match.
    pub must_match: Vec<BTreeMap<String, Json>>,
    /// Must not match.
    pub must_not_match: Vec<BTreeMap<String, Json>>,
}

/// Reads a rule.
///
/// # Errors
/// [`ParseError`] with the line and the reason.
pub fn rule(text: &str) -> Result<Rule, ParseError> {
    read(text, &document(text)?)
}

/// Reads the examples in a rule.
///
/// # Errors
/// [`ParseError`] when the rule does not load, or its examples are not events.
pub fn examples(text: &str) -> Result<Examples, ParseError> {
    let document = document(text)?;
    read(text, &document)?;
    let mut examples = Examples::default();
    let entries = document.get("examples").map(Yaml::entries).unwrap_or_default();
    for entry in entries {
        let list = match entry.key.as_str() {
            "must_match" => &mut examples.must_match,
            "must_not_match" => &mut examples.must_not_match,
            other => {
                let reason = format!("`{other}` must be `must_match` or `must_not_match`");
                return Err(ParseError { line: entry.line, reason });
            }
        };
        for it in entry.value.items() {
            let Kind::Map(fields) = &it.kind else {
                return it.refuse("an example must be an event: fields and their values");
            };
            list.push(fields.iter().map(|it| (it.key.clone(), it.value.to_json())).collect());
        }
    }
    Ok(examples)
}

/// The line of a key of the document; the first when it has none.
#[must_use]
pub fn line_of(text: &str, key: &str) -> usize {
    document(text).ok().and_then(|it| it.get(key).map(|it| it.line)).unwrap_or(1)
}

/// One document, a map.
fn document(text: &str) -> Result<Yaml, ParseError> {
    let refuse = |line, reason: &str| Err(ParseError { line, reason: reason.to_owned() });
    if text.len() > RULE_BYTES_MAX {
        return refuse(1, "a rule must be at most 262144 bytes");
    }
    // A parser would read the first of several documents, or say that there are several, but not where.
    let mut lines = text.lines().enumerate();
    let is_empty = |it: &str| it.trim().is_empty() || it.starts_with('#');
    let begins = lines.find(|(_, it)| !is_empty(it));
    if let Some((at, _)) = lines.find(|(_, it)| it.trim_end() == "---")
        && begins.is_some()
    {
        return refuse(
            at + 1,
            "a file must hold one rule: collections are not supported by this release",
        );
    }
    let document = yaml::parse(text)?;
    match document.kind {
        Kind::Map(_) => Ok(document),
        Kind::Null
        | Kind::Flag(_)
        | Kind::Integer(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::List(_) => document.refuse("a rule must be a map"),
    }
}

fn read(text: &str, document: &Yaml) -> Result<Rule, ParseError> {
    for entry in document.entries() {
        let what = match entry.key.as_str() {
            "correlation" => "correlation rules",
            "filter" => "filters",
            "action" => "collections (`action`)",
            _ => continue,
        };
        let reason = format!("{what} are not supported by this release");
        return Err(ParseError { line: entry.line, reason });
    }
    let title = word(document, "title")?;
    let id = word(document, "id")?;
    let source = source(required(document, "logsource")?)?;
    let level = required(document, "level")?;
    let Some(severity) = level.scalar().as_deref().and_then(Severity::parse) else {
        return level.refuse("`level` must be informational, low, medium, high or critical");
    };
    let tags = document.get("tags").map(Yaml::items).unwrap_or_default();
    let tags: Vec<_> = tags.iter().filter_map(Yaml::scalar).collect();
    let techniques = tags.iter().filter_map(|it| it.strip_prefix("attack.t"));
    // `attack.t…` is a technique by number; tactics may begin with the same letter.
    let techniques = techniques.filter(|it| it.starts_with(|it: char| it.is_ascii_digit()));
    let summary = RuleSummary {
        id,
        sha256: Sha256::of(text.as_bytes()),
        title,
        severity,
        techniques: techniques.map(|it| format!("T{}", it.to_uppercase())).collect(),
    };
    let condition = detection(required(document, "detection")?)?;
    Ok(Rule { summary, source, condition })
}

fn required<'a>(map: &'a Yaml, key: &str) -> Result<&'a Yaml, ParseError> {
    map.get(key).map_or_else(|| map.refuse(format!("`{key}` is missing")), Ok)
}

fn word(map: &Yaml, key: &str) -> Result<String, ParseError> {
    let value = required(map, key)?;
    let text = value.scalar().filter(|it| !it.is_empty());
    text.map_or_else(|| value.refuse(format!("`{key}` must be a text")), Ok)
}

fn source(map: &Yaml) -> Result<Source, ParseError> {
    let mut found = None;
    for Entry { line, key, value } in map.entries() {
        let text = value.scalar().unwrap_or_default();
        let refuse = |reason| Err(ParseError { line: *line, reason });
        match key.as_str() {
            "product" if text == "linux" => (),
            "product" => return refuse("`product` must be linux".to_owned()),
            "category" | "service" => {
                let is_category = key == "category";
                let known = Source::ALL.into_iter().filter(|it| *it != Source::Linux);
                let mut known = known.filter(|it| it.is_category() == is_category);
                let Some(source) = known.find(|it| it.as_str() == text) else {
                    return refuse(format!("`{key}: {text}` is not a log source of this release"));
                };
                if found.replace(source).is_some() {
                    return refuse(
                        "`category` and `service` together are not a log source of this release"
                            .to_owned(),
                    );
                }
            }
            // `definition` and its like are for people.
            _ => (),
        }
    }
    match (found, map.get("product")) {
        (Some(source), _) => Ok(source),
        (None, Some(_)) => Ok(Source::Linux),
        (None, None) => map.refuse("`logsource` must hold a category, a service or a product"),
    }
}

fn detection(map: &Yaml) -> Result<Node, ParseError> {
    let mut selections: Vec<condition::Selection> = Vec::new();
    for Entry { line, key, value } in map.entries() {
        match key.as_str() {
            "condition" => (),
            "timeframe" => {
                let reason = "`timeframe` belongs to correlation rules, which are not supported by this release";
                return Err(ParseError { line: *line, reason: reason.to_owned() });
            }
            _ => {
                let node = selection(value)
                    .map_err(|it| ParseError { reason: format!("`{key}`: {}", it.reason), ..it })?;
                selections.push((key.clone(), node));
            }
        }
    }
    let Some(conditions) = map.get("condition") else {
        return map.refuse("`detection` must hold a `condition`");
    };
    let mut trees = Vec::new();
    for it in conditions.items() {
        let Kind::Text(text) = &it.kind else {
            return it.refuse("a condition must be a text");
        };
        trees.push(condition::parse(text, &selections).or_else(|reason| it.refuse(reason))?);
    }
    if trees.is_empty() {
        return conditions.refuse("`detection` must hold a `condition`");
    }
    // Several conditions are alternatives (Sigma 2.1, "Condition").
    let tree = modifier::one_or(trees, Node::Any);
    if tree.size() > condition::NODES_MAX {
        return conditions
            .refuse(format!("the conditions ask more than {} things", condition::NODES_MAX));
    }
    Ok(tree)
}

/// A map of fields (all must match), or a list of such maps and of keywords (one must).
fn selection(body: &Yaml) -> Result<Node, ParseError> {
    match &body.kind {
        Kind::Map(entries) if entries.is_empty() => body.refuse("a selection must not be empty"),
        Kind::Map(entries) => {
            let nodes: Result<Vec<_>, _> = entries.iter().map(modifier::comparison).collect();
            Ok(modifier::one_or(nodes?, Node::All))
        }
        Kind::List(parts) if parts.is_empty() => body.refuse("a selection must not be empty"),
        Kind::List(parts) => {
            let nodes: Result<Vec<_>, _> = parts.iter().map(part).collect();
            Ok(modifier::one_or(nodes?, Node::Any))
        }
        Kind::Null => body.refuse("a selection must not be empty"),
        Kind::Flag(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => keyword(body),
    }
}

fn part(it: &Yaml) -> Result<Node, ParseError> {
    match &it.kind {
        Kind::List(_) => it.refuse("a list cannot stand in a list"),
        Kind::Null
        | Kind::Flag(_)
        | Kind::Integer(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Map(_) => selection(it),
    }
}

/// A text without a field: some field holds it.
fn keyword(value: &Yaml) -> Result<Node, ParseError> {
    modifier::comparison(&Entry { line: value.line, key: String::new(), value: value.clone() })
}
