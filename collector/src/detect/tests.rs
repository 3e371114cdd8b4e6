use std::{borrow::Cow, collections::BTreeMap};

use cordon_shared::{
    id::{Epoch, EventId, EventSeq, Lane},
    test_support::agent,
};
use expect_test::{Expect, expect};
use proptest::prelude::{any, proptest};
use serde_json::Value as Json;

use super::{SHIPPED, engine::Engine, field::Fields, matcher::Glob, parse, rule::Source};

const HEAD: &str = "title: t\nid: i\nlevel: low\nlogsource: {category: process_creation, product: linux}\ndetection:\n";

/// Whether a rule with this detection matches an event with these fields, or why it does not load.
#[track_caller]
fn check(detection: &str, event: &str, want: &Expect) {
    let text = format!("{HEAD}{detection}");
    let engine = Engine::new([("rule.yaml", text.as_str())]);
    let fields: BTreeMap<String, Json> = serde_saphyr::from_str(event).unwrap();
    let shown = match engine.problems() {
        [] => engine.matches(Source::ProcessCreation, &fields).count().to_string(),
        problems => format!("{}: {}", problems[0].file, problems[0].error),
    };
    want.assert_eq(&shown);
}

#[test]
fn every_shipped_rule_loads_and_keeps_its_examples() {
    let engine = Engine::new(SHIPPED.iter().copied());
    assert_eq!(engine.problems(), []);
    for (file, text) in SHIPPED {
        let engine = Engine::new([(*file, *text)]);
        let source = parse::rule(text).unwrap().source;
        let examples = parse::examples(text).unwrap();
        for it in &examples.must_match {
            assert_eq!(engine.matches(source, it).count(), 1, "{file} must match {it:?}");
        }
        for it in &examples.must_not_match {
            assert_eq!(engine.matches(source, it).count(), 0, "{file} must not match {it:?}");
        }
    }
}

#[test]
fn values_compare_without_case_and_lists_are_alternatives() {
    let rule = "  s: {Image|endswith: [/SH, /bash]}\n  condition: s";
    check(rule, "{Image: /bin/sh}", &expect!["1"]);
    check(rule, "{Image: /bin/shx}", &expect!["0"]);
    check(rule, "{Other: /bin/sh}", &expect!["0"]);
}

#[test]
fn all_of_a_list_and_all_fields_must_match() {
    let rule = "  s: {CommandLine|contains|all: [curl, '-o'], User: root}\n  condition: s";
    check(rule, "{CommandLine: curl -o x, User: root}", &expect!["1"]);
    check(rule, "{CommandLine: curl x, User: root}", &expect!["0"]);
    check(rule, "{CommandLine: curl -o x, User: ada}", &expect!["0"]);
}

#[test]
fn wildcards_regular_expressions_networks_and_null() {
    check("  s: {Image: '/tmp/*/?.sh'}\n  condition: s", "{Image: /tmp/a/b/c.SH}", &expect!["1"]);
    check("  s: {Image: '\\*'}\n  condition: s", "{Image: '*'}", &expect!["1"]);
    check("  s: {Image: '\\*'}\n  condition: s", "{Image: 'a'}", &expect!["0"]);
    check("  s: {Image|re: '^/[a-c]+$'}\n  condition: s", "{Image: /abc}", &expect!["1"]);
    check("  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s", "{Ip: 10.9.8.7}", &expect!["1"]);
    check("  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s", "{Ip: 11.9.8.7}", &expect!["0"]);
    check("  s: {User: null}\n  condition: s", "{Image: x}", &expect!["1"]);
    check("  s: {User: null}\n  condition: s", "{User: x}", &expect!["0"]);
}

#[test]
fn conditions_bind_not_before_and_before_or() {
    let rule = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  condition: a or b and not c";
    check(rule, "{A: 1, C: 1}", &expect!["1"]);
    check(rule, "{B: 1}", &expect!["1"]);
    check(rule, "{B: 1, C: 1}", &expect!["0"]);
    let rule = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  condition: (a or b) and not c";
    check(rule, "{A: 1, C: 1}", &expect!["0"]);
}

#[test]
fn quantities_count_selections_by_pattern() {
    let rule = "  x1: {A: 1}\n  x2: {B: 1}\n  y: {C: 1}\n  condition: 1 of x* and y";
    check(rule, "{B: 1, C: 1}", &expect!["1"]);
    check(rule, "{C: 1}", &expect!["0"]);
    let rule = "  x1: {A: 1}\n  x2: {B: 1}\n  condition: all of them";
    check(rule, "{A: 1, B: 1}", &expect!["1"]);
    check(rule, "{A: 1}", &expect!["0"]);
}

#[test]
fn what_cannot_be_loaded_is_named_with_line_and_reason() {
    check(
        "  s: {Image|base64offset: x}\n  condition: s",
        "{}",
        &expect![
            "rule.yaml: line 6: `s`: modifier `base64offset` is not supported by this release"
        ],
    );
    check(
        "  s: {Image: x}\n  condition: t",
        "{}",
        &expect!["rule.yaml: line 7: the condition names `t`, which is not there"],
    );
    check(
        "  s: {Image: x}\n  condition: (s",
        "{}",
        &expect!["rule.yaml: line 7: a `)` is missing"],
    );
    check(
        "  s: {Image|re: '('}\n  condition: s",
        "{}",
        &expect!["rule.yaml: line 1: `(` is no regular expression"],
    );
    check(
        "  s: [keyword]\n  condition: s",
        "{}",
        &expect!["rule.yaml: line 1: `s`: keywords are not supported by this release"],
    );
}

/// An event that a rule breaks on which looks at its image.
struct Poison;

impl Fields for Poison {
    fn get(&self, field: &str) -> Option<Cow<'_, str>> {
        assert_ne!(field, "Image", "a defect");
        Some("x".into())
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

proptest! {
    #[test]
    fn any_text_is_a_rule_or_is_refused(text in any::<String>()) {
        drop(parse::rule(&text));
        drop(parse::rule(&format!("{HEAD}  s: {{A: 1}}\n  condition: {text}")));
    }

    #[test]
    fn a_text_without_wildcards_matches_itself_alone(text in "[a-z/ ]{0,20}", other in "[a-z/ ]{0,20}") {
        let glob = Glob::new(&text, false, false);
        assert!(glob.matches(&text));
        assert_eq!(glob.matches(&other), text == other);
        assert!(Glob::new(&text, true, true).matches(&format!("{other}{text}{other}")));
        assert!(Glob::new(&text, true, false).matches(&format!("{other}{text}")));
    }
}
