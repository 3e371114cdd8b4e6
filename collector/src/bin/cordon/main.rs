//! `cordon`, the responders' tool: arguments → client → text → exit code.

mod args;
mod client;
mod command;
mod demo;
mod failure;
mod key;
mod profile;
mod render;

use std::process::ExitCode;

use clap::Parser;

use self::{
    args::{Args, Verb},
    client::Client,
    command::{audit, case, contain, event, fleet, keyring, login, manual, rule},
};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "an error is for the person at the terminal")]
            {
                eprintln!("cordon: {}", render::safe_lines(&format!("{error:#}")));
            }
            failure::exit_code(&error)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let output = args.output;
    let client = || Client::of(&args.access);
    match &args.verb {
        Verb::Demo(options) => demo::run(options),
        Verb::DemoStage { cgroup } => demo::stage(cgroup.as_deref()),
        Verb::DemoWatchdog => demo::watchdog::run(),
        Verb::Key(key) => key::run(key),
        Verb::Login(login) => login::run(&args.access, login),
        Verb::Status => login::status(&client()?, output),
        Verb::Token(token) => fleet::token(&client()?, output, token),
        Verb::Host(host) => fleet::host(&client()?, output, host),
        Verb::Event(event) => event::run(&client()?, output, event),
        Verb::Detection(show) => case::detection(&client()?, output, show),
        Verb::Incident(show) => case::incident(&client()?, output, show),
        Verb::Command(show) => case::command(&client()?, output, show),
        Verb::Isolate(asked) => contain::isolate(&client()?, output, asked),
        Verb::Release(asked) => contain::release(&client()?, output, asked),
        Verb::Rule(rule) => rule::run(client, output, rule),
        Verb::Keyring(keyring) => keyring::run(&client()?, output, keyring),
        Verb::Audit(audit) => audit::run(&client()?, output, audit),
        Verb::Completions { shell } => manual::completions(*shell),
        Verb::Man { out } => manual::pages(out.as_deref()),
    }
}
