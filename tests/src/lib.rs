#![doc = include_str!("../README.md")]

pub mod binary;
pub mod cgroup;
pub mod child;
pub mod disk;
pub mod wait;

pub mod network;
pub mod peer;
pub mod pki;
pub mod proxy;

pub mod activity;
pub mod golden;
pub mod lake;
pub mod oracle;
pub mod synth;

pub mod responder;
pub mod testbed;

pub mod histogram;
pub mod load;
