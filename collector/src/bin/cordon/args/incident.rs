//! Options of the verbs about incidents.

use std::time::Duration;

use clap::Subcommand;

use super::{Listing, duration};

/// What people respond to.
#[derive(Debug, Subcommand)]
pub(crate) enum Incident {
    /// Newest first.
    List(Listing),
    /// One, whole: what each phase waits for, and what would move it.
    Show {
        /// Its id.
        id: String,
    },
    /// What happened, oldest first.
    Timeline {
        /// Its id.
        id: String,
    },
    /// Open one by hand.
    Open(Open),
    /// Say who leads it.
    Assign {
        /// Its id.
        id: String,
        /// The person.
        lead: String,
    },
    /// Say what it is.
    Verdict {
        /// Its id.
        id: String,
        /// `true_positive`, `false_positive`, `benign` or `test`.
        verdict: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Say how bad it is.
    Severity {
        /// Its id.
        id: String,
        /// `informational`, `low`, `medium`, `high` or `critical`.
        severity: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Change which hosts it is about, what is said of them, and what is looked for.
    Scope(Scope),
    /// Write something down.
    Note {
        /// Its id.
        id: String,
        /// The text.
        text: String,
    },
    /// Add a task, change one, or tell one done.
    Task(Task),
    /// Go through the gate of a phase.
    Phase {
        /// Its id.
        id: String,
        /// `preparation` to `lessons_learned`.
        phase: String,
        /// Past the gate though it is open, for this reason; takes a lead, and is on record.
        #[arg(long = "override", value_name = "REASON", conflicts_with = "watch")]
        reason: Option<String>,
        /// Of recovery: begin a watch window as long as this.
        #[arg(long, value_parser = duration)]
        watch: Option<Duration>,
    },
    /// Close it; refused while a gate is open.
    Close {
        /// Its id.
        id: String,
        /// Though gates are open, for this reason; takes a lead, and is on record.
        #[arg(long = "override", value_name = "REASON")]
        reason: Option<String>,
    },
    /// Open it again.
    Reopen {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Options of `incident open`.
#[derive(Debug, clap::Args)]
pub(crate) struct Open {
    /// What it is about.
    pub(crate) title: String,
    /// The first host: its name, or its agent's id.
    #[arg(long)]
    pub(crate) host: String,
    /// `informational` to `critical`.
    #[arg(long, default_value = "medium")]
    pub(crate) severity: String,
    /// Why.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

/// Options of `incident scope`.
#[derive(Debug, clap::Args)]
pub(crate) struct Scope {
    /// The incident's id.
    pub(crate) id: String,
    /// A host with an agent belongs to it; may be given several times, as may the others.
    #[arg(long, value_name = "HOST")]
    pub(crate) add: Vec<String>,
    /// A machine without an agent belongs to it.
    #[arg(long, value_name = "NAME")]
    pub(crate) machine: Vec<String>,
    /// A host in scope is `off`, `gone`, `contained_elsewhere` or `unaffected`: HOST=WHAT.
    #[arg(long, value_name = "HOST=WHAT", requires = "reason")]
    pub(crate) declare: Vec<String>,
    /// A second person confirms what was declared of a host.
    #[arg(long, value_name = "HOST")]
    pub(crate) confirm: Vec<String>,
    /// Look for files of these contents.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) sha256: Vec<String>,
    /// Look for files of this path.
    #[arg(long)]
    pub(crate) path: Vec<String>,
    /// Look for connections with this address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Vec<String>,
    /// Why; for a declaration, what it rests on.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// Options of `incident task`.
#[derive(Debug, clap::Args)]
pub(crate) struct Task {
    /// The incident's id.
    pub(crate) id: String,
    /// A new task: what is to be done.
    #[arg(long, value_name = "TITLE", conflicts_with_all = ["done", "change"])]
    pub(crate) add: Option<String>,
    /// Of a new task: `action_item`, `weakness` or `credential`.
    #[arg(long, default_value = "action_item")]
    pub(crate) kind: String,
    /// The number of a task that is done.
    #[arg(long, value_name = "NUMBER", conflicts_with = "change")]
    pub(crate) done: Option<u64>,
    /// The number of a task that gets another owner or date.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) change: Option<u64>,
    /// Who does it.
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Until when: a day, as in 2026-12-31, or a moment in RFC 3339.
    #[arg(long)]
    pub(crate) due: Option<String>,
}
