//! Text that a host or a person chose, kept as it is and shown so that it hides nothing.
//!
//! A name may hold line breaks, escape sequences, marks that turn the direction of writing, or
//! letters without width. [`Said`] shows each of them as `\u{…}`, and cuts what is too long; what it
//! shows is one line. Markup is the writers' to escape.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// Characters that are shown of a text (chosen: six lines of a printed page).
pub const SHOWN_CHARS_MAX: usize = 600;

/// A text of a host or a person.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Said(String);

impl Said {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many characters of what is shown; an ellipsis stands for the rest.
    #[must_use]
    pub fn cut(&self, chars_max: usize) -> String {
        let shown = self.to_string();
        if shown.chars().count() <= chars_max {
            return shown;
        }
        let mut cut: String = shown.chars().take(chars_max.saturating_sub(1)).collect();
        cut.push('…');
        cut
    }
}

impl From<&str> for Said {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for it in self.0.chars().take(SHOWN_CHARS_MAX) {
            if is_hidden(it) {
                write!(f, "\\u{{{:x}}}", u32::from(it))?;
            } else {
                f.write_char(it)?;
            }
        }
        let more = self.0.chars().count().saturating_sub(SHOWN_CHARS_MAX);
        if more > 0 { write!(f, "… ({more} more characters)") } else { Ok(()) }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Texts with commas between them, at most so many; the rest is counted.
#[must_use]
pub fn listed(texts: &[Said], items_max: usize) -> String {
    let mut shown: Vec<_> = texts.iter().take(items_max).map(ToString::to_string).collect();
    if texts.len() > items_max {
        shown.push(format!("and {} more", texts.len() - items_max));
    }
    shown.join(", ")
}

/// Whether a character would not be seen, or would change how others are: controls, line and
/// paragraph ends, marks of direction, letters without width, tags. Source: Unicode UAX #9 and the
/// general category Cf.
fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(
            it,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_CHARS_MAX, Said};

    #[track_caller]
    fn check(said: &str, shown: &str) {
        assert_eq!(Said::from(said).to_string(), shown);
    }

    #[test]
    fn what_hides_or_turns_text_is_shown() {
        check("/usr/bin/café", "/usr/bin/café");
        check("a\nb\tc\x1b[2J", "a\\u{a}b\\u{9}c\\u{1b}[2J");
        check("invoice\u{202e}fdp.exe", "invoice\\u{202e}fdp.exe");
        check("pass\u{200b}wd", "pass\\u{200b}wd");
        check("\\xff is a byte", "\\xff is a byte");
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let long = "x".repeat(SHOWN_CHARS_MAX + 7);
        assert!(Said::from(long.as_str()).to_string().ends_with("x… (7 more characters)"));
        assert_eq!(Said::from("abcdef").cut(4), "abc…");
        assert_eq!(Said::from("abcd").cut(4), "abcd");
    }
}
