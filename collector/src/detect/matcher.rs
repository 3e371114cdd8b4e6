//! All rules of one log source as one matcher: an event is looked at once, not once for each rule.
//!
//! In: rules ([`Program::compile`]) and something with fields ([`Program::look`]). Out: which rules
//! match. Every test is interned: the same test of many rules is done once for an event. In order:
//!
//! 1. a field's text is put into lower case once; one hash lookup answers every equality, one pass
//!    of an Aho-Corasick automaton every "contains", "begins with" and "ends with" ([`lookup`]);
//! 2. each rule has a witness: tests of which one must hold for the rule to match ([`compile`]). A
//!    rule none of whose witnesses holds is not looked at;
//! 3. what is left is asked in full. Tests that cannot be looked up (regular expressions, wildcards
//!    within, networks, numbers, other fields) are done when a rule first asks, and kept.
//!
//! Texts compare without case (Sigma 2.1) unless the rule says `cased`; regular expressions keep
//! their case and run in time linear in the text. Nothing here allocates by what a text says but the
//! copy of it in lower case. What an event costs is bounded by its length times the tests.

mod compile;
mod lookup;

use core::net::IpAddr;
use std::borrow::Cow;

use cordon_shared::command::action::Network;

use self::lookup::Lookup;
use super::{
    field::Fields,
    pattern::{Glob, Literal, fold},
    rule::{Number, Order},
};

/// The rules of one log source, compiled.
#[derive(Debug, Default)]
pub struct Program {
    tests: Vec<Ready>,
    /// Fields that tests name.
    places: Vec<Place>,
    /// What is looked up in every field.
    keywords: Lookup,
    /// By rule.
    trees: Vec<Tree>,
    /// By test: the rules that it is a witness of.
    witnessed: Vec<Vec<u32>>,
    /// Rules without a witness.
    always: Vec<u32>,
}

/// A field and what is looked up in it.
#[derive(Debug)]
struct Place {
    name: String,
    lookup: Lookup,
}

/// A rule's condition over tests by number.
#[derive(Debug)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Test(u32),
}

/// A test, made ready.
#[derive(Debug)]
struct Ready {
    /// The number of its field; nothing when it is every field.
    place: Option<usize>,
    /// A test that holds whenever this one does, and is looked up.
    needs: Option<u32>,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// Answered by what was looked up.
    Found(Literal),
    Glob {
        glob: Glob,
        is_cased: bool,
    },
    Regex(regex::Regex),
    Cidr(IpAddr, u8),
    Number(Order, Number),
    Null,
    Exists(bool),
    Field {
        other: usize,
        is_start_open: bool,
        is_end_open: bool,
        is_cased: bool,
    },
}

/// A text as it is and in lower case.
struct Value<'a> {
    raw: Cow<'a, str>,
    /// Nothing when `raw` is in lower case.
    folded: Option<String>,
}

impl<'a> Value<'a> {
    fn new(raw: Cow<'a, str>) -> Self {
        let folded = match fold(&raw) {
            Cow::Borrowed(_) => None,
            Cow::Owned(it) => Some(it),
        };
        Self { raw, folded }
    }

    fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.raw)
    }

    fn as_cased(&self, is_cased: bool) -> &str {
        if is_cased { &self.raw } else { self.folded() }
    }
}

/// Truth by number.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn get(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|it| it >> (index % 64) & 1 == 1)
    }

    fn set(&mut self, index: u32) {
        if let Some(it) = self.0.get_mut(index as usize / 64) {
            *it |= 1 << (index % 64);
        }
    }
}

/// One event in front of a program's rules.
pub struct Look<'a> {
    program: &'a Program,
    fields: &'a dyn Fields,
    /// By place; `None` until somebody asks.
    texts: Vec<Option<Option<Value<'a>>>>,
    /// Of every field, for keywords that are not looked up.
    all: Option<Vec<Value<'a>>>,
    /// Which tests hold, and of which that is known.
    holds: Bits,
    known: Bits,
    candidates: Bits,
    /// Nothing was looked up: every test is done when a rule asks.
    is_alone: bool,
}

impl Program {
    /// Looks at an event: what can be looked up is answered after this.
    #[must_use]
    pub fn look<'a>(&'a self, fields: &'a dyn Fields) -> Look<'a> {
        let mut look = Look::new(self, fields);
        let mut found = Vec::new();
        for (index, place) in self.places.iter().enumerate().filter(|(_, it)| !it.lookup.is_empty())
        {
            if let Some(value) = look.text(index) {
                place.lookup.find(value.folded(), &mut found);
            }
        }
        if !self.keywords.is_empty() {
            for value in look.all() {
                self.keywords.find(value.folded(), &mut found);
            }
        }
        self.always.iter().for_each(|rule| look.candidates.set(*rule));
        for test in found {
            if !look.holds.get(test) {
                look.holds.set(test);
                let rules = self.witnessed.get(test as usize).into_iter().flatten();
                rules.for_each(|rule| look.candidates.set(*rule));
            }
        }
        look
    }

