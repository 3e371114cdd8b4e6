//! What was typed, before anything is done about it.

pub(crate) mod contain;
pub(crate) mod detect;
pub(crate) mod detection;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod fleet;
pub(crate) mod incident;
pub(crate) mod key;
pub(crate) mod order;
pub(crate) mod report;
pub(crate) mod rule;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

/// The responders' tool: asks the collector, makes keys, signs keyrings.
#[derive(Debug, Parser)]
#[command(name = "cordon", version)]
pub(crate) struct Args {
    /// A table for people, or stable JSON.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Which collector, and how to know it.
    #[command(flatten)]
    pub(crate) access: Access,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How answers look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For scripts: an array of objects.
    Json,
}

/// Which collector; what is not given is taken from the environment, then from `cordon login`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Access {
    /// The collector, `https://HOST:7445`; also `CORDON_URL`.
    #[arg(long, global = true)]
    pub(crate) url: Option<String>,
    /// The file of its authority's certificate, `pki/authority.pem`; also `CORDON_CA`.
    #[arg(long, global = true)]
    pub(crate) ca: Option<PathBuf>,
    /// The file that `login` keeps and the other verbs read; also `CORDON_PROFILE`.
    #[arg(long = "login-file", global = true, value_name = "FILE")]
    pub(crate) login_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the whole of it on this machine: deed, detection, incident, kill, receipt.
    Demo(Demo),
    /// Keep a collector's address, authority and token for the other verbs.
    Login(Login),
    /// How the collector is.
    Status,
    /// Tokens that let hosts in.
    #[command(subcommand)]
    Token(fleet::Token),
    /// Hosts with an agent.
    #[command(subcommand)]
    Host(fleet::Host),
    /// What happened on the hosts.
    #[command(subcommand)]
    Event(event::Event),
    /// What rules found and people reported, and what is suppressed.
    #[command(subcommand)]
    Detection(detection::Detection),
    /// Report something odd, for others to look at.
    ReportSuspicion(detection::Suspicion),
    /// Run rules over events in a file; needs no collector.
    Detect(detect::Detect),
    /// What people respond to.
    #[command(subcommand)]
    Incident(incident::Incident),
    /// What happened, what was done, what remains: a page, a text, or JSON.
    Report(report::Report),
    /// Signed orders to agents, and their receipts.
    #[command(subcommand)]
    Command(order::Commands),
    /// Orders to hosts.
    #[command(flatten)]
    Order(order::Verb),
    /// What holds hosts isolated, and for how long.
    #[command(subcommand)]
    Lease(order::Lease),
    /// What the commands of an incident did that can be undone.
    Ledger {
        /// Its id.
        incident: String,
    },
    /// Cut hosts off from everything but the collector, and see that it is so.
    Isolate(contain::Isolate),
    /// End the isolation of hosts.
    Release(contain::Release),
    /// Snapshots of hosts: what is in them, and whether they are still what was taken.
    #[command(subcommand)]
    Evidence(evidence::Evidence),
    /// Detection rules.
    #[command(subcommand)]
    Rule(rule::Rule),
    /// The list of who may command what, in force.
    #[command(subcommand)]
    Keyring(key::Keyring),
    /// Who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// Make keys and sign keyrings, away from any collector.
    #[command(subcommand)]
    Key(key::Key),
    /// Print a script that completes these verbs in a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each verb.
    Man {
        /// The folder to write them to.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Plays the stage of the demo.
    #[command(hide = true)]
    DemoStage(crate::demo::stage::Options),
    /// Cleans up behind the demo.
    #[command(hide = true)]
    DemoWatchdog,
}

/// Options of `login`.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// The file of a bearer token; without it the token is read from standard input.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
}

/// How much of a list.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Listing {
    /// Items at most, newest first.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// A list, or one of it.
#[derive(Debug, Subcommand)]
pub(crate) enum Show {
    /// Newest first.
    List(Listing),
    /// One, whole.
    Show {
        /// Its id.
        id: String,
    },
}

/// The audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Acts, newest first.
    List(Listing),
    /// Whether each row follows from the one before.
    Verify,
}

/// A duration: a number with `s`, `m`, `h` or `d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let rule = || format!("`{text}` must be a number with s, m, h or d, as in 24h");
    let at = text.find(|it: char| !it.is_ascii_digit()).ok_or_else(rule)?;
    let (number, unit) = text.split_at(at);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(rule()),
    };
    let number: u64 = number.parse().map_err(|_nan| rule())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(rule)
}

/// Options of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// End when all was shown, instead of staying up until Ctrl-C.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Leave the temporary folder in place.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory as _;

    use super::{Args, duration};

    #[test]
    fn the_parser_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for bad in ["", "24", "h", "1w", "-1h", "99999999999999999999d", "1 h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
