//! Bytes that are usually text: paths, arguments, names as the kernel and the wire have them.
//!
//! They stay bytes until the edge, where [`Text`]'s `Display` writes them as OCSF text: UTF-8 as it
//! is, every other byte and the backslash as `\xNN`, so that no two byte strings look the same.

use std::fmt::{self, Write as _};

use bytes::Bytes;

/// Bytes that are usually UTF-8. Cloning copies no bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// The empty text: what is not known.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Takes bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Takes a constant without copying it.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, with a share in their owner.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The text as it is, when it needs no escape: UTF-8 without a backslash.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        if self.0.contains(&b'\\') {
            return None;
        }
        std::str::from_utf8(&self.0).ok()
    }

    /// Reads what `Display` wrote. A backslash that begins no `\xNN` is refused.
    #[must_use]
    pub fn parse(shown: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(shown.len());
        let mut rest = shown.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first != b'\\' {
                bytes.push(*first);
                rest = after;
                continue;
            }
            let (escape, after) = after.split_first_chunk::<3>()?;
            let [b'x', high, low] = *escape else { return None };
            let mut byte = [0];
            hex::decode_to_slice([high, low], &mut byte).ok()?;
            bytes.extend_from_slice(&byte);
            rest = after;
        }
        Some(Self(bytes.into()))
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plain) = self.as_plain() {
            return f.write_str(plain);
        }
        for chunk in self.0.utf8_chunks() {
            for it in chunk.valid().chars() {
                if it == '\\' {
                    f.write_str("\\x5c")?;
                } else {
                    f.write_char(it)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::Text;

    #[track_caller]
    fn check(bytes: &[u8], shown: &str) {
        assert_eq!(Text::from(bytes).to_string(), shown);
    }

    #[test]
    fn plain_text_is_shown_as_it_is() {
        check(b"/usr/bin/caf\xc3\xa9", "/usr/bin/café");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        check(b"/tmp/\xff\xfe", "/tmp/\\xff\\xfe");
    }

    #[test]
    fn a_backslash_is_escaped_so_that_nothing_else_can_look_like_an_escape() {
        check(b"a\\xffb", "a\\x5cxffb");
    }

    #[test]
    fn a_stray_backslash_does_not_parse() {
        assert_eq!(Text::parse("a\\b"), None);
        assert_eq!(Text::parse("a\\x4"), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_back(bytes: Vec<u8>) {
            let text = Text::from(bytes);
            assert_eq!(Text::parse(&text.to_string()), Some(text));
        }

        #[test]
        fn any_string_parses_or_is_refused(shown in any::<String>()) {
            if let Some(text) = Text::parse(&shown) {
                assert!(text.len() <= shown.len());
            }
        }
    }
}
