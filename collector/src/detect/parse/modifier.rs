//! A field's key, its modifiers and its values → tests (Sigma 2.1, appendix "Modifiers").
//!
//! Modifiers are applied in the order in which they stand; a text becomes others on the way, and at
//! the end one or more tests. What cannot stand beside what is refused by name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_shared::command::action::Network;

use super::{
    ParseError,
    yaml::{Entry, Kind, Yaml},
};
use crate::detect::{
    field::shown,
    pattern::{DASHES, Element, Pattern, elements, plain},
    rule::{Check, Expression, Node, Number, Order, Target, Test},
};

/// Bytes that a compiled regular expression may take (chosen: the crate's default, a tenth).
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What the values are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Text,
    Regex,
    Cidr,
    Number(Order),
    Exists,
    Field,
}

/// What becomes of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Contains,
    StartsWith,
    EndsWith,
    Dashes,
    Utf16Le,
    Utf16Be,
    Utf16Marked,
    Base64,
    Base64Offset,
}

/// A key, read.
struct Key {
    target: Target,
    meaning: Meaning,
    steps: Vec<Step>,
    /// Of a regular expression: `i`, `m`, `s`.
    flags: String,
    is_all: bool,
    is_neq: bool,
    is_cased: bool,
}

/// A text on its way through the steps.
enum Passing {
    Elements(Vec<Element>),
    Bytes(Vec<u8>),
}

/// Reads `field|modifier…: value` or a list of values.
pub(super) fn comparison(entry: &Entry) -> Result<Node, ParseError> {
    let refuse = |reason| ParseError { line: entry.line, reason };
    let key = key(&entry.key).map_err(refuse)?;
    if matches!(&entry.value.kind, Kind::List(items) if items.is_empty()) {
        return Err(refuse(format!("`{}` must have a value", entry.key)));
    }
    let mut nodes = Vec::new();
    for value in entry.value.items() {
        if value.kind == Kind::Null && entry.value.items().len() > 1 {
            return value.refuse("null cannot be one of a list: give it a selection of its own");
        }
        let checks = checks(&key, value)?;
        let test = |check| Node::Test(Test { target: key.target.clone(), check });
        nodes.push(one_or(checks.into_iter().map(test).collect(), Node::Any));
    }
    Ok(if key.is_neq {
        // Different from every one of them.
        Node::Not(Box::new(one_or(nodes, Node::Any)))
    } else if key.is_all {
        one_or(nodes, Node::All)
    } else {
        one_or(nodes, Node::Any)
    })
}

/// The only node, or many in one.
pub(super) fn one_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}

fn key(text: &str) -> Result<Key, String> {
    let mut parts = text.split('|');
    let target = match parts.next().unwrap_or_default() {
        "" => Target::AnyField,
        field => Target::Field(field.to_owned()),
    };
    let mut key = Key {
        target,
        meaning: Meaning::Text,
        steps: Vec::new(),
        flags: String::new(),
        is_all: false,
        is_neq: false,
        is_cased: false,
    };
    for modifier in parts {
        key.take(modifier)?;
    }
    let is_text = key.meaning == Meaning::Text;
    let ends = |it: &Step| matches!(it, Step::Contains | Step::StartsWith | Step::EndsWith);
    let is_field = key.meaning == Meaning::Field && key.steps.iter().all(ends);
    if !(is_text || is_field || key.steps.is_empty() && !key.is_cased) {
        return Err(format!("the modifiers of `{text}` cannot stand beside each other"));
    }
    if key.target == Target::AnyField {
        if matches!(key.meaning, Meaning::Exists | Meaning::Field) {
            return Err(format!("`{text}` must name a field"));
        }
        if is_text && !key.steps.iter().any(ends) {
            key.steps.push(Step::Contains);
        }
    }
    Ok(key)
}

