//! A rule's tree asked node by node, as the specification reads: slow, short, and the reference that
//! the compiled matcher is held against.

use core::net::IpAddr;
use std::cmp::Ordering;

use crate::detect::{
    field::Fields,
    pattern::{DASHES, Element},
    rule::{Check, Node, Number, Order, Target, Test},
};

pub(super) fn holds(node: &Node, fields: &dyn Fields) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|it| holds(it, fields)),
        Node::Any(nodes) => nodes.iter().any(|it| holds(it, fields)),
        Node::Not(node) => !holds(node, fields),
        Node::Test(test) => test_holds(test, fields),
    }
}

fn test_holds(test: &Test, fields: &dyn Fields) -> bool {
    let Target::Field(name) = &test.target else {
        let mut does = false;
        fields.each(&mut |text| does |= text_holds(&test.check, text));
        return does;
    };
    let text = fields.get(name);
    match (&test.check, text.as_deref()) {
        (Check::Null, text) => text.is_none(),
        (Check::Exists(is), _) => fields.has(name) == *is,
        (Check::Field { other, is_start_open, is_end_open, is_cased }, Some(text)) => {
            let Some(other) = fields.get(other) else { return false };
            let mut elements: Vec<_> = other.chars().map(Element::Char).collect();
            if *is_start_open {
                elements.insert(0, Element::Many);
            }
            if *is_end_open {
                elements.push(Element::Many);
            }
            fits(&elements, text, *is_cased)
        }
        (_, None) => false,
        (check, Some(text)) => text_holds(check, text),
    }
}

fn text_holds(check: &Check, text: &str) -> bool {
    match check {
        Check::Text(pattern) => fits(&pattern.elements, text, pattern.is_cased),
        Check::Regex(it) => it.0.is_match(text),
        Check::Cidr(network, bits) => {
            let bytes = |it: IpAddr| match it.to_canonical() {
                IpAddr::V4(it) => it.octets().to_vec(),
                IpAddr::V6(it) => it.octets().to_vec(),
            };
            let Ok(address) = text.parse::<IpAddr>() else { return false };
            let (ours, other) = (bytes(*network), bytes(address));
            let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
            ours.len() == other.len()
                && (0..usize::from(*bits)).all(|at| bit(&ours, at) == bit(&other, at))
        }
        Check::Number(order, number) => {
            let real = |it: Number| match it {
                Number::Whole(it) => it as f64,
                Number::Real(it) => it,
            };
            let ordering = match (Number::parse(text), *number) {
                (None, _) => return false,
                (Some(Number::Whole(a)), Number::Whole(b)) => a.partial_cmp(&b),
                (Some(a), b) => real(a).partial_cmp(&real(b)),
            };
            let is = |allowed: &[Ordering]| ordering.is_some_and(|it| allowed.contains(&it));
            match order {
                Order::Less => is(&[Ordering::Less]),
                Order::LessOrEqual => is(&[Ordering::Less, Ordering::Equal]),
                Order::Greater => is(&[Ordering::Greater]),
                Order::GreaterOrEqual => is(&[Ordering::Greater, Ordering::Equal]),
            }
        }
        Check::Null | Check::Exists(_) | Check::Field { .. } => false,
    }
}

/// By every way in which the wildcards can be filled.
fn fits(elements: &[Element], text: &str, is_cased: bool) -> bool {
    let folded = |it: char| if is_cased { vec![it] } else { it.to_lowercase().collect() };
    let text: Vec<char> = text.chars().flat_map(folded).collect();
    let mut wanted = Vec::new();
    for it in elements {
        match it {
            Element::Char(it) => wanted.extend(folded(*it).into_iter().map(Element::Char)),
            Element::One | Element::Many | Element::Dash => wanted.push(*it),
        }
    }
    // Which prefixes of the text the elements so far can be.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for it in wanted {
        let mut next = vec![false; text.len() + 1];
        for at in (0..=text.len()).filter(|at| reached[*at]) {
            match it {
                Element::Many => next[at..].fill(true),
                _ if at == text.len() => (),
                Element::One => next[at + 1] = true,
                Element::Char(it) => next[at + 1] |= text[at] == it,
                Element::Dash => next[at + 1] |= DASHES.contains(&text[at]),
            }
        }
        reached = next;
    }
    reached[text.len()]
}
