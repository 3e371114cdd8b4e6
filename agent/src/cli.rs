//! What was typed: `enroll`, `run`, `status`, `check`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The agent of Cordon: senses this host, keeps what it saw, obeys signed commands.
#[derive(Debug, Parser)]
#[command(name = "cordon-agent", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn a token into this host's identity.
    Enroll(Enroll),
    /// Sense this host until told to stop.
    Run(Run),
    /// Say who this agent is, and how far it got.
    Status(Configured),
    /// Say what this host offers: which tier each sensor gets, and why.
    Check(Configured),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct Configured {
    /// The configuration [default: `/etc/cordon/agent.toml`, or what is usual when that is missing].
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// Options of `enroll`.
#[derive(Debug, Args)]
pub struct Enroll {
    /// Where the configuration is.
    #[command(flatten)]
    pub configured: Configured,
    /// The token, as `cordon token create` printed it.
    #[arg(long)]
    pub token: String,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Where the configuration is.
    #[command(flatten)]
    pub configured: Configured,
    /// Print events as OCSF JSON lines; no collector, no spool, no enrolment.
    #[arg(long)]
    pub stdout: bool,
}