impl Key {
    fn take(&mut self, modifier: &str) -> Result<(), String> {
        let step = match modifier {
            "all" => return Self::set(&mut self.is_all, modifier),
            "neq" => return Self::set(&mut self.is_neq, modifier),
            "cased" => return Self::set(&mut self.is_cased, modifier),
            "contains" => Step::Contains,
            "startswith" => Step::StartsWith,
            "endswith" => Step::EndsWith,
            "windash" => Step::Dashes,
            "wide" | "utf16le" => Step::Utf16Le,
            "utf16be" => Step::Utf16Be,
            "utf16" => Step::Utf16Marked,
            "base64" => Step::Base64,
            "base64offset" => Step::Base64Offset,
            "i" | "m" | "s" if self.meaning == Meaning::Regex => {
                self.flags.push_str(modifier);
                return Ok(());
            }
            "i" | "m" | "s" => return Err(format!("`{modifier}` must stand behind `re`")),
            "re" => return self.mean(Meaning::Regex, modifier),
            "cidr" => return self.mean(Meaning::Cidr, modifier),
            "exists" => return self.mean(Meaning::Exists, modifier),
            "fieldref" => return self.mean(Meaning::Field, modifier),
            "lt" => return self.mean(Meaning::Number(Order::Less), modifier),
            "lte" => return self.mean(Meaning::Number(Order::LessOrEqual), modifier),
            "gt" => return self.mean(Meaning::Number(Order::Greater), modifier),
            "gte" => return self.mean(Meaning::Number(Order::GreaterOrEqual), modifier),
            "expand" | "minute" | "hour" | "day" | "week" | "month" | "year" => {
                return Err(format!("modifier `{modifier}` is not supported by this release"));
            }
            other => return Err(format!("`{other}` is no modifier of Sigma 2.1")),
        };
        if matches!(self.steps.last(), Some(Step::Contains | Step::StartsWith | Step::EndsWith))
            && !matches!(step, Step::Contains | Step::StartsWith | Step::EndsWith)
        {
            return Err(format!("`{modifier}` must stand before `contains` and its like"));
        }
        self.steps.push(step);
        Ok(())
    }

    fn set(flag: &mut bool, modifier: &str) -> Result<(), String> {
        if std::mem::replace(flag, true) {
            Err(format!("`{modifier}` stands there twice"))
        } else {
            Ok(())
        }
    }

    fn mean(&mut self, meaning: Meaning, modifier: &str) -> Result<(), String> {
        if self.meaning != Meaning::Text {
            return Err(format!("`{modifier}` cannot stand beside the modifier before it"));
        }
        self.meaning = meaning;
        Ok(())
    }
}

