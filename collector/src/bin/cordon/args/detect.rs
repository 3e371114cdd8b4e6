//! Options of `cordon detect`: which rules, which events, and of which log they are.

use std::path::PathBuf;

/// Options of `detect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Detect {
    /// A Sigma rule, or a folder of them; may be given several times. Without any, the shipped ones.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// One JSON object a line, or what `cordon event search --output json` prints; `.zst` is
    /// decompressed, `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: PathBuf,
    /// The log source of every event: `product=linux,category=process_creation`, or its word alone.
    /// Without it every rule looks at every event; rows of Cordon's own say what they are.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) logsource: Option<String>,
    /// The field in which each event names its log source, in the same way.
    #[arg(long, value_name = "NAME", conflicts_with = "logsource")]
    pub(crate) logsource_field: Option<String>,
}
