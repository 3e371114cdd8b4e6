//! The process sensor: launches, forks and exits. Chooses among its tiers.

pub mod bpf;
pub mod poll;
