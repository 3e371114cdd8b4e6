#![doc = include_str!("../README.md")]

// In the order of the road, up and then down.
pub mod cli;

pub mod config;

pub mod sensor;

pub mod enrich;

pub mod seal;

pub mod spool;

pub mod road;

pub mod session;

pub mod enroll;

pub mod health;

pub mod snapshot;

pub mod containment;

pub mod app;
