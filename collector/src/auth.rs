//! Who asks, and what they may do.
//!
//! Beside the road: the API asks here once per request ([`token::authenticate`], then
//! [`role::Right`] against [`role::Role`]); nothing else decides. Signing commands is
//! not a right of this table: that is the keyring's, and the agents' to check.

pub mod role;

pub mod token;

use self::role::Role;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The name that the audit log carries.
    pub name: String,
    /// As what.
    pub role: Role,
}
