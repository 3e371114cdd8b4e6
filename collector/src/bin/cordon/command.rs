//! The verbs, one file for each noun; here, which is which.

pub(crate) mod audit;
pub(crate) mod case;
pub(crate) mod contain;
pub(crate) mod detect;
pub(crate) mod detection;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod fleet;
pub(crate) mod incident;
pub(crate) mod keyring;
pub(crate) mod lease;
pub(crate) mod login;
pub(crate) mod manual;
pub(crate) mod order;
pub(crate) mod report;
pub(crate) mod rule;

use crate::{
    args::{Args, Verb},
    client::Client,
    demo, key,
};

/// Does what was typed.
///
/// # Errors
/// What failed.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let output = args.output;
    let client = || Client::of(&args.access);
    match &args.verb {
        Verb::Demo(options) => demo::run(options),
        Verb::DemoStage(options) => demo::stage::run(options),
        Verb::DemoWatchdog => demo::watchdog::run(),
        Verb::Key(key) => key::run(key),
        Verb::Login(login) => login::run(&args.access, login),
        Verb::Status => login::status(&client()?, output),
        Verb::Token(token) => fleet::token(&client()?, output, token),
        Verb::Host(host) => fleet::host(&client()?, output, host),
        Verb::Event(event) => event::run(&client()?, output, event),
        Verb::Detection(asked) => detection::run(&client()?, output, asked),
        Verb::ReportSuspicion(asked) => detection::report(&client()?, output, asked),
        Verb::Detect(asked) => detect::run(output, asked),
        Verb::Incident(verb) => incident::run(&client()?, output, verb),
        Verb::Command(asked) => lease::command(&client()?, output, asked),
        Verb::Order(asked) => order::run(&client()?, output, asked),
        Verb::Lease(asked) => lease::run(&client()?, output, asked),
        Verb::Ledger { incident } => lease::ledger(&client()?, output, incident),
        Verb::Report(asked) => report::run(&client()?, asked),
        Verb::Isolate(asked) => contain::isolate(&client()?, output, asked),
        Verb::Release(asked) => contain::release(&client()?, output, asked),
        Verb::Evidence(verb) => evidence::run(&args.access, output, verb),
        Verb::Rule(rule) => rule::run(client, output, rule),
        Verb::Keyring(keyring) => keyring::run(&client()?, output, keyring),
        Verb::Audit(audit) => audit::run(&client()?, output, audit),
        Verb::Completions { shell } => manual::completions(*shell),
        Verb::Man { out } => manual::pages(out.as_deref()),
    }
}
