//! `killgen --count N`: has a collector of its own detect and kill N shells, one after the other, and
//! prints how long each lived.
//!
//! ```text
//! cargo run --release -p cordon-tests --bin killgen -- --count 200
//! ```
//!
//! Nothing is staged but the shell: kernel event, spool, mutual TLS, journal, rule, signature, session,
//! intent on disk and kill are the programs' own. A life begins before the launch of the shell and ends
//! when its parent has heard of its end, so that it is longer than what is promised of event and kill.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use clap::Parser;
use cordon_tests::{
    activity::Deed,
    histogram::Histogram,
    testbed::{SOON, Testbed},
};

#[derive(Parser)]
struct Args {
    /// Shells, at most 1,000.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    count: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cordon_tests::child::note(&format!("killgen: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(why) = Testbed::degraded() {
        anyhow::bail!("only a host of its own is shot at: {why}");
    }
    let load = || std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let before = load();
    let testbed = Testbed::start()?;
    let agent = testbed.agent("web-1")?;
    // With a total that is enough for all.
    let wide = |draft: String| draft.replace("kills_per_hour = 60\n", "kills_per_hour = 2000\n");
    testbed.collector().arm_with(&testbed.shell_rule()?, wide)?;
    agent.knows_the_second_keyring()?;
    // The first of everything is not what is measured.
    agent.does(Deed::CaughtShell, "warm", 3, SOON)?;
    let patience = Duration::from_secs(30 + args.count);
    let done = agent.does(Deed::CaughtShell, "shell", args.count, patience)?;
    let mut lives = Histogram::default();
    done.lived_us.iter().for_each(|us| lives.add(Duration::from_micros(*us)));
    ensure!(lives.total() == args.count, "{} of {} shells are told of", lives.total(), args.count);
    let ms = |share| lives.per_mille(share).map_or(0.0, |it| it.as_secs_f64() * 1_000.0);
    write!(
        std::io::stdout(),
        "shells detected and killed     {}\n\
         launch to end, ms              p50 {:.2}, p90 {:.2}, p99 {:.2}, longest {:.2}\n\
         load average before, after     {} | {}\n",
        lives.total(),
        ms(500),
        ms(900),
        ms(990),
        ms(1_000),
        before.trim(),
        load().trim(),
    )
    .context("print the table")
}
