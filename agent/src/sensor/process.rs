//! The process sensor: chooses among its tiers.

pub mod poll;
