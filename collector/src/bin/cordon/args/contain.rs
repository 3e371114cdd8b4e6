//! Options of the verbs that order something on hosts.

use std::{path::PathBuf, time::Duration};

use super::duration;

/// Options of `isolate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Isolate {
    /// What every order has.
    #[command(flatten)]
    pub(crate) order: Order,
    /// How long it lasts unless it is renewed; more than 60m takes two persons' keys.
    #[arg(long, default_value = "60m", value_parser = duration)]
    pub(crate) lease: Duration,
    /// How long it lasts while the collector is out of reach.
    #[arg(long, default_value = "24h", value_parser = duration)]
    pub(crate) longest: Duration,
    /// It stays at the end of its lease; takes two persons' keys.
    #[arg(long)]
    pub(crate) stay: bool,
    /// A network that stays reachable, `ADDRESS/BITS`; may be given several times.
    #[arg(long = "allow", value_name = "NETWORK")]
    pub(crate) allowed: Vec<String>,
    /// Also when the root file system comes over the network.
    #[arg(long)]
    pub(crate) network_root: bool,
}

/// Options of `release`.
#[derive(Debug, clap::Args)]
pub(crate) struct Release {
    /// What every order has.
    #[command(flatten)]
    pub(crate) order: Order,
    /// The command that isolated; without it, each that did and was not released.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hold: Option<String>,
}

/// What every order to several hosts has.
#[derive(Debug, clap::Args)]
pub(crate) struct Order {
    /// Names of hosts, or ids of their agents.
    #[arg(required = true, value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// How it is signed.
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// Who signs an order, for what, and what is waited for.
#[derive(Debug, clap::Args)]
pub(crate) struct Signing {
    /// Your private key; give it more than once to sign with several persons' keys.
    #[arg(long = "key", required = true, value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// The incident that it belongs to.
    #[arg(long)]
    pub(crate) incident: Option<String>,
    /// Why, for the timeline and the audit log.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    /// Have it planned and reported, and nothing done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Return as soon as the collector has it, without waiting for the receipt.
    #[arg(long)]
    pub(crate) no_wait: bool,
}
