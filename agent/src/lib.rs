#![doc = include_str!("../README.md")]

// In the order of the road.
pub mod sensor;

pub mod spool;
