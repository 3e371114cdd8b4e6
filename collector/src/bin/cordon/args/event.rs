//! Options of `cordon event`: which events.

use clap::Subcommand;

/// Events.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Those in the lake that all filters match, newest first.
    Search(Search),
    /// How many there are, by class.
    Count(Search),
    /// One, whole, as OCSF.
    Show {
        /// Its id: `metadata.uid`.
        id: String,
    },
    /// As they come, until Ctrl-C.
    Tail,
}

/// Filters of a search.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// From when: `24h` ago, or `2026-01-31T12:00:00Z`.
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Until when.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// process, file, network, dns, module, kernel, login, or a number of OCSF.
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// A host's name or id.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// An agent's id.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// A process's uid.
    #[arg(long)]
    pub(crate) process: Option<String>,
    /// SHA-256 of an executable or a file.
    #[arg(long)]
    pub(crate) sha256: Option<String>,
    /// An address at either end.
    #[arg(long)]
    pub(crate) ip: Option<String>,
    /// A port at either end.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// A path.
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// A name: of a process, a file, or one that was looked up.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// An account's name.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Events at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}
