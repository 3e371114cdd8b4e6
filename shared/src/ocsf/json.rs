//! A row as JSON: one line of it for each event.

use std::fmt::{Display, Write as _};

use super::{Context, Sink, map};
use crate::event::Event;

/// An event as one line of JSON, without the line's end.
#[must_use]
pub fn to_string(event: &Event, context: &Context<'_>) -> String {
    let mut sink = Json { text: String::with_capacity(1_024), is_first: true, open: Vec::new() };
    sink.text.push('{');
    map(event, context, &mut sink);
    sink.text.push('}');
    sink.text
}

/// Writes JSON as it is told.
struct Json {
    text: String,
    /// Nothing stands yet in what is open.
    is_first: bool,
    /// What closes what is open.
    open: Vec<char>,
}

impl Json {
    fn comma(&mut self) {
        if !self.is_first {
            self.text.push(',');
        }
        self.is_first = false;
    }

    fn field(&mut self, field: &'static str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(field);
        self.text.push_str("\":");
    }

    fn begin(&mut self, opening: char, closing: char) {
        self.text.push(opening);
        self.open.push(closing);
        self.is_first = true;
    }
}

impl Sink for Json {
    fn text(&mut self, field: &'static str, value: &dyn Display) {
        self.field(field);
        self.text.push('"');
        // Writing into a string cannot fail.
        let _written = write!(Escaped(&mut self.text), "{value}");
        self.text.push('"');
    }

    fn long(&mut self, field: &'static str, value: i64) {
        self.field(field);
        let _written = write!(self.text, "{value}");
    }

    fn flag(&mut self, field: &'static str, value: bool) {
        self.field(field);
        self.text.push_str(if value { "true" } else { "false" });
    }

    fn open(&mut self, field: &'static str) {
        self.field(field);
        self.begin('{', '}');
    }

    fn list(&mut self, field: &'static str) {
        self.field(field);
        self.begin('[', ']');
    }

    fn item(&mut self) {
        self.comma();
        self.begin('{', '}');
    }

    fn close(&mut self) {
        if let Some(closing) = self.open.pop() {
            self.text.push(closing);
        }
        self.is_first = false;
    }
}

/// Escapes what goes into a JSON string (RFC 8259 section 7).
struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for it in text.chars() {
            match it {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\u{0}'..='\u{1f}' => write!(self.0, "\\u{:04x}", u32::from(it))?,
                _ => self.0.push(it),
            }
        }
        Ok(())
    }
}