    /// As [`Program::look`], but each rule asks for itself and all are candidates: the same result,
    /// slower, and nothing is asked that a rule does not ask.
    #[must_use]
    pub fn look_alone<'a>(&'a self, fields: &'a dyn Fields) -> Look<'a> {
        let mut look = Look { is_alone: true, ..Look::new(self, fields) };
        (0..).zip(&self.trees).for_each(|(rule, _)| look.candidates.set(rule));
        look
    }

    /// The rules that an event matches, by number.
    #[must_use]
    pub fn matches(&self, fields: &dyn Fields) -> Vec<usize> {
        let mut look = self.look(fields);
        look.candidates().into_iter().filter(|rule| look.holds(*rule)).collect()
    }
}

impl<'a> Look<'a> {
    fn new(program: &'a Program, fields: &'a dyn Fields) -> Self {
        Look {
            program,
            fields,
            texts: program.places.iter().map(|_| None).collect(),
            all: None,
            holds: Bits::new(program.tests.len()),
            known: Bits::new(program.tests.len()),
            candidates: Bits::new(program.trees.len()),
            is_alone: false,
        }
    }

    /// The rules that may match, by number, in order: all others do not.
    #[must_use]
    pub fn candidates(&self) -> Vec<usize> {
        let mut rules = Vec::new();
        for (index, word) in self.candidates.0.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                rules.push(index * 64 + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
        rules
    }

    /// Whether a rule matches.
    pub fn holds(&mut self, rule: usize) -> bool {
        let program = self.program;
        program.trees.get(rule).is_some_and(|tree| self.tree(tree))
    }

    fn tree(&mut self, tree: &Tree) -> bool {
        match tree {
            Tree::All(parts) => parts.iter().all(|it| self.tree(it)),
            Tree::Any(parts) => parts.iter().any(|it| self.tree(it)),
            Tree::Not(part) => !self.tree(part),
            Tree::Test(test) => self.test(*test),
        }
    }

    fn test(&mut self, id: u32) -> bool {
        if self.holds.get(id) || self.known.get(id) {
            return self.holds.get(id);
        }
        let program = self.program;
        let Some(ready) = program.tests.get(id as usize) else { return false };
        let is_answered = !self.is_alone && matches!(ready.check, Check::Found(_));
        if is_answered || ready.needs.is_some_and(|it| !self.test(it)) {
            return false;
        }
        let does = self.ask(ready);
        self.known.set(id);
        if does {
            self.holds.set(id);
        }
        does
    }

    fn ask(&mut self, ready: &Ready) -> bool {
        let Some(place) = ready.place else {
            return self.all().iter().any(|it| ready.check.holds(it));
        };
        match &ready.check {
            Check::Null => self.text(place).is_none(),
            Check::Exists(is) => {
                let name = self.program.places.get(place).map(|it| it.name.as_str());
                name.is_some_and(|name| self.fields.has(name)) == *is
            }
            Check::Field { other, is_start_open, is_end_open, is_cased } => {
                // Both are loaded before either is borrowed.
                self.text(*other);
                self.text(place);
                let loaded = |at: usize| self.texts.get(at)?.as_ref()?.as_ref();
                let (Some(text), Some(other)) = (loaded(place), loaded(*other)) else {
                    return false;
                };
                let (text, other) = (text.as_cased(*is_cased), other.as_cased(*is_cased));
                match (is_start_open, is_end_open) {
                    (true, true) => text.contains(other),
                    (true, false) => text.ends_with(other),
                    (false, true) => text.starts_with(other),
                    (false, false) => text == other,
                }
            }
            Check::Found(_)
            | Check::Glob { .. }
            | Check::Regex(_)
            | Check::Cidr(..)
            | Check::Number(..) => self.text(place).is_some_and(|it| ready.check.holds(it)),
        }
    }

    /// A field's text, fetched once.
    fn text(&mut self, place: usize) -> Option<&Value<'a>> {
        let (fields, name) = (self.fields, &self.program.places.get(place)?.name);
        let fetch = || fields.get(name).map(Value::new);
        self.texts.get_mut(place)?.get_or_insert_with(fetch).as_ref()
    }

    /// Every field's text, fetched once.
    fn all(&mut self) -> &[Value<'a>] {
        let fields = self.fields;
        self.all.get_or_insert_with(|| {
            let mut all = Vec::new();
            fields.each(&mut |it| all.push(Value::new(it.to_owned().into())));
            all
        })
    }
}

impl std::fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("candidates", &self.candidates()).finish_non_exhaustive()
    }
}

impl Check {
    /// Of checks that one text answers.
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Found(literal) => literal.fits(value.folded()),
            Self::Glob { glob, is_cased } => glob.matches(value.as_cased(*is_cased)),
            Self::Regex(regex) => regex.is_match(&value.raw),
            Self::Cidr(address, bits) => is_within(&value.raw, *address, *bits),
            Self::Number(order, number) => {
                Number::parse(&value.raw).is_some_and(|it| it.is(*order, *number))
            }
            Self::Null | Self::Exists(_) | Self::Field { .. } => false,
        }
    }
}

/// Whether a text is an address of a network.
fn is_within(text: &str, network: IpAddr, bits: u8) -> bool {
    let network = Network { address: network, prefix_bits: bits };
    text.parse().is_ok_and(|it| network.holds(it))
}
