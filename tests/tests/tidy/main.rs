//! Rules about the source tree itself: what may import what, how long a file may be, what every
//! file must say, and which crates may enter.
//!
//! Each rule is a pure function from a [`tree::Tree`] to findings, and is used twice: once on this
//! repository, where it must find nothing, and once on a small tree with a planted violation, where
//! it must find exactly that. A rule that cannot fail is not a rule.
//!
//! Never reads anything but files of this repository and, for the graph of crates that are really
//! built, the output of `cargo tree`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up has failed; planted files need not be durable"
)]

mod code;
mod content;
mod docs;
mod layers;
mod manifest;
mod openapi;
mod size;
mod tree;
mod words;
