//! Whether an enrolment token lets its bearer in (F-32).
//!
//! Beside the road: pure, over what the store has of the token. The use of a token is counted by
//! the store, in the transaction that makes the agent; here it is only foreseen.
//!
//! What a stranger learns is one sentence, whatever was wrong, until he has shown the secret.

use std::net::IpAddr;

use aws_lc_rs::constant_time;
use cordon_shared::{
    digest::Sha256,
    error::{Classify, Kind},
    time::Timestamp,
};

use crate::store::TokenRow;

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// There is no such token, or its secret is another.
    #[error("the token is not known here")]
    Unknown,
    /// It was good, and is not any more.
    #[error("the token {state}")]
    Ended {
        /// `has expired`, `is used up`, `was withdrawn`.
        state: &'static str,
    },
    /// It is not for hosts from there.
    #[error("the token is not for hosts at {source_address}")]
    Network {
        /// Where the host came from.
        source_address: IpAddr,
    },
}

impl Classify for TokenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unknown => Kind::Unauthenticated,
            Self::Ended { .. } | Self::Network { .. } => Kind::Forbidden,
        }
    }
}

/// Judges a token by its secret first, so that nothing is said of it to who does not have that.
///
/// # Errors
/// [`TokenError`].
pub fn judge(
    token: Option<&TokenRow>,
    secret: &[u8],
    source_address: IpAddr,
    now: Timestamp,
) -> Result<(), TokenError> {
    let Some(row) = token else { return Err(TokenError::Unknown) };
    let (shown, kept) = (Sha256::of(secret), row.token.secret_sha256);
    if constant_time::verify_slices_are_equal(shown.as_bytes(), kept.as_bytes()).is_err() {
        return Err(TokenError::Unknown);
    }
    if let Some(state) = row.refusal(now) {
        return Err(TokenError::Ended { state });
    }
    let networks = &row.token.networks;
    let is_inside =
        |text: &String| Network::parse(text).is_some_and(|it| it.contains(source_address));
    if !networks.is_empty() && !networks.iter().any(is_inside) {
        return Err(TokenError::Network { source_address });
    }
    Ok(())
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Reads `ADDRESS/BITS`, or one address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.unwrap_or(bits_max);
        (prefix_bits <= bits_max).then_some(Self { address, prefix_bits })
    }

    /// Whether `address` lies in it; an IPv4 address in IPv6 clothes counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.prefix_bits);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()).leading_zeros() >= bits
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (ours.to_bits() ^ other.to_bits()).leading_zeros() >= bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::id::TokenId;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::store::NewToken;

    const SECRET: [u8; 32] = [5; 32];

    fn row(change: impl FnOnce(&mut TokenRow)) -> TokenRow {
        let token = NewToken {
            id: TokenId::from_slice(&[1; 16]).unwrap(),
            secret_sha256: Sha256::of(&SECRET),
            uses_max: 2,
            networks: vec!["10.1.0.0/16".to_owned(), "fd00::/8".to_owned()],
            labels: Vec::new(),
            tier: "standard".to_owned(),
            is_approved: true,
            expires: Timestamp::from_ns(1_000),
        };
        let mut row = TokenRow {
            token,
            uses: 1,
            created: Timestamp::from_ns(0),
            created_by: "ada".to_owned(),
            revoked: None,
        };
        change(&mut row);
        row
    }

    #[track_caller]
    fn check(row: Option<&TokenRow>, secret: &[u8], source: &str, expect: &Expect) {
        let judged = judge(row, secret, source.parse().unwrap(), Timestamp::from_ns(999));
        expect
            .assert_eq(&judged.map_or_else(|it| format!("{}: {it}", it.kind()), |()| "in".into()));
    }

    #[test]
    fn f_32_a_token_lets_in_who_has_its_secret_and_comes_from_where_it_says() {
        check(Some(&row(|_| ())), &SECRET, "10.1.2.3", &expect!["in"]);
        check(Some(&row(|_| ())), &SECRET, "::ffff:10.1.2.3", &expect!["in"]);
        check(Some(&row(|_| ())), &SECRET, "fd12::1", &expect!["in"]);
    }

    #[test]
    fn f_32_an_unknown_token_and_a_wrong_secret_look_the_same() {
        let same = expect!["unauthenticated: the token is not known here"];
        check(None, &SECRET, "10.1.2.3", &same);
        check(Some(&row(|_| ())), &[6; 32], "10.1.2.3", &same);
        check(Some(&row(|_| ())), &[], "10.1.2.3", &same);
        check(Some(&row(|it| it.uses = 2)), &[6; 32], "10.1.2.3", &same);
    }

    #[test]
    fn f_32_a_token_ends() {
        check(
            Some(&row(|it| it.token.expires = Timestamp::from_ns(999))),
            &SECRET,
            "10.1.2.3",
            &expect!["forbidden: the token has expired"],
        );
        check(
            Some(&row(|it| it.uses = 2)),
            &SECRET,
            "10.1.2.3",
            &expect!["forbidden: the token is used up"],
        );
        check(
            Some(&row(|it| it.revoked = Some(Timestamp::from_ns(1)))),
            &SECRET,
            "10.1.2.3",
            &expect!["forbidden: the token was withdrawn"],
        );
    }

    #[test]
    fn f_32_a_token_is_for_its_networks() {
        check(
            Some(&row(|_| ())),
            &SECRET,
            "10.2.0.1",
            &expect!["forbidden: the token is not for hosts at 10.2.0.1"],
        );
        check(Some(&row(|it| it.token.networks.clear())), &SECRET, "192.0.2.1", &expect!["in"]);
    }

    #[test]
    fn a_network_is_read_or_refused() {
        for good in ["0.0.0.0/0", "10.1.2.3", "::/0", "fd00::1/128"] {
            assert!(Network::parse(good).is_some(), "{good}");
        }
        for bad in ["", "10.1.2.3/33", "::/129", "10.1.2/8", "10.1.2.3/", "10.1.2.3/-1", "a/8"] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    }
}
