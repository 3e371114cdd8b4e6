//! Whether an enrolment token lets its bearer in (F-32).
//!
//! Beside the road: pure, over what the store has of the token. The use of a token is counted by
//! the store, in the transaction that makes the agent; here it is only foreseen.
//!
//! What a stranger learns is one sentence, whatever was wrong, until he has shown the secret.

use std::net::IpAddr;

use aws_lc_rs::constant_time;
use cordon_shared::{
    command::action::Network,
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
    let is_inside = |text: &String| Network::parse(text).is_some_and(|it| it.holds(source_address));
    if !networks.is_empty() && !networks.iter().any(is_inside) {
        return Err(TokenError::Network { source_address });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
