//! `cordon-collector`: arguments → configuration → application → exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cordon_collector::{
    app,
    cli::{Cli, Command, Configured},
    config::Config,
    guard, init,
    layout::Layout,
};
use cordon_shared::{entropy::SystemEntropy, telemetry, time::SystemClock};

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the log may not be there yet")]
            {
                eprintln!("cordon-collector: failed to {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    match &cli.command {
        Command::Init(options) => {
            let made = runtime.block_on(init::run(options, &SystemClock, &SystemEntropy));
            let path = made.context("make a collector")?;
            say(&format!("made; next: sign {}", Layout::new(&options.data_dir).draft().display()));
            say(&format!("then: cordon-collector serve --config {}", path.display()));
        }
        Command::Serve(configured) => {
            let config = read(configured)?;
            telemetry::init(&config.log_level, config.log_format).context("set up the log")?;
            runtime.block_on(app::serve(&config, say))?;
        }
        Command::Check(configured) => {
            let config = read(configured)?;
            let checked = guard::check(&Layout::new(&config.data_dir), &config.roots);
            checked.context("check the keys")?;
            say("the configuration is good");
        }
    }
    Ok(())
}

fn read(configured: &Configured) -> anyhow::Result<Config> {
    Config::read(&configured.config).context("check the configuration")
}

#[expect(clippy::print_stdout, reason = "what a person or a script reads")]
fn say(text: &str) {
    println!("{text}");
}
