//! Who holds this host isolated, and until when.
//!
//! Beside the lower road: a command to isolate adds a hold, one to release ends the hold that it
//! names, and a lease that ran out ends its own, or stays, as was signed. The host is isolated while
//! there is a hold; what stays open is what *every* hold leaves open, so that one incident's opening
//! never undoes another's isolation (F-46).
//!
//! Pure: the clocks come in. What is kept of it survives a restart and a reboot ([`book`]).
//!
//! **Leases.** While the collector is heard, its clock judges and a lease ends when it was signed to.
//! While it is not, no lease ends before its signed maximum: whoever cuts the collector off gains
//! nothing. Time that this boot has seen is measured by BOOTTIME, which nobody sets.

pub mod book;

pub mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cordon_shared::{
    command::{
        Command,
        action::Network,
        scope::{Lease, LeaseEnd},
    },
    id::{BootId, CommandId, IncidentId},
    time::{ClockSample, Timestamp},
};

use super::verify::Times;

/// Holds at one time (chosen: more incidents than any host has).
pub const HOLDS_MAX: usize = 64;

/// One incident's claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// The incident that isolates.
    pub incident: Option<IncidentId>,
    /// The persons who have signed for it, by name; none when automation began it.
    pub holders: BTreeSet<String>,
    /// What stays open beside what always does.
    pub allowed: Vec<Network>,
    /// How long it lasts; for good when it has none.
    pub lease: Option<Lease>,
    /// When the lease began: by the collector's clock, as far as it was known.
    pub since: Timestamp,
    /// The same by the host's clocks.
    pub began: ClockSample,
    /// In which boot.
    pub boot: BootId,
    /// Whether its lease has ended and it stays.
    pub is_overdue: bool,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holds(BTreeMap<CommandId, Hold>);

/// There are [`HOLDS_MAX`] already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{HOLDS_MAX} holds are in force: end some first")]
pub struct Full;

/// What the clocks say, and whether the collector is heard.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// This boot.
    pub boot: BootId,
    /// Both clocks of the host.
    pub sample: ClockSample,
    /// The wall clocks.
    pub times: Times,
    /// Whether the collector was heard just now.
    pub is_heard: bool,
}

/// What the end of a lease asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// The hold ends.
    Release(CommandId),
    /// It stays, and people are called: once.
    Stay(CommandId),
}

impl Hold {
    /// The hold that a command begins.
    #[must_use]
    pub fn of(command: &Command, allowed: &[Network], now: &Now) -> Self {
        Self {
            incident: command.incident,
            holders: BTreeSet::new(),
            allowed: allowed.to_vec(),
            lease: command.lease,
            since: now.times.best(),
            began: now.sample,
            boot: now.boot,
            is_overdue: false,
        }
    }
}

impl Holds {
    /// Adds a hold, in place of one of the same command.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(&mut self, command: CommandId, hold: Hold) -> Result<(), Full> {
        if self.0.len() >= HOLDS_MAX && !self.0.contains_key(&command) {
            return Err(Full);
        }
        self.0.insert(command, hold);
        Ok(())
    }

    /// Ends a hold; says whether it was there.
    pub fn end(&mut self, command: CommandId) -> bool {
        self.0.remove(&command).is_some()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, command: CommandId) -> Option<&Hold> {
        self.0.get(&command)
    }

    /// Gives a hold another lease, from `now` on, and the persons who signed for that; says whether
    /// it was there.
    pub fn renew(
        &mut self,
        command: CommandId,
        lease: Lease,
        holders: &BTreeSet<String>,
        now: &Now,
    ) -> bool {
        let Some(hold) = self.0.get_mut(&command) else { return false };
        *hold = Hold {
            holders: hold.holders.union(holders).cloned().collect(),
            lease: Some(lease),
            since: now.times.best(),
            began: now.sample,
            boot: now.boot,
            is_overdue: false,
            ..hold.clone()
        };
        true
    }

    /// Notes that a lease has ended and its hold stays.
    pub fn stay(&mut self, command: CommandId) {
        if let Some(hold) = self.0.get_mut(&command) {
            hold.is_overdue = true;
        }
    }

    /// Whether there is none: the host is not isolated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with the command that began it.
    pub fn iter(&self) -> impl Iterator<Item = (CommandId, &Hold)> {
        self.0.iter().map(|(command, hold)| (*command, hold))
    }

    /// What every hold leaves open.
    #[must_use]
    pub fn allowed(&self) -> Vec<Network> {
        let mut holds = self.0.values();
        let Some(first) = holds.next() else { return Vec::new() };
        let both = |left: Vec<Network>, right: &Hold| {
            let pairs = left.iter().flat_map(|a| right.allowed.iter().map(|b| common(*a, *b)));
            let mut open: Vec<Network> = pairs.flatten().collect();
            open.dedup();
            open
        };
        holds.fold(first.allowed.clone(), both)
    }

    /// What is due now.
    #[must_use]
    pub fn due(&self, now: &Now) -> Vec<Due> {
        let due = |(command, hold): (&CommandId, &Hold)| {
            let lease = hold.lease.filter(|it| has_ended(hold, it, now))?;
            match lease.end {
                LeaseEnd::Release => Some(Due::Release(*command)),
                LeaseEnd::Hold if !hold.is_overdue => Some(Due::Stay(*command)),
                LeaseEnd::Hold => None,
            }
        };
        self.0.iter().filter_map(due).collect()
    }
}

fn has_ended(hold: &Hold, lease: &Lease, now: &Now) -> bool {
    match now.times.collector.filter(|_| now.is_heard) {
        Some(collector) => collector.since(hold.since) >= lease.duration,
        None => elapsed(hold, now) >= lease.duration_max.max(lease.duration),
    }
}

/// How long ago a lease began, as the host alone can tell.
fn elapsed(hold: &Hold, now: &Now) -> Duration {
    if hold.boot == now.boot {
        now.sample.boottime.since(hold.began.boottime)
    } else {
        now.sample.realtime.since(hold.began.realtime)
    }
}

/// What two networks share: the narrower, when the wider holds it.
fn common(one: Network, other: Network) -> Option<Network> {
    let (narrow, wide) =
        if one.prefix_bits >= other.prefix_bits { (one, other) } else { (other, one) };
    wide.holds(narrow.address).then_some(narrow)
}

#[cfg(test)]
mod tests;
