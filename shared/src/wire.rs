//! The only place where the wire meets the domain: both directions side by side.
//!
//! Out of here come values that keep their promises, or a [`WireError`] that names the field and the
//! rule it broke. Nothing here does I/O.

pub mod command;
pub mod event;
pub mod keyring;
pub mod receipt;
pub mod session;
pub mod signed;
pub mod snapshot;

mod kinds;

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Classify, Kind};

/// A field of a message breaks a rule.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{field}` must be {rule}")]
pub struct WireError {
    /// The field, as the `.proto` names it.
    pub field: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl WireError {
    /// Says which field and what it must be.
    #[must_use]
    pub const fn new(field: &'static str, rule: &'static str) -> Self {
        Self { field, rule }
    }
}

impl Classify for WireError {
    fn kind(&self) -> Kind {
        Kind::BadInput
    }
}

/// Reads an id or a digest that must be there.
pub(crate) fn required<T>(
    field: &'static str,
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, WireError> {
    read(bytes).ok_or(WireError::new(field, "an id of 16 or a digest of 32 bytes"))
}

/// Reads an id or a digest that may be absent: then it has no bytes.
pub(crate) fn optional<T>(
    field: &'static str,
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, WireError> {
    if bytes.is_empty() { Ok(None) } else { required(field, bytes, read).map(Some) }
}

/// The bytes of an id or a digest.
pub(crate) fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// Nanoseconds of a duration; the longest that the wire can say when it is longer.
pub(crate) fn duration_to(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The duration of so many nanoseconds.
pub(crate) const fn duration_from(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

/// Shorthand for a refusal.
pub(crate) const fn refuse<T>(field: &'static str, rule: &'static str) -> Result<T, WireError> {
    Err(WireError::new(field, rule))
}
