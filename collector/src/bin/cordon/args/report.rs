//! Options of `cordon report`: which incident, which form, which file.

use std::path::PathBuf;

use clap::ValueEnum;

/// A report of an incident.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The incident's id.
    pub(crate) incident: String,
    /// A page that needs nothing else, a text, or all of it as JSON.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    pub(crate) format: Format,
    /// The file to write; without it the report is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// One page with its style and figures inside.
    Html,
    /// Markdown.
    Md,
    /// JSON.
    Json,
}

impl Format {
    /// As the API calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Md => "md",
            Self::Json => "json",
        }
    }
}
