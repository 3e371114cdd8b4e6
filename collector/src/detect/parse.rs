//! YAML → [`Rule`]: one document of Sigma 2.1, single-event.
//!
//! What is not understood is refused by name, never passed over: a rule that would match something
//! else than its author meant is worse than one that does not load.

mod condition;

use std::collections::BTreeMap;

use cordon_shared::{
    detection::{RuleSummary, Severity},
    digest::Sha256,
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::rule::{Comparison, Node, Operator, Rule, Source, Value};

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

#[derive(Deserialize)]
struct Raw {
    title: String,
    id: String,
    level: String,
    logsource: RawSource,
    detection: BTreeMap<String, Json>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    examples: Examples,
}

#[derive(Deserialize)]
struct RawSource {
    category: Option<String>,
    product: Option<String>,
    service: Option<String>,
}

/// Events that a rule must and must not match, by field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
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
    parse(text).map(|(rule, _)| rule)
}

/// Reads the examples in a rule.
///
/// # Errors
/// [`ParseError`] when the rule does not load.
pub fn examples(text: &str) -> Result<Examples, ParseError> {
    parse(text).map(|(_, examples)| examples)
}

fn parse(text: &str) -> Result<(Rule, Examples), ParseError> {
    if text.len() > RULE_BYTES_MAX {
        return refuse(text, "", "a rule must be at most 262144 bytes");
    }
    let raw: Raw = serde_saphyr::from_str(text).map_err(|error| {
        let said = error.to_string();
        let reason = said.lines().next().unwrap_or_default().to_owned();
        let line = error.location().map_or(1, |it| usize::try_from(it.line()).unwrap_or(1));
        ParseError { line, reason }
    })?;
    let source = source(text, &raw.logsource)?;
    let Some(severity) = Severity::parse(&raw.level) else {
        return refuse(
            text,
            "level:",
            "`level` must be informational, low, medium, high or critical",
        );
    };
    let mut selections = BTreeMap::new();
    let mut conditions = Vec::new();
    for (name, body) in &raw.detection {
        if name == "condition" {
            conditions = match body {
                Json::String(one) => vec![one.clone()],
                Json::Array(many) => {
                    many.iter().filter_map(Json::as_str).map(str::to_owned).collect()
                }
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => Vec::new(),
            };
        } else {
            let node = selection(text, body)
                .map_err(|it| ParseError { reason: format!("`{name}`: {}", it.reason), ..it })?;
            selections.insert(name.clone(), node);
        }
    }
    if conditions.is_empty() {
        return refuse(text, "detection:", "`detection` must hold a `condition`");
    }
    let mut trees = Vec::with_capacity(conditions.len());
    for it in &conditions {
        let tree = condition::parse(it, &selections);
        trees.push(tree.or_else(|reason| refuse(text, "condition:", &reason))?);
    }
    let techniques = raw.tags.iter().filter_map(|it| it.strip_prefix("attack.t"));
    let summary = RuleSummary {
        id: raw.id,
        sha256: Sha256::of(text.as_bytes()),
        title: raw.title,
        severity,
        techniques: techniques.map(|it| format!("T{}", it.to_uppercase())).collect(),
    };
    // Several conditions are alternatives (Sigma 2.1, "Condition").
    let condition = if trees.len() == 1 { trees.remove(0) } else { Node::Any(trees) };
    Ok((Rule { summary, source, condition }, raw.examples))
}

fn source(text: &str, raw: &RawSource) -> Result<Source, ParseError> {
    if raw.product.as_deref().is_some_and(|it| it != "linux") {
        return refuse(text, "product:", "`product` must be linux");
    }
    if let Some(service) = &raw.service {
        let reason = format!("`service: {service}` is not a log source of this release");
        return refuse(text, "service:", &reason);
    }
    match raw.category.as_deref() {
        Some("process_creation") => Ok(Source::ProcessCreation),
        Some("file_event") => Ok(Source::FileEvent),
        Some("network_connection") => Ok(Source::NetworkConnection),
        Some(other) => {
            let reason = format!("`category: {other}` is not a log source of this release");
            refuse(text, "category:", &reason)
        }
        None => refuse(text, "logsource:", "`logsource` must hold a `category`"),
    }
}

/// A map of fields (all must match), or a list of such maps (one must).
fn selection(text: &str, body: &Json) -> Result<Node, ParseError> {
    match body {
        Json::Object(fields) => {
            let nodes: Result<Vec<_>, _> =
                fields.iter().map(|(key, values)| comparison(text, key, values)).collect();
            Ok(Node::All(nodes?))
        }
        Json::Array(parts) if !parts.is_empty() => {
            let nodes: Result<Vec<_>, _> = parts.iter().map(|it| selection(text, it)).collect();
            Ok(Node::Any(nodes?))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            refuse(text, "", "keywords are not supported by this release")
        }
    }
}

fn comparison(text: &str, key: &str, values: &Json) -> Result<Node, ParseError> {
    let mut parts = key.split('|');
    let field = parts.next().unwrap_or_default().to_owned();
    if field.is_empty() {
        return refuse(text, key, "a field must have a name");
    }
    let (mut operator, mut is_all) = (Operator::Equals, false);
    for modifier in parts {
        operator = match modifier {
            "contains" => Operator::Contains,
            "startswith" => Operator::StartsWith,
            "endswith" => Operator::EndsWith,
            "re" => Operator::Regex,
            "cidr" => Operator::Cidr,
            "all" => {
                is_all = true;
                continue;
            }
            other => {
                let reason = format!("modifier `{other}` is not supported by this release");
                return refuse(text, key, &reason);
            }
        };
    }
    let list = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
    let mut values = Vec::with_capacity(list.len());
    for it in list {
        values.push(match it {
            Json::Null => Value::Null,
            Json::Bool(it) => Value::Text(it.to_string()),
            Json::Number(it) => Value::Text(it.to_string()),
            Json::String(it) => Value::Text(it.clone()),
            Json::Array(_) | Json::Object(_) => {
                return refuse(
                    text,
                    key,
                    "a value must be a text, a number, a truth value or null",
                );
            }
        });
    }
    if values.is_empty() {
        return refuse(text, key, "a field must have a value");
    }
    Ok(Node::Compare(Comparison { field, operator, is_all, values }))
}

/// A refusal that names the first line with `near` in it.
fn refuse<T>(text: &str, near: &str, reason: &str) -> Result<T, ParseError> {
    let line = text.lines().position(|it| it.contains(near)).unwrap_or(0) + 1;
    Err(ParseError { line, reason: reason.to_owned() })
}
