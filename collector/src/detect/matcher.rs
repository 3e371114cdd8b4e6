//! Comparisons, compiled once. Text compares without case (Sigma 2.1); `*` and `?` are wildcards, a
//! backslash before them takes that away. Regular expressions keep their case and run in time linear
//! in the text.

// `core::net` holds addresses alone; `std::net` would bring sockets into a pure module.
use core::net::IpAddr;

use super::{
    field::Fields,
    rule::{Comparison, Node, Operator, Value},
};

/// Bytes that a compiled regular expression may take (chosen: the crate's default, a tenth).
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A compiled condition.
#[derive(Debug)]
pub enum Matcher {
    /// Every one.
    All(Vec<Matcher>),
    /// At least one.
    Any(Vec<Matcher>),
    /// Not this one.
    Not(Box<Matcher>),
    /// A comparison.
    Compare {
        /// The field.
        field: String,
        /// Whether all tests must hold.
        is_all: bool,
        /// What is tested.
        tests: Vec<Test>,
    },
}

/// One test of a field's text.
#[derive(Debug)]
pub enum Test {
    /// Case folded; parts between `*`, each of characters where `None` is a `?`.
    Glob(Glob),
    /// A regular expression.
    Regex(regex::Regex),
    /// A network.
    Cidr(IpAddr, u8),
    /// The field is not there, or empty.
    Null,
}

/// A pattern with wildcards: pieces that must follow each other.
#[derive(Debug, PartialEq, Eq)]
pub struct Glob {
    pieces: Vec<Vec<Option<char>>>,
    is_start_open: bool,
    is_end_open: bool,
}

impl Matcher {
    /// Compiles a condition.
    ///
    /// # Errors
    /// The reason, when a regular expression or a network does not read.
    pub fn compile(node: &Node) -> Result<Self, String> {
        let each = |nodes: &[Node]| nodes.iter().map(Self::compile).collect::<Result<Vec<_>, _>>();
        Ok(match node {
            Node::All(nodes) => Self::All(each(nodes)?),
            Node::Any(nodes) => Self::Any(each(nodes)?),
            Node::Not(node) => Self::Not(Box::new(Self::compile(node)?)),
            Node::Compare(it) => Self::Compare {
                field: it.field.clone(),
                is_all: it.is_all,
                tests: it.values.iter().map(|value| test(it, value)).collect::<Result<_, _>>()?,
            },
        })
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, fields: &dyn Fields) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|it| it.holds(fields)),
            Self::Any(parts) => parts.iter().any(|it| it.holds(fields)),
            Self::Not(part) => !part.holds(fields),
            Self::Compare { field, is_all, tests } => {
                let text = fields.get(field);
                let text = text.as_deref();
                if *is_all {
                    tests.iter().all(|it| it.holds(text))
                } else {
                    tests.iter().any(|it| it.holds(text))
                }
            }
        }
    }
}

fn test(comparison: &Comparison, value: &Value) -> Result<Test, String> {
    let text = match value {
        Value::Null => return Ok(Test::Null),
        Value::Text(text) => text,
    };
    let open = |start, end| Test::Glob(Glob::new(text, start, end));
    Ok(match comparison.operator {
        Operator::Equals => open(false, false),
        Operator::Contains => open(true, true),
        Operator::StartsWith => open(false, true),
        Operator::EndsWith => open(true, false),
        Operator::Regex => {
            let built = regex::RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
            Test::Regex(built.map_err(|_source| format!("`{text}` is no regular expression"))?)
        }
        Operator::Cidr => {
            let (address, bits) = text.split_once('/').unwrap_or((text, ""));
            let address: Option<IpAddr> = address.parse().ok();
            let bits_max = if address.is_some_and(|it| it.is_ipv6()) { 128 } else { 32 };
            let bits = if bits.is_empty() { Some(bits_max) } else { bits.parse().ok() };
            match (address, bits.filter(|it| *it <= bits_max)) {
                (Some(address), Some(bits)) => Test::Cidr(address, bits),
                (None, _) | (_, None) => return Err(format!("`{text}` is no network")),
            }
        }
    })
}

impl Test {
    fn holds(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return matches!(self, Self::Null) };
        match self {
            Self::Null => text.is_empty(),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Cidr(address, bits) => {
                let bits = u32::from(*bits);
                match (address, text.parse::<IpAddr>().map(|it| it.to_canonical())) {
                    (IpAddr::V4(ours), Ok(IpAddr::V4(other))) => {
                        (ours.to_bits() ^ other.to_bits()).leading_zeros() >= bits
                    }
                    (IpAddr::V6(ours), Ok(IpAddr::V6(other))) => {
                        (ours.to_bits() ^ other.to_bits()).leading_zeros() >= bits
                    }
                    (IpAddr::V4(_), Ok(IpAddr::V6(_)) | Err(_))
                    | (IpAddr::V6(_), Ok(IpAddr::V4(_)) | Err(_)) => false,
                }
            }
        }
    }
}

impl Glob {
    /// Compiles a pattern; `is_start_open` stands for a `*` before it, `is_end_open` for one after.
    #[must_use]
    pub fn new(pattern: &str, is_start_open: bool, is_end_open: bool) -> Self {
        let mut glob = Self { pieces: vec![Vec::new()], is_start_open, is_end_open };
        let mut characters = pattern.chars().peekable();
        while let Some(it) = characters.next() {
            match it {
                '\\' if characters.peek().is_some_and(|next| "*?\\".contains(*next)) => {
                    glob.push(characters.next());
                }
                '*' => glob.pieces.push(Vec::new()),
                '?' => glob.push_any(),
                it => glob.push(Some(it)),
            }
        }
        glob
    }

    fn push(&mut self, character: Option<char>) {
        let Some(piece) = self.pieces.last_mut() else { return };
        piece.extend(character.into_iter().flat_map(char::to_lowercase).map(Some));
    }

    fn push_any(&mut self) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(None);
        }
    }

    /// Whether the whole text fits. Each piece is taken at its first place, the last at the end: no
    /// backtracking, so time is bounded by text times pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let last = self.pieces.len().saturating_sub(1);
        let mut rest = text.as_slice();
        for (index, piece) in self.pieces.iter().enumerate() {
            let is_start_fixed = index == 0 && !self.is_start_open;
            let is_end_fixed = index == last && !self.is_end_open;
            let Some(room) = rest.len().checked_sub(piece.len()) else { return false };
            let places = match (is_start_fixed, is_end_fixed) {
                (true, true) if room > 0 => return false,
                (true, _) => 0..=0,
                (false, true) => room..=room,
                (false, false) => 0..=room,
            };
            let fits = |at: &usize| {
                rest.iter()
                    .skip(*at)
                    .zip(piece)
                    .all(|(it, want)| want.is_none_or(|want| want == *it))
            };
            let Some(at) = places.into_iter().find(fits) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}
