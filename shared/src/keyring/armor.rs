//! Keys and keyrings as text files that survive mail, paste and print.
//!
//! ```text
//! -----BEGIN CORDON LABEL-----
//! base64 of the bytes, 64 characters a line (RFC 4648 section 4)
//! -----END CORDON LABEL-----
//! ```
//!
//! | label | bytes |
//! |---|---|
//! | `SIGNING KEY` | the 32-byte seed of an Ed25519 key; the file is its owner's alone |
//! | `PUBLIC KEY` | the 32 bytes of its public half |
//! | `KEYRING` | `cordon.v1.Keyring` |
//! | `ROOTS` | threshold as u32 big-endian, then the root keys, 32 bytes each, ascending |
//!
//! Lines outside blocks are passed over: people write who a key belongs to.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The most text that is looked at: a keyring of the largest size, in base64.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// A private key's seed.
pub const SIGNING_KEY: &str = "SIGNING KEY";

/// A public key.
pub const PUBLIC_KEY: &str = "PUBLIC KEY";

/// A keyring.
pub const KEYRING: &str = "KEYRING";

/// Pinned roots.
pub const ROOTS: &str = "ROOTS";

/// One block of text.
#[must_use]
pub fn write(label: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN CORDON {label}-----\n");
    for (index, it) in STANDARD.encode(bytes).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(it);
    }
    text.push_str(&format!("\n-----END CORDON {label}-----\n"));
    text
}

/// The bytes of the one block of this label; nothing when there is none, more than one, or when it is
/// damaged.
#[must_use]
pub fn read(label: &str, text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let begin = format!("-----BEGIN CORDON {label}-----");
    let end = format!("-----END CORDON {label}-----");
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| *line == begin)?;
    let mut body = String::new();
    loop {
        let line = lines.next()?;
        if line == end {
            break;
        }
        body.push_str(line);
    }
    if lines.any(|line| line == begin) {
        return None;
    }
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::proptest;

    use super::{KEYRING, PUBLIC_KEY, read, write};

    #[test]
    fn a_block_looks_like_this() {
        expect![[r"
            -----BEGIN CORDON PUBLIC KEY-----
            BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH
            BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=
            -----END CORDON PUBLIC KEY-----
        "]]
        .assert_eq(&write(PUBLIC_KEY, &[7; 80]));
    }

    #[test]
    fn words_around_a_block_are_passed_over_and_a_second_block_is_not() {
        let text = format!("alice's key\r\n{}kept in the safe\n", write(PUBLIC_KEY, b"key"));
        assert_eq!(read(PUBLIC_KEY, &text).as_deref(), Some(b"key".as_slice()));
        assert_eq!(read(KEYRING, &text), None);
        assert_eq!(read(PUBLIC_KEY, &text.repeat(2)), None);
    }

    #[test]
    fn every_cut_is_refused() {
        let text = write(PUBLIC_KEY, &[7; 32]);
        for cut in 0..text.len() - 1 {
            assert_eq!(read(PUBLIC_KEY, text.get(..cut).unwrap()), None, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes: Vec<u8>) {
            assert_eq!(read(KEYRING, &write(KEYRING, &bytes)), Some(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            drop(read(KEYRING, &text));
        }
    }
}
