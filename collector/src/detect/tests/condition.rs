//! The language of conditions, and what of it is refused.

use expect_test::expect;

use super::check;

#[test]
fn not_binds_before_and_and_before_or() {
    let rule = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  condition: a or b and not c";
    check(rule, "{A: 1, C: 1}", &expect!["matches"]);
    check(rule, "{B: 1}", &expect!["matches"]);
    check(rule, "{B: 1, C: 1}", &expect!["does not"]);
    let rule = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  condition: (a or b) AND NOT (c)";
    check(rule, "{A: 1, C: 1}", &expect!["does not"]);
    check(rule, "{A: 1}", &expect!["matches"]);
    let rule = "  a: {A: 1}\n  condition: not not a";
    check(rule, "{A: 1}", &expect!["matches"]);
}

#[test]
fn quantities_count_selections_by_pattern() {
    let rule = "  x1: {A: 1}\n  x2: {B: 1}\n  y: {C: 1}\n  condition: 1 of x* and y";
    check(rule, "{B: 1, C: 1}", &expect!["matches"]);
    check(rule, "{C: 1}", &expect!["does not"]);
    let rule = "  x1: {A: 1}\n  x2: {B: 1}\n  condition: all of them";
    check(rule, "{A: 1, B: 1}", &expect!["matches"]);
    check(rule, "{A: 1}", &expect!["does not"]);
    let rule = "  x1: {A: 1}\n  x2: {B: 1}\n  condition: any of x1";
    check(rule, "{A: 1}", &expect!["matches"]);
    check(rule, "{B: 1}", &expect!["does not"]);
}

#[test]
fn a_pattern_may_have_its_stars_anywhere() {
    let rule = "  a_x_z: {A: 1}\n  a_y_z: {B: 1}\n  a_y: {C: 1}\n  condition: all of a_*_z";
    check(rule, "{A: 1, B: 1}", &expect!["matches"]);
    check(rule, "{A: 1, C: 1}", &expect!["does not"]);
    let rule = "  a_x: {A: 1}\n  b_x: {B: 1}\n  b_y: {C: 1}\n  condition: 1 of *_x and not 1 of *y";
    check(rule, "{B: 1}", &expect!["matches"]);
    check(rule, "{B: 1, C: 1}", &expect!["does not"]);
}

#[test]
fn names_with_an_underscore_in_front_are_left_out_of_them() {
    let rule = "  a: {A: 1}\n  _b: {B: 1}\n  condition: 1 of them";
    check(rule, "{B: 1}", &expect!["does not"]);
    check(rule, "{A: 1}", &expect!["matches"]);
    let rule = "  a: {A: 1}\n  _b: {B: 1}\n  condition: all of them and _b";
    check(rule, "{A: 1}", &expect!["does not"]);
    check(rule, "{A: 1, B: 1}", &expect!["matches"]);
}

#[test]
fn a_list_of_conditions_is_of_alternatives() {
    let rule = "  a: {A: 1}\n  b: {B: 1}\n  c: {C: 1}\n  condition:\n    - a and b\n    - c";
    check(rule, "{C: 1}", &expect!["matches"]);
    check(rule, "{A: 1, B: 1}", &expect!["matches"]);
    check(rule, "{A: 1}", &expect!["does not"]);
}

#[test]
fn what_grows_without_bound_is_refused() {
    let rule = format!("  a: {{A: 1}}\n  condition: {}a{}", "(".repeat(70), ")".repeat(70));
    check(&rule, "{}", &expect!["rule.yaml: line 7: the condition is nested more than 64 deep"]);
    let many: Vec<_> = (0..2_000).map(|it| format!("  a{it}: {{A: 1}}\n")).collect();
    let rule = format!("{}  condition: 1 of a*{}", many.concat(), " or 1 of a*".repeat(60));
    check(&rule, "{}", &expect!["rule.yaml: line 2006: the condition asks more than 65536 things"]);
}
