//! The receiving half over real sockets: enrolment, mutual TLS, sessions, hostile input.
//!
//! A collector of the library runs in this process on ports of its own; the agent's side is a few
//! functions over the wire (`agent.rs`), so that a test can say anything a peer could.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::panic, reason = "a test that sees something else has failed")]

mod agent;
mod collector;

mod answer;
mod enrolment;
mod evidence;
mod hostile;
mod session;
mod trust;
