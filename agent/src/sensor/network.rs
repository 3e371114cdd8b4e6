//! The network sensor: chooses among its tiers.

pub mod poll;
