//! The whole system, working: real programs, real TLS, real deeds.
//!
//! Each test has a collector of its own, and as root each agent a cgroup of its own. A test knows
//! programs, wire, REST and the lake's files, nothing else.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod certificate;
mod cli;
mod config;
mod demo;
mod detect;
mod duckdb;
mod enrol;
mod incident;
mod isolate;
mod replay;
mod report;
mod snapshot;
mod stream;
mod suspicion;
