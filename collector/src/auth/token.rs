//! Bearer tokens: `cordon_api_` and 64 hexadecimal digits of 256 random bits. Only their SHA-256 is
//! kept: there is nothing to guess, so nothing to slow down.

use cordon_shared::{
    crypto::secret::Secret,
    digest::Sha256,
    entropy::Entropy,
    error::{Classify, Kind},
    time::Timestamp,
};

use super::{Principal, role::Role};
use crate::store::{Store, StoreError};

const PREFIX: &str = "cordon_api_";

/// The request comes from nobody we know.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No token, or not one of ours. Which of the two is not said.
    #[error("this needs a valid bearer token")]
    Unknown,
    /// It was good once.
    #[error("the token has expired or was withdrawn")]
    Ended,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Classify for AuthError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unknown | Self::Ended => Kind::Unauthenticated,
            Self::Store(error) => error.kind(),
        }
    }
}

/// A new token's text.
#[must_use]
pub fn random(entropy: &dyn Entropy) -> Secret<String> {
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    Secret::new(format!("{PREFIX}{}", hex::encode(secret)))
}

/// What is kept of a token.
#[must_use]
pub fn digest(text: &str) -> Sha256 {
    Sha256::of(text.as_bytes())
}

/// Who bears this token.
///
/// # Errors
/// [`AuthError`].
pub async fn authenticate(
    store: &Store,
    bearer: Option<&str>,
    now: Timestamp,
) -> Result<Principal, AuthError> {
    let text = bearer.filter(|it| it.starts_with(PREFIX)).ok_or(AuthError::Unknown)?;
    let row = store.api_token(digest(text)).await?.ok_or(AuthError::Unknown)?;
    if row.revoked.is_some() || row.token.expires <= now {
        return Err(AuthError::Ended);
    }
    let role = Role::parse(&row.token.role).ok_or(AuthError::Ended)?;
    Ok(Principal { name: row.token.principal, role })
}
