//! The enrolment token: one string that lets one machine in, and tells it whom to trust.
//!
//! ```text
//! "cordon1." base64url, without padding (RFC 4648 section 5), of
//!  0   1  version = 1
//!  1  16  token id
//! 17  32  secret; the collector keeps its digest only
//! 49  32  SHA-256 of the authority's certificate, DER
//! 81  32  fingerprint of the root keys (`keyring::key::Roots::fingerprint`)
//! 113  1  number of addresses, 1..=8
//! 114  …  each: length 1..=255 as u8, then `host:port`
//! ```
//!
//! Nothing may follow. A token is carried by a person, so it is the ground on which the machine
//! believes the collector at all: what the collector later says of its authority and of the root keys
//! is believed only when it has these digests.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{crypto::secret::Secret, digest::Sha256, entropy::Entropy, id::TokenId};

/// Begins every token of this version.
const PREFIX: &str = "cordon1.";

/// The only version.
const VERSION: u8 = 1;

/// Addresses of one token.
const ADDRESSES_MAX: usize = 8;

/// The longest string that can be a token: the prefix and the base64 of 114 + 8 × 256 bytes.
const TOKEN_CHARS_MAX: usize = PREFIX.len() + 2_884;

/// A token as a person carries it.
pub struct Token {
    /// Which one.
    pub id: TokenId,
    /// What proves that it was given.
    pub secret: Secret<[u8; 32]>,
    /// SHA-256 of the authority's certificate.
    pub authority: Sha256,
    /// Fingerprint of the root keys.
    pub roots: Sha256,
    /// Where to enrol, `host:port` each; 1..=8.
    pub addresses: Vec<String>,
}

impl Token {
    /// A new secret, for a new token.
    #[must_use]
    pub fn random_secret(entropy: &dyn Entropy) -> Secret<[u8; 32]> {
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        Secret::new(secret)
    }

    /// What the collector stores instead of the secret. The secret is random, so a digest without
    /// salt or cost gives nothing away.
    #[must_use]
    pub fn secret_digest(secret: &[u8; 32]) -> Sha256 {
        Sha256::of(secret)
    }

    /// Reads what [`Token::to_text`] wrote, white space around it passed over. Nothing for anything
    /// else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = Secret::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let (version, rest) = bytes.expose().split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (secret, rest) = rest.split_first_chunk::<32>()?;
        let (authority, rest) = rest.split_first_chunk::<32>()?;
        let (roots, rest) = rest.split_first_chunk::<32>()?;
        let (count, mut rest) = rest.split_first()?;
        if *version != VERSION || !(1..=ADDRESSES_MAX).contains(&usize::from(*count)) {
            return None;
        }
        let mut addresses = Vec::with_capacity(ADDRESSES_MAX);
        for _ in 0..*count {
            let (length, after) = rest.split_first()?;
            let (address, after) = after.split_at_checked(usize::from(*length))?;
            addresses.push(std::str::from_utf8(address).ok()?.to_owned());
            rest = after;
        }
        if !rest.is_empty() || !addresses.iter().all(|it| is_address(it)) {
            return None;
        }
        Some(Self {
            id: TokenId::from_slice(id)?,
            secret: Secret::new(*secret),
            authority: Sha256::from_slice(authority)?,
            roots: Sha256::from_slice(roots)?,
            addresses,
        })
    }

    /// The string to be carried. It holds the secret: show it once, to the person who asked.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.secret.expose());
        bytes.extend(self.authority.as_bytes());
        bytes.extend(self.roots.as_bytes());
        let addresses = self.addresses.iter().filter(|it| is_address(it)).take(ADDRESSES_MAX);
        bytes.push(u8::try_from(addresses.clone().count()).unwrap_or(0));
        for it in addresses {
            bytes.push(u8::try_from(it.len()).unwrap_or(0));
            bytes.extend(it.as_bytes());
        }
        let bytes = Secret::new(bytes);
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.expose())))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {:?})", self.id, self.addresses)
    }
}

/// Whether a text is `host:port`, printable, with a port.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_printable = host.bytes().all(|it| it.is_ascii_graphic());
    !host.is_empty() && is_printable && text.len() <= 255 && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::{any, proptest};

    use super::{Token, is_address};
    use crate::{crypto::secret::Secret, digest::Sha256, id::TokenId};

    fn token() -> Token {
        Token {
            id: TokenId::from_slice(&[1; 16]).unwrap(),
            secret: Secret::new([2; 32]),
            authority: Sha256::from_slice(&[3; 32]).unwrap(),
            roots: Sha256::from_slice(&[4; 32]).unwrap(),
            addresses: vec!["ir.example:7444".to_owned(), "[2001:db8::1]:7444".to_owned()],
        }
    }

    #[test]
    fn a_token_is_this_string_and_reads_back() {
        let text = token().to_text();
        expect!["cordon1.AQEBAQEBAQEBAQEBAQEBAQECAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQCD2lyLmV4YW1wbGU6NzQ0NBJbMjAwMTpkYjg6OjFdOjc0NDQ"].assert_eq(text.expose());
        let read = Token::parse(&format!(" {}\n", text.expose())).unwrap();
        assert_eq!(read.to_text().expose(), text.expose());
        assert_eq!(read.addresses, token().addresses);
        expect![[r#"Token(01010101-0101-0101-0101-010101010101, ["ir.example:7444", "[2001:db8::1]:7444"])"#]]
            .assert_eq(&format!("{read:?}"));
    }

    #[test]
    fn every_cut_of_a_token_is_refused_and_so_is_anything_after_it() {
        let text = token().to_text();
        for cut in 0..text.expose().len() {
            assert!(Token::parse(text.expose().get(..cut).unwrap()).is_none(), "{cut}");
        }
        assert!(Token::parse(&format!("{}AAAA", text.expose())).is_none());
        assert!(Token::parse(&text.expose().replace("cordon1.", "cordon2.")).is_none());
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert!(is_address("10.0.0.1:7444"));
        for bad in ["", "host", ":1", "host:", "host:65536", "a host:1", "host:x"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_string_is_a_token_or_is_refused(text in any::<String>()) {
            drop(Token::parse(&text));
            drop(Token::parse(&format!("cordon1.{text}")));
        }
    }
}
