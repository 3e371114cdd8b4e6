//! `cordon`, the responders' tool. So far: keys and keyrings, which are made away from any collector.

mod args;
mod key;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Command::Key(command) => key::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "an error is for the person at the terminal")]
            {
                eprintln!("cordon: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
