//! `cordon-agent`: arguments → configuration → application → exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cordon_agent::{
    app::{self, once, print, stop},
    cli::{Cli, Command, Configured},
    config::Config,
};
use cordon_shared::telemetry;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the log may not be there yet")]
            {
                eprintln!("cordon-agent: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    // One thread serves the network; sensors and the road have threads of their own.
    let runtime = Builder::new_current_thread().enable_all().build().context("start")?;
    runtime.block_on(async {
        match &cli.command {
            Command::Enroll(it) => once::enroll(&read(&it.configured)?, &it.token).await?,
            Command::Run(it) => {
                let (config, stop) = (read(&it.configured)?, stop::on_signal()?);
                if it.stdout {
                    print::run(&config, stop).await?;
                } else {
                    app::run(&config, stop).await?;
                }
            }
            Command::Status(it) => once::status(&read(it)?)?,
            Command::Check(it) => once::check(&read(it)?)?,
        }
        Ok(())
    })
}

fn read(configured: &Configured) -> anyhow::Result<Config> {
    let config = Config::read(configured.config.as_deref()).context("check the configuration")?;
    telemetry::init(&config.log_level, config.log_format).context("set up the log")?;
    Ok(config)
}
