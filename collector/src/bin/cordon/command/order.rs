//! `cordon kill`, `suspend`, `resume`, `quarantine`, `restore`, `remove`, `undo`, `sweep`, `snapshot`:
//! each is resolved here to the exact thing that is meant, shown, signed and answered for.
//!
//! A process is looked up in what its host has told ([`process`]), a file is asked for on the host
//! itself first ([`mod@file`]): what is signed names a start time or an inode and a digest, and never the
//! next process of that pid or another file at that path.

mod file;
mod process;
mod sweep;

use std::time::Duration;

use cordon_shared::{
    command::action::{Action, SnapshotProfile},
    id::LedgerId,
    limit,
};

use crate::{
    args::{
        Output,
        order::{Entry, Profile, Snapshot, Verb},
    },
    client::Client,
    desk::{Desk, parsed},
};

/// How long a snapshot may take (chosen: a triage of a slow host takes a minute).
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(300);

/// Orders it.
///
/// # Errors
/// What failed, or was not seen to be done.
pub(crate) fn run(client: &Client, output: Output, verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Kill(asked) => process::order(client, output, asked, "kill", Action::Kill),
        Verb::Suspend(asked) => process::order(client, output, asked, "suspend", Action::Suspend),
        Verb::Resume(asked) => process::order(client, output, asked, "resume", Action::Resume),
        Verb::Quarantine(asked) => file::quarantine(client, output, asked),
        Verb::Remove(asked) => file::remove(client, output, asked),
        Verb::Restore(asked) => entry(client, output, asked, Action::Restore),
        Verb::Undo(asked) => entry(client, output, asked, Action::Undo),
        Verb::Sweep(asked) => sweep::order(client, output, asked),
        Verb::Snapshot(asked) => snapshot(client, output, asked),
    }
}

fn entry(
    client: &Client,
    output: Output,
    asked: &Entry,
    action: impl Fn(LedgerId) -> Action,
) -> anyhow::Result<()> {
    let entry = parsed(&asked.entry, "entry", LedgerId::parse)?;
    one(Desk::open(client, &asked.signing)?, output, &asked.host, action(entry))
}

fn snapshot(client: &Client, output: Output, asked: &Snapshot) -> anyhow::Result<()> {
    let Profile::Triage = asked.profile;
    let profile = SnapshotProfile::Triage;
    let bytes_max = limit::SNAPSHOT_BYTES_MAX;
    let action = Action::Snapshot { profile, processes: Vec::new(), bytes_max };
    let desk = Desk::open(client, &asked.signing)?.patient(SNAPSHOT_WITHIN);
    one(desk, output, &asked.host, action)
}

/// Orders one thing of one host.
fn one(mut desk: Desk<'_>, output: Output, host: &str, action: Action) -> anyhow::Result<()> {
    let host = desk.host(host)?;
    let command = desk.command(action)?;
    desk.order(&host, command)?;
    desk.finish(output)
}
