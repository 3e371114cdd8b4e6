//! Options of `cordon detection` and `cordon report-suspicion`: what was found, what people saw.

use clap::Subcommand;

use super::Listing;

/// Detections.
#[derive(Debug, Subcommand)]
pub(crate) enum Detection {
    /// Newest first.
    List(Listing),
    /// One, whole.
    Show {
        /// Its id.
        id: String,
    },
    /// Keep a rule's detections from becoming incidents, until it ends by itself; they are counted.
    Suppress(Suppress),
    /// What is suppressed, by whom, until when, and how often it held something back.
    Suppressions(Listing),
    /// End a suppression before its time.
    Unsuppress {
        /// Its id.
        id: String,
        /// Why, for the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Options of `detection suppress`.
#[derive(Debug, clap::Args)]
pub(crate) struct Suppress {
    /// The rule's id or title.
    pub(crate) rule: String,
    /// Only on this host: its name or id.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Who answers for it.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: String,
    /// When it ends: `2026-12-24` (its begin, UTC), `2026-12-24T18:00:00Z`, or `30d` from now.
    #[arg(long, value_name = "DATE")]
    pub(crate) until: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
}

/// Options of `report-suspicion`.
#[derive(Debug, clap::Args)]
pub(crate) struct Suspicion {
    /// What was seen, in words.
    pub(crate) text: String,
    /// Where: the host's name or id.
    #[arg(long)]
    pub(crate) host: String,
    /// The file that it is about.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<String>,
    /// The uid of the process that it is about, as `cordon event search` shows it.
    #[arg(long, value_name = "UID")]
    pub(crate) process: Option<String>,
    /// When it was: `2h` ago, or `2026-01-31T12:00:00Z`.
    #[arg(long)]
    pub(crate) time: Option<String>,
}
