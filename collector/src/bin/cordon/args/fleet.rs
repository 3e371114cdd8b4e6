//! Options of the verbs about hosts and how they come in.

use std::time::Duration;

use clap::Subcommand;

use super::{Listing, duration};

/// Enrolment tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Those that were made; never their secrets.
    List(Listing),
    /// Make one; its text is shown this once.
    Create(NewToken),
}

/// Options of `token create`.
#[derive(Debug, clap::Args)]
pub(crate) struct NewToken {
    /// How many hosts it lets in.
    #[arg(long, default_value_t = 1)]
    pub(crate) hosts: u64,
    /// How long it lives: `30m`, `24h`, `7d`.
    #[arg(long, default_value = "24h", value_parser = duration)]
    pub(crate) lifetime: Duration,
    /// A network it may be used from, `ADDRESS/BITS`; may be given several times.
    #[arg(long)]
    pub(crate) network: Vec<String>,
    /// A label of its hosts, `KEY=VALUE`; may be given several times.
    #[arg(long)]
    pub(crate) label: Vec<String>,
    /// The tier of its hosts; automation's totals go by it.
    #[arg(long, default_value = "standard")]
    pub(crate) tier: String,
    /// Hold its hosts until a person approves each.
    #[arg(long)]
    pub(crate) hold: bool,
}

/// Hosts.
#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// All, newest first.
    List(Listing),
    /// One, with its sensors.
    Show {
        /// Its agent's id.
        host: String,
    },
    /// Let a held host take part.
    Approve {
        /// Its agent's id.
        host: String,
    },
    /// Cut it off for good; a live session ends at once.
    Revoke {
        /// Its agent's id.
        host: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
}
