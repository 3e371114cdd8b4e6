#![doc = include_str!("../README.md")]

pub mod v1;

pub mod codec;

pub mod count;
