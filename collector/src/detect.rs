//! Events → detections: Sigma rules, compiled once.
//!
//! On the road: arrivals come in by way of the watch, [`Detection`](cordon_shared::detection)s go
//! out. Rules are read from YAML ([`parse`]) into values ([`rule`], [`pattern`]), all those of a log
//! source compiled to one matcher ([`matcher`]) and run ([`engine`]) over whatever can name its
//! fields ([`field::Fields`]): an event of ours, or JSON.
//!
//! Pure: no clock, no file, no thread. A rule that cannot be loaded is named with its line and its
//! reason, and the others load. One that breaks on an event is switched off and named, and the others
//! go on (F-49).

pub mod engine;

pub mod field;

pub mod matcher;

pub mod parse;

pub mod pattern;

pub mod rule;

/// The rules that come with the collector: `(file, text)`.
pub const SHIPPED: &[(&str, &str)] = &[(
    "shell_with_socket_stdio.yaml",
    include_str!("../content/rules/shell_with_socket_stdio.yaml"),
)];

#[cfg(test)]
mod tests;
