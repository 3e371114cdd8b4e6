//! The whole system, failing: each test is named after its fault, and the oracle judges.
//!
//! What was generated is in the lake once and unaltered, or declared lost with its numbers; whatever
//! was done to it, the system is up afterwards and says what happened.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod blind;
mod command;
mod crash;
mod damage;
mod disk_full;
mod gone;
mod hostile_peer;
mod kills;
mod partition;
mod segment;
mod slow;
