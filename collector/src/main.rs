//! `cordon-collector`: arguments → configuration → application → exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cordon_collector::{
    app::App,
    cli::{Cli, Command, Configured},
    config::{Config, LogFormat},
    guard, init,
    layout::Layout,
};
use cordon_shared::{entropy::SystemEntropy, time::SystemClock};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::error;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("failed to {error:#}");
            #[expect(clippy::print_stderr, reason = "the log may not be there yet")]
            {
                eprintln!("cordon-collector: failed to {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let runtime = Runtime::new().context("start the runtime")?;
    match &cli.command {
        Command::Init(options) => {
            let made = runtime.block_on(init::run(options, &SystemClock, &SystemEntropy));
            let path = made.context("make a collector")?;
            say(&format!("made; next: sign {}", Layout::new(&options.data_dir).draft().display()));
            say(&format!("then: cordon-collector serve --config {}", path.display()));
            Ok(())
        }
        Command::Serve(configured) => runtime.block_on(serve(&read(configured)?)),
        Command::Check(configured) => {
            let config = read(configured)?;
            guard::check(&Layout::new(&config.data_dir), &config.roots)
                .context("check the keys")?;
            say("the configuration is good");
            Ok(())
        }
    }
}

fn read(configured: &Configured) -> anyhow::Result<Config> {
    Config::read(&configured.config).context("check the configuration")
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    log(config);
    let app = App::build(config).await.context("start")?;
    say(&serde_json::to_string(&app.addresses())?);
    let stop = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = stop.clone();
    let waiting = async move {
        tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
        drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
        asked.cancel();
    };
    drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    let (served, ()) = tokio::join!(app.run(stop), waiting);
    served.context("serve")
}

fn log(config: &Config) {
    let level = config.log_level.parse().unwrap_or(tracing::Level::INFO);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

#[expect(clippy::print_stdout, reason = "what a person or a script reads")]
fn say(text: &str) {
    println!("{text}");
}
