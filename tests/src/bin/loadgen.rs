//! `loadgen --agents N --rate R --seconds S`: loads a collector of its own and prints a table.
//!
//! ```text
//! cargo run --release -p cordon-tests --bin loadgen -- --agents 100 --rate 50000 --seconds 60
//! ```
//!
//! Open loop over real mutual TLS, real enrolment, credit obeyed. What each line means is in
//! `cordon_tests::load`.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use cordon_tests::load::{self, Plan};

#[derive(Parser)]
struct Args {
    /// Agents, each with a session of its own.
    #[arg(long, default_value_t = 100)]
    agents: u32,
    /// Events a second of all agents together.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Bytes of an event before compression.
    #[arg(long, default_value_t = 300)]
    event_bytes: usize,
    /// Events of a batch, 1 to 256; what an agent has in a quarter of a second otherwise.
    #[arg(long)]
    batch: Option<usize>,
    /// The disk that the collector is to use, named by a folder on it.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cordon_tests::child::note(&format!("loadgen: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let report = load::run(&Plan {
        agents: args.agents,
        rate: args.rate,
        duration: Duration::from_secs(args.seconds),
        event_bytes: args.event_bytes,
        batch_events: args.batch,
        folder: args.folder,
    })?;
    write!(std::io::stdout(), "{report}").context("print the table")
}
