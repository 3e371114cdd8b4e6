//! What was typed: `init`, `serve`, `check`.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// The centre of Cordon: takes batches in, files them, finds detections, takes commands out.
#[derive(Debug, Parser)]
#[command(name = "cordon-collector", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new collector: authority, certificate, state, configuration, first administrator.
    Init(Init),
    /// Serve agents and responders until told to stop.
    Serve(Configured),
    /// Check the configuration and what it points to, and change nothing.
    Check(Configured),
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Folder for everything that the collector keeps; must not hold a collector yet.
    #[arg(long)]
    pub data_dir: PathBuf,
    /// The organisation's public root key, as `cordon key root` wrote it; give several for k of n.
    #[arg(long, required = true)]
    pub root_key: Vec<PathBuf>,
    /// How many of the root keys a policy needs.
    #[arg(long, default_value_t = 1)]
    pub root_threshold: usize,
    /// Address that all listeners bind to.
    #[arg(long, default_value = "127.0.0.1")]
    pub listen_host: IpAddr,
    /// Port for agents' sessions; 0 takes any free one, as for the next two.
    #[arg(long, default_value_t = 7443)]
    pub port_sessions: u16,
    /// Port for enrolment and renewal.
    #[arg(long, default_value_t = 7444)]
    pub port_enrolment: u16,
    /// Port for responders.
    #[arg(long, default_value_t = 7445)]
    pub port_api: u16,
    /// One more DNS name or address that people dial; may be given several times.
    #[arg(long)]
    pub name: Vec<String>,
}

/// Options of `serve` and `check`.
#[derive(Debug, Args)]
pub struct Configured {
    /// The configuration, as `init` wrote it.
    #[arg(long)]
    pub config: PathBuf,
}
