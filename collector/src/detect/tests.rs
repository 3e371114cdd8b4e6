mod condition;
mod encoding;
mod keyword;
mod logsource;
mod modifier;
mod naive;
mod row;
mod same;
mod shipped;
mod sigmahq;
mod source;

use std::{borrow::Cow, collections::BTreeMap};

use cordon_shared::{
    id::{Epoch, EventId, EventSeq, Lane},
    test_support::agent,
};
use expect_test::{Expect, expect};
use proptest::prelude::{any, proptest};
use serde_json::Value as Json;

use super::{SHIPPED, engine::Engine, field::Fields, parse, rule::Source};

const HEAD: &str = "title: t\nid: i\nlevel: low\nlogsource: {category: process_creation, product: linux}\ndetection:\n";

/// Whether a rule with this detection matches an event with these fields, or why it does not load.
fn outcome(detection: &str, event: &str) -> String {
    let text = format!("{HEAD}{detection}");
    let engine = Engine::new([("rule.yaml", text.as_str())]);
    let fields: BTreeMap<String, Json> = serde_saphyr::from_str(event).unwrap();
    if let Some(it) = engine.problems().first() {
        return format!("{}: {}", it.file, it.error);
    }
    let does = engine.matches(Source::ProcessCreation, &fields).count() == 1;
    // The tree, asked node by node, says the same.
    let condition = parse::rule(&text).unwrap().condition;
    assert_eq!(naive::holds(&condition, &fields), does, "{text}");
    if does { "matches" } else { "does not" }.to_owned()
}

#[track_caller]
fn check(detection: &str, event: &str, want: &Expect) {
    want.assert_eq(&outcome(detection, event));
}

