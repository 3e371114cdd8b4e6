//! Which holds are in force, as far as the collector knows: what was ordered, and what receipts say.
//!
//! Beside the lower road: it reads what is in the store and changes nothing. The hosts know better:
//! a lease stretches while a host cannot reach the collector, and what is ended on the host without a
//! command is told by an event. Pure.

use std::{collections::BTreeMap, time::Duration};

use cordon_shared::{
    command::{
        Command,
        action::Action,
        scope::{Lease, LeaseEnd},
    },
    id::{AgentId, CommandId},
    keyring::{Keyring, key::Role},
    time::Timestamp,
    wire::command as words,
};

use crate::store::CommandRow;

/// One hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The command that began it.
    pub command: CommandId,
    /// Whose host.
    pub agent: AgentId,
    /// Who has signed for it, by name; none when its signatures can no longer be read.
    pub signed_by: Vec<String>,
    /// Since when its lease runs.
    pub since: Timestamp,
    /// When its lease ends; `None` when it has none, or is not known.
    pub until: Option<Timestamp>,
    /// Whether it stays when its lease ends.
    pub is_sticky: bool,
}

/// The holds that are in force, from commands with the oldest first.
#[must_use]
pub fn in_force(rows: &[CommandRow], keyring: Option<&Keyring>, now: Timestamp) -> Vec<Held> {
    let mut held: BTreeMap<CommandId, Held> = BTreeMap::new();
    for row in rows {
        let opened = keyring.and_then(|it| open(row, it, now));
        let since = row.closed.unwrap_or(row.issued);
        if row.action == "release" {
            row.releases.map(|it| held.remove(&it));
            continue;
        }
        let Some((command, signed_by)) = opened else {
            if row.action == "isolate" {
                let (command, agent) = (row.id, row.agent);
                let signed_by = Vec::new();
                held.insert(
                    row.id,
                    Held { command, agent, signed_by, since, until: None, is_sticky: false },
                );
            }
            continue;
        };
        if let Action::RenewLease { hold, lease } = &command.action {
            if let Some(it) = held.get_mut(hold) {
                (it.since, it.is_sticky) = (since, lease.end == LeaseEnd::Hold);
                it.until = Some(end(since, lease.duration));
                it.signed_by.extend(signed_by);
                it.signed_by.sort_unstable();
                it.signed_by.dedup();
            }
        } else {
            let lease: Option<Lease> = command.lease;
            let until = lease.map(|it| end(since, it.duration));
            let is_sticky = lease.is_none_or(|it| it.end == LeaseEnd::Hold);
            let (command, agent) = (row.id, row.agent);
            held.insert(row.id, Held { command, agent, signed_by, since, until, is_sticky });
        }
    }
    let is_over = |it: &Held| !it.is_sticky && it.until.is_some_and(|it| it <= now);
    held.into_values().filter(|it| !is_over(it)).collect()
}

fn end(since: Timestamp, duration: Duration) -> Timestamp {
    since.saturating_add(duration)
}

fn open(row: &CommandRow, keyring: &Keyring, now: Timestamp) -> Option<(Command, Vec<String>)> {
    let signed = words::decode_delivery(&row.delivery).ok()?.signed;
    let keys = keyring.keys(now);
    let trusted: Vec<_> = keys.iter().map(|it| it.public).collect();
    let opened = words::open(&signed, &trusted).ok()?;
    let signers = keys.iter().filter(|it| opened.signers.contains(&it.public));
    let persons = signers.filter(|it| it.role != Role::Automation);
    let mut persons: Vec<String> = persons.map(|it| it.holder.clone()).collect();
    persons.sort_unstable();
    persons.dedup();
    Some((opened.command, persons))
}
