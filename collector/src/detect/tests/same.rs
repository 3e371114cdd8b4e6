//! Whatever rules are compiled together, the matcher finds what each of them alone would.

use core::net::IpAddr;
use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest},
    sample::select,
};
use serde_json::Value as Json;

use super::naive;
use crate::detect::{
    matcher::Program,
    pattern::{Element, Pattern},
    rule::{Check, Expression, Node, Number, Order, Target, Test},
};

const FIELDS: [&str; 3] = ["Image", "CommandLine", "User"];

/// Few letters, so that things meet: of both cases, of more than one byte, and one whose lower case
/// is longer than itself.
const LETTERS: [char; 8] = ['a', 'b', 'A', 'B', '/', '-', 'é', 'İ'];

fn field() -> impl Strategy<Value = String> {
    select(&FIELDS[..]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    // Words that rules have too, in another case.
    let words =
        select(&["ab", "AB", "", "10.1.2.3", "10.9.9.9", "::1", "5", "7.5", "-3", "10"][..]);
    let letters = vec(select(&LETTERS[..]), 0..8).prop_map(String::from_iter);
    prop_oneof![4 => letters, 1 => words.prop_map(str::to_owned)]
}

fn element() -> impl Strategy<Value = Element> {
    prop_oneof![
        8 => select(&LETTERS[..]).prop_map(Element::Char),
        2 => Just(Element::Many),
        1 => Just(Element::One),
        1 => Just(Element::Dash),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let word = |it: &str| it.chars().map(Element::Char).collect();
    let inner = prop_oneof![
        1 => select(&["ab", "AB", "Ab"][..]).prop_map(word),
        3 => vec(select(&LETTERS[..]).prop_map(Element::Char), 0..4),
        1 => vec(element(), 0..6),
    ];
    let flags = (any::<bool>(), any::<bool>(), select(&[false, false, false, true][..]));
    (inner, flags).prop_map(|(mut elements, (is_start_open, is_end_open, is_cased))| {
        if is_start_open {
            elements.insert(0, Element::Many);
        }
        if is_end_open {
            elements.push(Element::Many);
        }
        Pattern { elements, is_cased }
    })
}

fn check() -> impl Strategy<Value = Check> {
    let regex = |it| Check::Regex(Expression(regex::Regex::new(it).unwrap()));
    let network = |it: IpAddr, most: u8| (0..=most).prop_map(move |bits| Check::Cidr(it, bits));
    let order =
        select(&[Order::Less, Order::LessOrEqual, Order::Greater, Order::GreaterOrEqual][..]);
    let number = select(&[Number::Whole(5), Number::Real(7.5), Number::Whole(-3)][..]);
    prop_oneof![
        12 => pattern().prop_map(Check::Text),
        1 => select(&["^a", "(?i)B$", "a.b", "^$"][..]).prop_map(regex),
        1 => network(IpAddr::from([10, 1, 2, 3]), 32),
        1 => network(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128),
        1 => (order, number).prop_map(|(order, number)| Check::Number(order, number)),
        1 => Just(Check::Null),
        1 => any::<bool>().prop_map(Check::Exists),
        1 => (field(), any::<[bool; 3]>()).prop_map(|(other, [is_start_open, is_end_open, is_cased])| {
            Check::Field { other, is_start_open, is_end_open, is_cased }
        }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let target = prop_oneof![6 => field().prop_map(Target::Field), 1 => Just(Target::AnyField)];
    let test = (target, check()).prop_map(|(target, check)| Node::Test(Test { target, check }));
    test.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..4).prop_map(Node::All),
            2 => vec(inner.clone(), 0..4).prop_map(Node::Any),
            1 => inner.prop_map(|it| Node::Not(Box::new(it))),
        ]
    })
}

fn event() -> impl Strategy<Value = BTreeMap<String, Json>> {
    let value = prop_oneof![6 => text().prop_map(Json::from), 1 => Just(Json::Null)];
    btree_map(field(), value, 0..4)
}

proptest! {
    #[test]
    fn compiled_together_rules_match_what_each_tree_alone_would(
        rules in vec(node(), 1..12),
        events in vec(event(), 1..12),
    ) {
        let program = Program::compile(&rules);
        for event in &events {
            let holds = |rule: &usize| naive::holds(&rules[*rule], event);
            let alone: Vec<usize> = (0..rules.len()).filter(holds).collect();
            prop_assert_eq!(program.matches(event), alone.clone(), "{:?}", event);
            let mut look = program.look_alone(event);
            let asked: Vec<_> = look.candidates().into_iter().filter(|it| look.holds(*it)).collect();
            prop_assert_eq!(asked, alone, "{:?}", event);
        }
    }
}

/// A rule that no event can reach is not looked at, and one without anything to look up always is.
#[test]
fn only_rules_with_a_witness_are_looked_at() {
    let text = |value: &str| {
        let pattern = Pattern::holding(value);
        Node::Test(Test { target: Target::Field("Image".to_owned()), check: Check::Text(pattern) })
    };
    let null = Test { target: Target::Field("User".to_owned()), check: Check::Null };
    let rules = [
        Node::All(vec![text("curl"), text("b")]),
        Node::Any(vec![text("wget"), text("nc")]),
        Node::Not(Box::new(text("curl"))),
        Node::All(vec![Node::Not(Box::new(text("x"))), text("fetch")]),
        Node::Test(null),
    ];
    let program = Program::compile(&rules);
    let look = |image: &str| {
        let event = BTreeMap::from([("Image".to_owned(), Json::from(image))]);
        program.look(&event).candidates()
    };
    assert_eq!(look("/bin/true"), [2, 4]);
    assert_eq!(look("/bin/curl"), [0, 2, 4]);
    assert_eq!(look("/bin/NC"), [1, 2, 4]);
    assert_eq!(look("fetch"), [2, 3, 4]);
}

#[test]
fn rules_that_write_a_value_in_another_case_ask_for_the_same() {
    let equal = |value: &str| {
        let elements = value.chars().map(Element::Char).collect();
        let check = Check::Text(Pattern { elements, is_cased: false });
        Node::Test(Test { target: Target::Field("Image".to_owned()), check })
    };
    let program = Program::compile(&[equal("EXECVE"), equal("execve")]);
    let event = BTreeMap::from([("Image".to_owned(), Json::from("Execve"))]);
    assert_eq!(program.matches(&event), [0, 1]);
}
