//! The network sensor: connections and listeners. Chooses among its tiers.

pub mod bpf;
pub mod poll;
