//! A log source in words, as a person or an event names it: which rules may look.
//!
//! A rule looks at an event when each of category, service and product that it names is the event's
//! (Sigma 2.1, "Log sources").

use serde_json::Value as Json;

use super::rule::Source;

/// Bytes of a log source in words (chosen: three names of programs).
const WORDS_BYTES_MAX: usize = 256;

/// Whose events they are.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct LogSource {
    /// `linux`, or another.
    pub product: Option<String>,
    /// `process_creation`, …
    pub category: Option<String>,
    /// `sshd`, …
    pub service: Option<String>,
}

/// It is none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a log source must be `product=…,category=…,service=…`, or the word of one of them")]
pub struct NoLogSource;

impl LogSource {
    /// Reads `product=linux,category=process_creation`, or a category's, service's or product's word
    /// alone.
    ///
    /// # Errors
    /// [`NoLogSource`].
    pub fn parse(text: &str) -> Result<Self, NoLogSource> {
        let text = text.trim();
        if text.is_empty() || text.len() > WORDS_BYTES_MAX {
            return Err(NoLogSource);
        }
        if !text.contains('=') {
            let is_it = |it: &Source| it.as_str() == text;
            let source = Source::ALL.into_iter().find(is_it);
            let (is_category, word) = (source.is_some_and(Source::is_category), text.to_owned());
            return Ok(match source {
                Some(Source::Linux) => Self { product: Some(word), ..Self::default() },
                Some(_) | None if is_category => Self { category: Some(word), ..Self::default() },
                Some(_) | None => Self { service: Some(word), ..Self::default() },
            });
        }
        let mut found = Self::default();
        for pair in text.split(',') {
            let (key, word) = pair.split_once('=').ok_or(NoLogSource)?;
            found.put(key.trim(), word.trim())?;
        }
        Ok(found)
    }

    /// Reads what an event says of itself: a text as above, or an object with these keys.
    ///
    /// # Errors
    /// [`NoLogSource`].
    pub fn of_json(value: &Json) -> Result<Self, NoLogSource> {
        match value {
            Json::String(text) => Self::parse(text),
            Json::Object(pairs) => {
                let mut found = Self::default();
                // `definition` and its like are for people.
                let is_key = |key: &str| matches!(key, "product" | "category" | "service");
                for (key, word) in pairs.iter().filter(|(key, _)| is_key(key)) {
                    match word {
                        Json::String(word) => found.put(key, word)?,
                        Json::Null => (),
                        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                            return Err(NoLogSource);
                        }
                    }
                }
                if found == Self::default() { Err(NoLogSource) } else { Ok(found) }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => Err(NoLogSource),
        }
    }

    fn put(&mut self, key: &str, word: &str) -> Result<(), NoLogSource> {
        let place = match key {
            "product" => &mut self.product,
            "category" => &mut self.category,
            "service" => &mut self.service,
            _ => return Err(NoLogSource),
        };
        let is_good = (1..=WORDS_BYTES_MAX).contains(&word.len());
        match place.replace(word.to_owned()) {
            None if is_good => Ok(()),
            None | Some(_) => Err(NoLogSource),
        }
    }

    /// The log sources whose rules may look.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        if self.product.as_deref().is_some_and(|it| it != "linux") {
            return Vec::new();
        }
        let is_named = |it: &Source| {
            let word = if it.is_category() { &self.category } else { &self.service };
            *it != Source::Linux && word.as_deref() == Some(it.as_str())
        };
        let mut sources: Vec<_> = Source::ALL.into_iter().filter(is_named).collect();
        if self.product.is_some() || !sources.is_empty() {
            sources.push(Source::Linux);
        }
        sources
    }

    /// Whether category and service, where they are named, are ones that rules can be about.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let words = [&self.category, &self.service].into_iter().flatten().count();
        let found = self.sources();
        !found.is_empty() && found.iter().filter(|it| **it != Source::Linux).count() == words
    }
}
