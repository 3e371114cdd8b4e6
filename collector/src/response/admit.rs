//! A person's command → a row of the outbox, or the reason why not.
//!
//! On the lower road: between the API and the store, for what people sign; what automation signs
//! comes from the watch. It is checked here so that a slip shows at once and not on the host: the
//! agent checks it again, and its word alone counts. Pure.

mod summary;

use std::time::Duration;

use bytes::Bytes;
use cordon_shared::{
    command::{Command, Delivery, action::Action, scope::LeaseEnd},
    error::{Classify, Kind},
    id::{AgentId, HostId},
    keyring::{Keyring, key::Role},
    limit,
    time::Timestamp,
    wire::{
        WireError,
        command::{self as words, OpenError},
    },
};

use crate::store::NewCommand;

/// A command is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unadmitted {
    /// It is no delivery.
    #[error(transparent)]
    Form(#[from] WireError),
    /// No key of the keyring in force signed it.
    #[error("it does not open with the keyring that is installed")]
    Signature(#[from] OpenError),
    /// No person signed it.
    #[error("a person must sign: automation's orders are the collector's own")]
    Automation,
    /// It is for another agent, or the host has another name or tier than the person saw.
    #[error("it is not for this agent: it was signed for `{name}` of tier `{tier}`")]
    Audience {
        /// The name.
        name: String,
        /// The tier.
        tier: String,
    },
    /// It is for many hosts.
    #[error("one host at a time: sign a command for each")]
    Many,
    /// One person may not order it alone.
    #[error("the host would refuse it: {0}")]
    Signers(&'static str),
    /// Its time is over, or too far away.
    #[error("it must expire within 7 days, and not before now: look at this machine's clock")]
    Time,
}

impl Classify for Unadmitted {
    fn kind(&self) -> Kind {
        match self {
            Self::Form(_) | Self::Many | Self::Time | Self::Audience { .. } => Kind::BadInput,
            Self::Signature(error) => error.kind(),
            Self::Automation | Self::Signers(_) => Kind::Forbidden,
        }
    }
}

/// For whom a command is, as the store has it.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// The agent.
    pub agent: AgentId,
    /// Its machine.
    pub host: HostId,
    /// The machine's name.
    pub name: &'a str,
    /// Its tier.
    pub tier: &'a str,
}

/// Takes an encoded delivery.
///
/// # Errors
/// [`Unadmitted`].
pub fn admit(
    delivery: &[u8],
    audience: Audience<'_>,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<NewCommand, Unadmitted> {
    let Delivery { signed, proof } = words::decode_delivery(delivery)?;
    let keys = keyring.keys(now);
    let trusted: Vec<_> = keys.iter().map(|it| it.public).collect();
    let opened = words::open(&signed, &trusted)?;
    let signers = keys.iter().filter(|it| opened.signers.contains(&it.public));
    let mut persons: Vec<&str> =
        signers.filter(|it| it.role != Role::Automation).map(|it| it.holder.as_str()).collect();
    persons.sort_unstable();
    persons.dedup();
    if persons.is_empty() {
        return Err(Unadmitted::Automation);
    }
    let command = opened.command;
    let is_for_it = proof.holds(audience.agent, &command.targets)
        && proof.host_name == audience.name
        && proof.host_tier == audience.tier;
    if !is_for_it {
        return Err(Unadmitted::Audience { name: proof.host_name, tier: proof.host_tier });
    }
    if command.targets.count > 1 {
        return Err(Unadmitted::Many);
    }
    let left: Duration = command.expires.since(now);
    if left.is_zero() || left > limit::COMMAND_LIFETIME_MAX {
        return Err(Unadmitted::Time);
    }
    if persons.len() < 2 {
        alone(&command)?;
    }
    let releases = if let Action::Release { hold } = &command.action { Some(*hold) } else { None };
    Ok(NewCommand {
        id: command.id,
        incident: command.incident,
        detection: None,
        agent: audience.agent,
        host: audience.host,
        action: command.action.name(),
        releases,
        summary: summary::of(&command, &persons),
        delivery: Bytes::copy_from_slice(delivery),
        expires: command.expires,
    })
}

/// What the agent would not obey of one person: said here, before it is sent.
fn alone(command: &Command) -> Result<(), Unadmitted> {
    let is_long = |it: Duration| it > limit::LEASE_SINGLE_MAX;
    match &command.lease {
        Some(lease) if lease.end == LeaseEnd::Hold => {
            Err(Unadmitted::Signers("two persons sign for what stays at the end of its lease"))
        }
        Some(lease) if is_long(lease.duration) => {
            Err(Unadmitted::Signers("two persons sign for a lease of more than 60 minutes"))
        }
        None if matches!(command.action, Action::Isolate { .. } | Action::Block(_)) => {
            Err(Unadmitted::Signers("two persons sign for what has no lease"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