/// What a value stands for: several checks are alternatives.
fn checks(key: &Key, value: &Yaml) -> Result<Vec<Check>, ParseError> {
    if value.kind == Kind::Null {
        if key.meaning != Meaning::Text || !key.steps.is_empty() || key.target == Target::AnyField {
            return value.refuse("null has no text to compare: give the field without modifiers");
        }
        return Ok(vec![Check::Null]);
    }
    let Some(text) = value.scalar() else {
        return value.refuse("a value must be a text, a number, a truth value or null");
    };
    let made = match key.meaning {
        Meaning::Text => texts(key, &text),
        Meaning::Regex => regex(key, &text).map(|it| vec![it]),
        Meaning::Cidr => network(&text).map(|it| vec![it]),
        Meaning::Number(order) => match Number::parse(&text) {
            Some(it) => Ok(vec![Check::Number(order, it)]),
            None => Err(format!("`{text}` must be a number")),
        },
        Meaning::Exists => match value.kind {
            Kind::Flag(is) => Ok(vec![Check::Exists(is)]),
            Kind::Null
            | Kind::Integer(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Map(_) => Err("`exists` must be true or false".to_owned()),
        },
        Meaning::Field => Ok(vec![other_field(key, text)]),
    };
    made.or_else(|reason| value.refuse(reason))
}

fn other_field(key: &Key, other: String) -> Check {
    let has = |steps: [Step; 2]| key.steps.iter().any(|it| steps.contains(it));
    Check::Field {
        other,
        is_start_open: has([Step::Contains, Step::EndsWith]),
        is_end_open: has([Step::Contains, Step::StartsWith]),
        is_cased: key.is_cased,
    }
}

fn regex(key: &Key, text: &str) -> Result<Check, String> {
    let whole =
        if key.flags.is_empty() { text.to_owned() } else { format!("(?{}){text}", key.flags) };
    let built = regex::RegexBuilder::new(&whole).size_limit(REGEX_BYTES_MAX).build();
    let built = built.map_err(|error| {
        let said = error.to_string();
        let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("`{text}` is no regular expression of this release: {why}")
    })?;
    Ok(Check::Regex(Expression(built)))
}

fn network(text: &str) -> Result<Check, String> {
    let found = Network::parse(text).ok_or_else(|| format!("`{text}` is no network"))?;
    Ok(Check::Cidr(found.address, found.prefix_bits))
}

fn texts(key: &Key, text: &str) -> Result<Vec<Check>, String> {
    if text.is_empty() && key.target == Target::AnyField {
        return Err("a keyword must not be empty".to_owned());
    }
    let mut passing = vec![Passing::Elements(elements(text))];
    for step in &key.steps {
        let mut next = Vec::with_capacity(passing.len());
        for it in passing {
            it.step(*step, &mut next).map_err(|why| format!("`{text}` {why}"))?;
        }
        passing = next;
    }
    let check =
        |it: Passing| Check::Text(Pattern { elements: it.into_elements(), is_cased: key.is_cased });
    Ok(passing.into_iter().map(check).collect())
}

impl Passing {
    fn step(self, step: Step, out: &mut Vec<Self>) -> Result<(), &'static str> {
        match step {
            Step::Contains => out.push(self.opened(true, true)),
            Step::StartsWith => out.push(self.opened(false, true)),
            Step::EndsWith => out.push(self.opened(true, false)),
            Step::Dashes => out.push(Self::Elements(with_dashes(self.into_elements()))),
            Step::Utf16Le => out.push(Self::Bytes(self.utf16(u16::to_le_bytes, "")?)),
            Step::Utf16Be => out.push(Self::Bytes(self.utf16(u16::to_be_bytes, "")?)),
            Step::Utf16Marked => {
                out.push(Self::Bytes(self.utf16(u16::to_le_bytes, "\u{feff}")?));
            }
            Step::Base64 => out.push(Self::ascii(&STANDARD.encode(self.into_bytes()?))),
            Step::Base64Offset => {
                let bytes = self.into_bytes()?;
                let texts = (0..3).map(|shift| shifted_base64(&bytes, shift));
                // Nothing stays of a text of one or two bytes: it would be found everywhere.
                out.extend(texts.filter(|it| !it.is_empty()).map(|it| Self::ascii(&it)));
                if out.is_empty() {
                    return Err("is too short to be found in Base64");
                }
            }
        }
        Ok(())
    }

    fn ascii(text: &str) -> Self {
        Self::Elements(text.chars().map(Element::Char).collect())
    }

    fn opened(self, is_start_open: bool, is_end_open: bool) -> Self {
        let mut elements = self.into_elements();
        if is_start_open && elements.first() != Some(&Element::Many) {
            elements.insert(0, Element::Many);
        }
        if is_end_open && (elements.len() < 2 || elements.last() != Some(&Element::Many)) {
            elements.push(Element::Many);
        }
        Self::Elements(elements)
    }

    fn into_elements(self) -> Vec<Element> {
        match self {
            Self::Elements(it) => it,
            Self::Bytes(bytes) => shown(&bytes).chars().map(Element::Char).collect(),
        }
    }

    fn into_bytes(self) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Elements(it) => {
                let text = plain(&it).ok_or("has wildcards, which cannot be encoded")?;
                Ok(text.into_bytes())
            }
            Self::Bytes(bytes) => Ok(bytes),
        }
    }

    fn utf16(self, order: fn(u16) -> [u8; 2], mark: &str) -> Result<Vec<u8>, &'static str> {
        let text = String::from_utf8(self.into_bytes()?);
        let text = text.map_err(|_bytes| "is encoded already")?;
        Ok(mark.encode_utf16().chain(text.encode_utf16()).flat_map(order).collect())
    }
}

/// What of the Base64 of a longer text stays the same when this one begins `shift` bytes behind a
/// multiple of three.
fn shifted_base64(bytes: &[u8], shift: usize) -> String {
    let mut padded = vec![b' '; shift];
    padded.extend_from_slice(bytes);
    let text = STANDARD.encode(&padded);
    // The characters that hold bits of what stands before, or behind.
    let before = [0, 2, 3].get(shift).copied().unwrap_or_default();
    let after = [0, 3, 2].get(padded.len() % 3).copied().unwrap_or_default();
    let end = text.len().saturating_sub(after).max(before);
    text.get(before..end).unwrap_or_default().to_owned()
}

/// A dash before a word and not behind one becomes any dash.
fn with_dashes(mut elements: Vec<Element>) -> Vec<Element> {
    let is_word = |it: Option<&Element>| matches!(it, Some(Element::Char(it)) if it.is_alphanumeric() || *it == '_');
    for at in 0..elements.len() {
        let is_dash = matches!(elements.get(at), Some(Element::Char(it)) if DASHES.contains(it));
        let is_behind_word = at.checked_sub(1).is_some_and(|it| is_word(elements.get(it)));
        if is_dash
            && !is_behind_word
            && is_word(elements.get(at + 1))
            && let Some(it) = elements.get_mut(at)
        {
            *it = Element::Dash;
        }
    }
    elements
}
