//! `cordon`, the responders' tool: arguments → client → text → exit code.

mod args;
mod client;
mod command;
mod demo;
mod desk;
mod failure;
mod key;
mod profile;
mod render;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use self::args::Args;

fn main() -> ExitCode {
    match command::run(&Args::parse()) {
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
