//! YAML with the line of every value: what is refused is refused at its line.
//!
//! In: the text of one document. Out: a tree of what it says; numbers and truth values are the text
//! that Sigma compares. Never what a value means.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::ParseError;

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Yaml {
    /// From 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    Null,
    Flag(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Yaml>),
    /// In the order of the document, each with the line of its key.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: Yaml,
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Yaml, ParseError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default();
        let line = error.location().map_or(1, |it| usize::try_from(it.line()).unwrap_or(1));
        ParseError { line, reason: format!("is no YAML: {}", without_place(first)) }
    })
}

/// What the parser said, without the place that it begins with: that is told apart.
fn without_place(said: &str) -> &str {
    let said = said.strip_prefix("error: ").unwrap_or(said);
    match said.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        Some(_) | None => said,
    }
}

impl Yaml {
    /// A refusal of this value.
    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError { line: self.line, reason: reason.into() })
    }

    /// The value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|it| it.key == key).map(|it| &it.value)
    }

    /// The keys of a map; nothing for what is none.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null
            | Kind::Flag(_)
            | Kind::Integer(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_) => &[],
        }
    }

    /// The items of a list; one for what is none.
    pub(super) fn items(&self) -> &[Yaml] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null
            | Kind::Flag(_)
            | Kind::Integer(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::Map(_) => std::slice::from_ref(self),
        }
    }

    /// The text of a text, a number or a truth value.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(it) => Some(it.clone()),
            Kind::Flag(it) => Some(it.to_string()),
            Kind::Integer(it) => Some(it.to_string()),
            Kind::Float(it) => Some(it.to_string()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Flag(it) => (*it).into(),
            Kind::Integer(it) => {
                i64::try_from(*it).map_or_else(|_| it.to_string().into(), Json::from)
            }
            Kind::Float(it) => (*it).into(),
            Kind::Text(it) => it.as_str().into(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|it| (it.key.clone(), it.value.to_json())).collect()
            }
        }
    }
}

fn line(at: serde_saphyr::Location) -> usize {
    usize::try_from(at.line()).unwrap_or(1).max(1)
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let it = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { line: line(it.referenced), kind: it.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Takes whatever comes.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Kind, E> {
        Ok(Kind::Flag(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Kind, E> {
        Ok(Kind::Integer(it.into()))
    }

    fn visit_i128<E>(self, it: i128) -> Result<Kind, E> {
        Ok(Kind::Integer(it))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Kind, E> {
        Ok(Kind::Float(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Kind, E> {
        Ok(Kind::Text(it.to_owned()))
    }

    fn visit_string<E>(self, it: String) -> Result<Kind, E> {
        Ok(Kind::Text(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(it) = items.next_element()? {
            list.push(it);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Yaml>()? {
            map.push(Entry { line: line(key.referenced), key: key.value, value });
        }
        Ok(Kind::Map(map))
    }
}
