//! What was typed, before anything is done about it.

pub(crate) mod contain;

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
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
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
    Token(Token),
    /// Hosts with an agent.
    #[command(subcommand)]
    Host(Host),
    /// What happened on the hosts.
    #[command(subcommand)]
    Event(Event),
    /// What a rule found.
    #[command(subcommand)]
    Detection(Show),
    /// What people respond to.
    #[command(subcommand)]
    Incident(Show),
    /// Signed orders to agents, and their receipts.
    #[command(subcommand)]
    Command(Show),
    /// Cut hosts off from everything but the collector, and see that it is so.
    Isolate(contain::Isolate),
    /// End the isolation of hosts.
    Release(contain::Release),
    /// Detection rules.
    #[command(subcommand)]
    Rule(Rule),
    /// The list of who may command what, in force.
    #[command(subcommand)]
    Keyring(Keyring),
    /// Who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// Make keys and sign keyrings, away from any collector.
    #[command(subcommand)]
    Key(Key),
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
    DemoStage {
        /// The cgroup to enter.
        #[arg(long)]
        cgroup: Option<PathBuf>,
    },
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

/// Enrolment tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Those that were made; never their secrets.
    List(Listing),
    /// Make one; its text is shown this once.
    Create(NewToken),
}

/// Options of `token create`.
#[derive(Debug, clap::Args)]
pub(crate) struct NewToken {
    /// How many hosts it lets in.
    #[arg(long, default_value_t = 1)]
    pub(crate) hosts: u64,
    /// How long it lives: `30m`, `24h`, `7d`.
    #[arg(long, default_value = "24h", value_parser = duration)]
    pub(crate) lifetime: Duration,
    /// A network it may be used from, `ADDRESS/BITS`; may be given several times.
    #[arg(long)]
    pub(crate) network: Vec<String>,
    /// A label of its hosts, `KEY=VALUE`; may be given several times.
    #[arg(long)]
    pub(crate) label: Vec<String>,
    /// The tier of its hosts; automation's totals go by it.
    #[arg(long, default_value = "standard")]
    pub(crate) tier: String,
    /// Hold its hosts until a person approves each.
    #[arg(long)]
    pub(crate) hold: bool,
}

/// Hosts.
#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// All, newest first.
    List(Listing),
    /// One, with its sensors.
    Show {
        /// Its agent's id.
        host: String,
    },
    /// Let a held host take part.
    Approve {
        /// Its agent's id.
        host: String,
    },
    /// Cut it off for good; a live session ends at once.
    Revoke {
        /// Its agent's id.
        host: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
}

/// Events.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Those in the lake that all filters match, newest first.
    Search(Search),
    /// How many there are, by class.
    Count(Search),
    /// One, whole, as OCSF.
    Show {
        /// Its id: `metadata.uid`.
        id: String,
    },
    /// As they come, until Ctrl-C.
    Tail,
}

/// Filters of a search.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// From when: `24h` ago, or `2026-01-31T12:00:00Z`.
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Until when.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// process, file, network, dns, module, kernel, login, or a number of OCSF.
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// A host's name or id.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// An agent's id.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// A process's uid.
    #[arg(long)]
    pub(crate) process: Option<String>,
    /// SHA-256 of an executable or a file.
    #[arg(long)]
    pub(crate) sha256: Option<String>,
    /// An address at either end.
    #[arg(long)]
    pub(crate) ip: Option<String>,
    /// A port at either end.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// A path.
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// A name: of a process, a file, or one that was looked up.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// An account's name.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Events at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// Those that the collector has loaded, and whether each is armed.
    List,
    /// Whether files would load and keep their examples; needs no collector.
    Check {
        /// Sigma rules.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run rules over the examples that they bring, and say what each gave; needs no collector.
    Test {
        /// Sigma rules; without any, those that come with the collector.
        files: Vec<PathBuf>,
    },
    /// Add a rule to a keyring's draft: once that is signed, automation may act on it.
    Arm {
        /// Its file, or the id or title of a shipped one.
        rule: String,
        /// The draft, as `cordon-collector init` wrote it.
        #[arg(long)]
        draft: PathBuf,
    },
}

/// The keyring in force.
#[derive(Debug, Subcommand)]
pub(crate) enum Keyring {
    /// As it was installed.
    Show,
    /// Hand a signed one to the collector, which hands it to the agents.
    Install {
        /// As `cordon key sign` wrote it.
        file: PathBuf,
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

/// Keys and keyrings.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a root key: `root.key` stays with you, `root.pub` goes to the collector.
    Root {
        /// The folder that both files are written to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a person's key: `NAME.key` and `NAME.pub`.
    New {
        /// The files' name.
        #[arg(long)]
        name: String,
        /// The folder that both files are written to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Sign a keyring's draft.
    Sign {
        /// A private key; give it more than once to sign with several.
        #[arg(long = "key", alias = "root", required = true)]
        keys: Vec<PathBuf>,
        /// The draft.
        #[arg(long)]
        draft: PathBuf,
        /// The signed keyring.
        #[arg(long)]
        out: PathBuf,
    },
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
