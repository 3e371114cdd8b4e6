#![doc = include_str!("../README.md")]

// In reading order; rustfmt would sort them.
pub mod response;

pub mod store;
