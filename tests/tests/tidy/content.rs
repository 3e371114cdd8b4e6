//! What the collector ships as content: every rule is one Sigma document with examples of its own
//! that must match and examples that must not.
//!
//! The examples stand in the rule, in a field that Sigma leaves to us:
//!
//! ```text
//! examples:
//!   must_match:     [{…an event…}, …]
//!   must_not_match: [{…an event…}, …]
//! ```
//!
//! Whether they really match is the detection engine's own test; that they are there is this one.

use serde_json::Value;

use crate::tree::{Finding, Tree};

/// Where the rules lie.
const RULES: &str = "collector/content/rules";

/// Fields that a rule cannot be without (Sigma specification 2.1, "Components").
const FIELDS: &[&str] =
    &["title", "id", "status", "description", "logsource", "detection", "level"];

/// Rules are there as soon as there is an engine, and each says what it is for.
fn rules(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut count = 0_usize;
    for path in tree.paths().filter(|path| path.starts_with("collector/content/rules/")) {
        count += 1;
        if path.ends_with(".yaml") {
            let said = rule(tree.text(path).unwrap_or_default());
            findings.extend(said.into_iter().map(|it| Finding::new(path, it)));
        } else {
            findings.push(Finding::new(path, "only `.yaml` belongs among the rules"));
        }
    }
    let is_expected =
        tree.has_folder("collector/content") || tree.has_folder("collector/src/detect");
    if count == 0 && is_expected {
        findings.push(Finding::new(RULES, "holds no rule although there is an engine for them"));
    }
    findings
}

/// What is wrong with one rule.
fn rule(text: &str) -> Vec<String> {
    let rule: Value = match serde_saphyr::from_str(text) {
        Ok(rule) => rule,
        Err(error) => {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            return vec![format!("does not parse: {first}")];
        }
    };
    let mut said: Vec<_> = FIELDS
        .iter()
        .filter(|field| rule.get(field).is_none())
        .map(|field| format!("has no `{field}`"))
        .collect();
    for kind in ["must_match", "must_not_match"] {
        let examples = rule.get("examples").and_then(|it| it.get(kind)).and_then(Value::as_array);
        if !examples.is_some_and(|it| !it.is_empty() && it.iter().all(Value::is_object)) {
            said.push(format!("has no example under `examples.{kind}`"));
        }
    }
    said
}

#[test]
fn every_rule_has_examples_of_both_kinds() {
    crate::tree::holds(rules);
}

#[cfg(test)]
mod planted {
    use expect_test::{Expect, expect};

    use super::rules;
    use crate::tree::finds;

    const GOOD: &str = "title: a shell with a socket as its stdio
id: 5f1b2a7e-0000-4000-8000-000000000001
status: stable
description: x
logsource: { category: process_creation, product: linux }
detection: { selection: { Image|endswith: /sh }, condition: selection }
level: high
examples:
  must_match: [{ Image: /bin/sh }]
  must_not_match: [{ Image: /bin/true }]
";

    #[track_caller]
    fn check(from: &str, to: &str, want: &Expect) {
        let rule = GOOD.replace(from, to);
        finds(rules, &[("collector/content/rules/shell.yaml", &rule)], want);
    }

    #[test]
    fn a_whole_rule_is_taken() {
        check("", "", &expect![[""]]);
    }

    #[test]
    fn a_rule_without_an_example_that_must_not_match_is_found() {
        check(
            "must_not_match: [{ Image: /bin/true }]",
            "must_not_match: []",
            &expect![
                "collector/content/rules/shell.yaml: has no example under `examples.must_not_match`"
            ],
        );
    }

    #[test]
    fn a_rule_without_a_level_is_found() {
        check("level: high", "", &expect!["collector/content/rules/shell.yaml: has no `level`"]);
    }

    #[test]
    fn a_rule_that_does_not_parse_is_found() {
        let files = [("collector/content/rules/a.yaml", "title: [")];
        finds(
            rules,
            &files,
            &expect![
                "collector/content/rules/a.yaml: does not parse: error: line 1 column 8: unclosed bracket '['"
            ],
        );
    }

    #[test]
    fn an_engine_without_rules_is_found() {
        finds(
            rules,
            &[("collector/src/detect/rule.rs", "")],
            &expect!["collector/content/rules: holds no rule although there is an engine for them"],
        );
    }

    #[test]
    fn a_stray_file_among_the_rules_is_found() {
        let files =
            [("collector/content/rules/notes.txt", ""), ("collector/content/rules/a.yaml", GOOD)];
        finds(
            rules,
            &files,
            &expect!["collector/content/rules/notes.txt: only `.yaml` belongs among the rules"],
        );
    }
}
