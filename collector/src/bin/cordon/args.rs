//! What was typed, before anything is done about it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The responders' tool.
#[derive(Debug, Parser)]
#[command(name = "cordon", version)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make keys and sign keyrings, away from any collector.
    #[command(subcommand)]
    Key(Key),
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
