//! Options of `cordon rule`: files, and drafts.

use std::path::PathBuf;

use clap::Subcommand;

/// Rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// Those that the collector has loaded, and whether each is armed.
    List,
    /// Whether files would load and keep their examples; needs no collector.
    Check {
        /// Sigma rules.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run rules over the examples that they bring, and say what each gave; needs no collector.
    Test {
        /// Sigma rules; without any, those that come with the collector.
        files: Vec<PathBuf>,
    },
    /// Add a rule to a keyring's draft: once that is signed, automation may act on it.
    Arm {
        /// Its file, or the id or title of a shipped one.
        rule: String,
        /// The draft, as `cordon-collector init` wrote it.
        #[arg(long)]
        draft: PathBuf,
    },
}