/// One selection against several events: one line each.
#[track_caller]
fn table(selection: &str, events: &[&str], want: &Expect) {
    let line = |it: &&str| {
        let said = outcome(&format!("  s: {selection}\n  condition: s"), it);
        if events.len() == 1 { said } else { format!("{it}: {said}") }
    };
    want.assert_eq(&events.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_cannot_be_loaded_is_named_with_line_and_reason() {
    let refused = [
        "  s: {Image: x}\n  condition: t",
        "  s: {Image: x}\n  condition: (s",
        "  s:\n    A: 1\n    Image|re: '('\n  condition: s",
        "  s:\n    A: 1\n    Image|re: '(?=x)'\n  condition: s",
        "  s:\n    A: 1\n    Ip|cidr:\n      - 10.0.0.0/8\n      - 10.0.0.0/33\n  condition: s",
        "  s: {Image|expand: '%x%'}\n  condition: s",
        "  s: {Image|hour: 4}\n  condition: s",
        "  s: {Image|sounds: x}\n  condition: s",
        "  s: {Image|i: x}\n  condition: s",
        "  s: {Image|re|contains: x}\n  condition: s",
        "  s: {Image|contains|base64: x}\n  condition: s",
        "  s: {Image|base64: 'x*'}\n  condition: s",
        "  s: {Image|base64offset: ''}\n  condition: s",
        "  s: {Image|gt: many}\n  condition: s",
        "  s: {Image|exists: perhaps}\n  condition: s",
        "  s:\n    Image:\n      - ''\n      - null\n  condition: s",
        "  s: {Image|contains: null}\n  condition: s",
        "  s: {Image: []}\n  condition: s",
        "  s: {Image: {a: b}}\n  condition: s",
        "  s: {}\n  condition: s",
        "  s: []\n  condition: s",
        "  s: ['']\n  condition: s",
        "  s: {'|exists': true}\n  condition: s",
        "  s: {A: 1}\n  timeframe: 5m\n  condition: s",
        "  s: {A: 1}\n  condition: s | count() > 5",
        "  s: {A: 1}\n  condition: 2 of s*",
        "  s: {A: 1}\n  condition: 1 of t*",
        "  s: {A: 1}\n  condition: s s",
        "  s: {A: 1}\n  condition:",
        "  s: {A: 1}\n  condition:\n    - s\n    - u",
        "  s: {A: 1}",
        "  s: [",
    ];
    let said: Vec<_> = refused.iter().map(|it| outcome(it, "{}")).collect();
    expect![[r#"
        rule.yaml: line 7: the condition names `t`, which is not there
        rule.yaml: line 7: a `)` is missing
        rule.yaml: line 8: `s`: `(` is no regular expression of this release: unclosed group
        rule.yaml: line 8: `s`: `(?=x)` is no regular expression of this release: look-around, including look-ahead and look-behind, is not supported
        rule.yaml: line 10: `s`: `10.0.0.0/33` is no network
        rule.yaml: line 6: `s`: modifier `expand` is not supported by this release
        rule.yaml: line 6: `s`: modifier `hour` is not supported by this release
        rule.yaml: line 6: `s`: `sounds` is no modifier of Sigma 2.1
        rule.yaml: line 6: `s`: `i` must stand behind `re`
        rule.yaml: line 6: `s`: the modifiers of `Image|re|contains` cannot stand beside each other
        rule.yaml: line 6: `s`: `base64` must stand before `contains` and its like
        rule.yaml: line 6: `s`: `x*` has wildcards, which cannot be encoded
        rule.yaml: line 6: `s`: `` is too short to be found in Base64
        rule.yaml: line 6: `s`: `many` must be a number
        rule.yaml: line 6: `s`: `exists` must be true or false
        rule.yaml: line 9: `s`: null cannot be one of a list: give it a selection of its own
        rule.yaml: line 6: `s`: null has no text to compare: give the field without modifiers
        rule.yaml: line 6: `s`: `Image` must have a value
        rule.yaml: line 6: `s`: a value must be a text, a number, a truth value or null
        rule.yaml: line 6: `s`: a selection must not be empty
        rule.yaml: line 6: `s`: a selection must not be empty
        rule.yaml: line 6: `s`: a keyword must not be empty
        rule.yaml: line 6: `s`: `|exists` must name a field
        rule.yaml: line 7: `timeframe` belongs to correlation rules, which are not supported by this release
        rule.yaml: line 7: `| count()` is no part of a condition any more: Sigma counts in correlation rules
        rule.yaml: line 7: `2 of` is not in Sigma: only `1 of`, `any of` and `all of` are
        rule.yaml: line 7: `t*` in the condition stands for nothing
        rule.yaml: line 7: `s` in the condition is one word too many
        rule.yaml: line 7: a condition must be a text
        rule.yaml: line 9: the condition names `u`, which is not there
        rule.yaml: line 6: `detection` must hold a `condition`
        rule.yaml: line 6: is no YAML: unclosed bracket '['"#]].assert_eq(&said.join("\n"));
}

#[test]
fn what_is_no_single_event_rule_is_refused_by_name() {
    let body = "detection:\n  s: {A: 1}\n  condition: s\n";
    let texts = [
        "title: t\nid: i\ncorrelation:\n  type: event_count\n".to_owned(),
        "title: t\nid: i\nlogsource: {product: linux}\nfilter:\n  rules: any\n".to_owned(),
        format!("action: global\n{HEAD}  s: {{A: 1}}\n  condition: s\n"),
        format!("{HEAD}  s: {{A: 1}}\n  condition: s\n---\ntitle: u\n"),
        format!("title: t\nid: i\nlevel: low\n{body}"),
        format!("title: t\nid: i\nlogsource: {{product: linux}}\n{body}"),
        format!("title: t\nid: i\nlevel: loud\nlogsource: {{product: linux}}\n{body}"),
        format!("title: t\nlevel: low\nlogsource: {{product: linux}}\n{body}"),
        "- a\n- b\n".to_owned(),
        String::new(),
    ];
    let said: Vec<_> = texts.iter().map(|it| parse::rule(it).unwrap_err().to_string()).collect();
    expect![[r#"
        line 3: correlation rules are not supported by this release
        line 4: filters are not supported by this release
        line 1: collections (`action`) are not supported by this release
        line 8: a file must hold one rule: collections are not supported by this release
        line 1: `logsource` is missing
        line 1: `level` is missing
        line 3: `level` must be informational, low, medium, high or critical
        line 1: `id` is missing
        line 1: a rule must be a map
        line 1: a rule must be a map"#]]
    .assert_eq(&said.join("\n"));
}

/// An event that a rule breaks on which looks at its image.
struct Poison;

impl Fields for Poison {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        assert_ne!(field, "Image", "a defect");
        Some("x".into())
    }

    fn each(&self, visit: &mut dyn FnMut(&str)) {
        visit("x");
    }
}

#[test]
fn f_49_a_rule_that_breaks_is_switched_off_and_the_others_go_on() {
    let rule = |id: &str, field: &str| {
        HEAD.replace("id: i", &format!("id: {id}"))
            + &format!("  s: {{{field}: x}}\n  condition: s")
    };
    let (bad, good) = (rule("bad", "Image"), rule("good", "User"));
    let engine = Engine::new([("bad.yaml", bad.as_str()), ("good.yaml", good.as_str())]);
    let event = |seq: u64| EventId {
        agent: agent(),
        epoch: Epoch::from_u64(7).unwrap(),
        lane: Lane::Critical,
        seq: EventSeq::from_u64(seq).unwrap(),
    };
    let ids = |fields: &dyn Fields, seq| {
        let holding = engine.holding(Source::ProcessCreation, fields, event(seq));
        holding.iter().map(|it| it.id.clone()).collect::<Vec<_>>()
    };
    let fine: BTreeMap<String, Json> = serde_saphyr::from_str("{Image: x, User: x}").unwrap();
    assert_eq!(ids(&fine, 1), ["bad", "good"]);
    assert_eq!(ids(&Poison, 2), ["good"]);
    assert_eq!(ids(&Poison, 3), ["good"]);
    assert_eq!(ids(&fine, 4), ["good"]);
    let broken = engine.broken();
    assert_eq!((broken.len(), broken[0].file.as_str(), broken[0].event), (1, "bad.yaml", event(2)));
}

#[test]
fn a_rule_that_does_not_load_leaves_the_others() {
    let engine = Engine::new([("bad.yaml", "title: ["), SHIPPED[0]]);
    assert_eq!((engine.rules().count(), engine.problems().len()), (1, 1));
}

#[test]
fn a_second_rule_of_an_id_is_refused_at_the_line_of_its_id() {
    let engine = Engine::new([("first.yaml", SHIPPED[0].1), ("second.yaml", SHIPPED[0].1)]);
    let problem = &engine.problems()[0];
    expect!["second.yaml: line 2: `first.yaml` has a rule of the same id"]
        .assert_eq(&format!("{}: {}", problem.file, problem.error));
}

proptest! {
    #[test]
    fn any_text_is_a_rule_or_is_refused(text in any::<String>()) {
        drop(parse::rule(&text));
        drop(parse::rule(&format!("{HEAD}  s: {{A: 1}}\n  condition: {text}")));
        drop(parse::rule(&format!("{HEAD}  s: {{'A|{text}': 1}}\n  condition: s")));
        drop(parse::rule(&format!("{HEAD}  s: {{'A|windash|base64offset|contains': '{text}'}}\n  condition: s")));
    }
}
