//! What is signed by whom, and why these algorithms.
//!
//! | what | by whom | algorithm |
//! |---|---|---|
//! | commands, keyring | responders, automation, root | Ed25519 (RFC 8032): small, deterministic, no parameters to get wrong |
//! | receipts, manifests | the agent's receipt key | Ed25519 |
//! | certificates | the collector's authority | ECDSA P-256, which every TLS stack takes |
//! | bytes at rest and on the wire | TLS 1.3, X25519MLKEM768 | the provider's defaults |
//!
//! One provider, `aws-lc-rs`, does all of it.

pub mod canonical;
pub mod secret;
pub mod signing;

pub mod cert;

pub mod tls;
