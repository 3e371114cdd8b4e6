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
mod tests;
