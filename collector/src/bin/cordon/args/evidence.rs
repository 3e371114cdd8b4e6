//! Options of `evidence`: list, show, export, verify.

use std::path::PathBuf;

use super::Listing;

/// Snapshots of hosts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Evidence {
    /// Newest first.
    List {
        /// How much of it.
        #[command(flatten)]
        listing: Listing,
        /// Of this incident alone.
        #[arg(long)]
        incident: Option<String>,
    },
    /// One: what is in it, and who had it in their hands.
    Show {
        /// Its id.
        id: String,
    },
    /// Download one with its signed manifest, and check it.
    Export {
        /// Its id.
        id: String,
        /// The file to write the container to; the manifest lies beside it, as `FILE.manifest`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Whether an exported container is still what its host sealed; asks no collector.
    Verify {
        /// The container.
        file: PathBuf,
        /// Its manifest; `FILE.manifest` unless it is given.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// The agent's receipt key, 64 hexadecimal digits; the one that the first export has pinned
        /// unless it is given.
        #[arg(long, value_name = "KEY")]
        receipt_key: Option<String>,
    },
}
