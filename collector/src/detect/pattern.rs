//! Sigma's texts: characters and wildcards, with the escapes of the specification resolved.
//!
//! `*` stands for any text and `?` for one character; a backslash before either, or before another
//! backslash, takes its meaning away, and is itself before anything else (Sigma 2.1, "Escape
//! Character"). Without `cased` a text is compared in lower case, character by character.

use std::borrow::Cow;

/// One part of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Element {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any text, also none.
    Many,
    /// `windash`: any of [`DASHES`].
    Dash,
}

/// What begins an option on one system or another (Sigma 2.1, modifier `windash`).
pub const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A text with wildcards.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    /// Its parts.
    pub elements: Vec<Element>,
    /// Whether upper and lower case differ.
    pub is_cased: bool,
}

/// A pattern whose only wildcards are at its ends: what can be found by looking it up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Literal {
    /// In lower case.
    pub text: String,
    /// More may stand before it.
    pub is_start_open: bool,
    /// More may stand after it.
    pub is_end_open: bool,
}

impl Literal {
    /// Whether a text in lower case fits.
    #[must_use]
    pub fn fits(&self, folded: &str) -> bool {
        match (self.is_start_open, self.is_end_open) {
            (true, true) => folded.contains(&self.text),
            (true, false) => folded.ends_with(&self.text),
            (false, true) => folded.starts_with(&self.text),
            (false, false) => folded == self.text,
        }
    }
}

/// Resolves wildcards and escapes.
#[must_use]
pub fn elements(text: &str) -> Vec<Element> {
    let mut elements = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        elements.push(match it {
            '\\' => match rest.next_if(|next| matches!(next, '*' | '?' | '\\')) {
                Some(escaped) => Element::Char(escaped),
                None => Element::Char('\\'),
            },
            '*' => Element::Many,
            '?' => Element::One,
            it => Element::Char(it),
        });
    }
    elements
}

/// The text of elements without wildcards.
#[must_use]
pub fn plain(elements: &[Element]) -> Option<String> {
    let character = |it: &Element| match it {
        Element::Char(it) => Some(*it),
        Element::One | Element::Many | Element::Dash => None,
    };
    elements.iter().map(character).collect()
}

/// A text in lower case, character by character, so that a part of it is a part of the result.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    let is_folded = |it: u8| it.is_ascii() && !it.is_ascii_uppercase();
    if text.bytes().all(is_folded) {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    }
}

impl Pattern {
    /// Any text that holds this one, in lower case.
    #[must_use]
    pub fn holding(folded: &str) -> Self {
        let inner = folded.chars().map(Element::Char);
        let elements = [Element::Many].into_iter().chain(inner).chain([Element::Many]).collect();
        Self { elements, is_cased: false }
    }

    /// Puts its characters into lower case, as texts are that it is compared with.
    pub fn fold(&mut self) {
        let mut folded = Vec::with_capacity(self.elements.len());
        for it in &self.elements {
            match it {
                Element::Char(it) => folded.extend(it.to_lowercase().map(Element::Char)),
                Element::One | Element::Many | Element::Dash => folded.push(*it),
            }
        }
        self.elements = folded;
    }

    /// The pattern as something to look up; nothing when it has wildcards within, is empty, or
    /// keeps its case.
    #[must_use]
    pub fn literal(&self) -> Option<Literal> {
        if self.is_cased {
            return None;
        }
        let is_many = |it: &&Element| **it == Element::Many;
        let before = self.elements.iter().take_while(is_many).count();
        let inner = self.elements.get(before..).unwrap_or_default();
        let after = inner.iter().rev().take_while(is_many).count();
        let inner = inner.get(..inner.len() - after).unwrap_or_default();
        let text = fold(&plain(inner)?).into_owned();
        let is_of_use = !text.is_empty();
        let literal = Literal { text, is_start_open: before > 0, is_end_open: after > 0 };
        is_of_use.then_some(literal)
    }

    /// The longest text that every match holds, in lower case; nothing when there is none.
    #[must_use]
    pub fn longest_part(&self) -> Option<Literal> {
        let is_wild = |it: &Element| !matches!(it, Element::Char(_));
        let parts = self.elements.split(is_wild).filter_map(plain);
        let longest = parts.max_by_key(String::len).filter(|it| !it.is_empty())?;
        let text = fold(&longest).into_owned();
        Some(Literal { text, is_start_open: true, is_end_open: true })
    }
}

/// A pattern made ready: pieces that must follow each other, the first at the beginning of the text
/// and the last at its end.
#[derive(Debug)]
pub struct Glob(Vec<Piece>);

/// What stands between two `*`.
#[derive(Debug)]
enum Piece {
    /// Characters.
    Plain(String),
    /// Characters and others that stand for one.
    Mixed(Vec<Element>),
}

impl Glob {
    /// Makes a pattern ready. Unless it is cased it must be asked about texts in lower case.
    #[must_use]
    pub fn new(pattern: &Pattern) -> Self {
        let pieces = pattern.elements.split(|it| *it == Element::Many);
        Self(pieces.map(|it| Piece::new(it, pattern.is_cased)).collect())
    }

    /// Whether the whole text fits. Each piece is taken at its first place, the last at the end: no
    /// backtracking, so time is bounded by text times pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            let whole = self.0.first().and_then(|it| it.at_start(text));
            return whole == Some(text.len());
        };
        let Some(mut rest) = first.at_start(text).and_then(|end| text.get(end..)) else {
            return false;
        };
        for piece in middle {
            let Some(end) = piece.find_end(rest) else { return false };
            rest = rest.get(end..).unwrap_or_default();
        }
        last.is_at_end(rest)
    }
}

impl Piece {
    fn new(elements: &[Element], is_cased: bool) -> Self {
        match plain(elements) {
            Some(text) if is_cased => Self::Plain(text),
            Some(text) => Self::Plain(fold(&text).into_owned()),
            None if is_cased => Self::Mixed(elements.to_vec()),
            None => {
                let mut folded = Vec::with_capacity(elements.len());
                for it in elements {
                    match it {
                        Element::Char(it) => folded.extend(it.to_lowercase().map(Element::Char)),
                        Element::One | Element::Many | Element::Dash => folded.push(*it),
                    }
                }
                Self::Mixed(folded)
            }
        }
    }

    /// Where the piece ends when the text begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Plain(piece) => text.starts_with(piece).then_some(piece.len()),
            Self::Mixed(elements) => {
                let mut rest = text.chars();
                elements
                    .iter()
                    .all(|it| rest.next().is_some_and(|next| it.is(next)))
                    .then_some(())?;
                Some(text.len() - rest.as_str().len())
            }
        }
    }

    fn is_at_end(&self, text: &str) -> bool {
        match self {
            Self::Plain(piece) => text.ends_with(piece),
            Self::Mixed(elements) => {
                let mut rest = text.chars().rev();
                elements.iter().rev().all(|it| rest.next().is_some_and(|next| it.is(next)))
            }
        }
    }

    /// Where the piece ends at the first place that has it.
    fn find_end(&self, text: &str) -> Option<usize> {
        match self {
            Self::Plain(piece) => text.find(piece).map(|at| at + piece.len()),
            Self::Mixed(_) => text.char_indices().find_map(|(at, _)| {
                let length = self.at_start(text.get(at..)?)?;
                Some(at + length)
            }),
        }
    }
}

impl Element {
    fn is(self, character: char) -> bool {
        match self {
            Self::Char(it) => it == character,
            Self::One => true,
            Self::Dash => DASHES.contains(&character),
            // Pieces are what stands between these.
            Self::Many => false,
        }
    }
}
