//! Options of the verbs about keys and keyrings.

use std::path::PathBuf;

use clap::Subcommand;

/// The keyring in force.
#[derive(Debug, Subcommand)]
pub(crate) enum Keyring {
    /// As it was installed.
    Show,
    /// Hand a signed one to the collector, which hands it to the agents.
    Install {
        /// As `cordon key sign` wrote it.
        file: PathBuf,
    },
}

/// Keys and keyrings.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a root key: `root.key` stays with you, `root.pub` goes to the collector.
    Root {
        /// The folder that both files are written to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a person's key: `NAME.key` and `NAME.pub`.
    New {
        /// The files' name.
        #[arg(long)]
        name: String,
        /// The folder that both files are written to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Sign a keyring's draft.
    Sign {
        /// A private key; give it more than once to sign with several.
        #[arg(long = "key", alias = "root", required = true)]
        keys: Vec<PathBuf>,
        /// The draft.
        #[arg(long)]
        draft: PathBuf,
        /// The signed keyring.
        #[arg(long)]
        out: PathBuf,
    },
}
