//! The authority: who may become an agent, and for how long.
//!
//! Beside the road: a token and a request come in from [`crate::gateway`], a certificate goes out.
//! What is remembered (tokens, agents, serial numbers, revocations) is in [`crate::store`]; what is
//! decided is decided here.
//!
//! It never sees an agent's private key (PK-1), never takes a name from a request, and never
//! issues for longer than `limit::CERTIFICATE_LIFETIME`.

pub mod authority;

pub mod identity;

pub mod token;

pub mod challenge;

pub mod issue;

pub mod revoke;
