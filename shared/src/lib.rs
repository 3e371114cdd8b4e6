#![doc = include_str!("../README.md")]

// In reading order; rustfmt would sort them.
pub mod error;

pub mod text;

pub mod id;

pub mod time;

pub mod entropy;

pub mod limit;

pub mod digest;

pub mod event;

pub mod batch;

pub mod arrival;

pub mod crypto;

pub mod keyring;

pub mod command;

pub mod enrolment;

pub mod wire;

pub mod ocsf;

pub mod durable;

pub mod seglog;

pub mod backoff;

pub mod tasks;

pub mod telemetry;

pub mod setting;

#[cfg(any(test, feature = "test-support"))]
pub mod test_support;

pub mod detection;

pub mod incident;

pub mod snapshot;
