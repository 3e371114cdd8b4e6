//! A person's command → a row of the outbox, or the reason why not.
//!
//! On the lower road: between the API and the store, for what people sign; what automation signs
//! comes from the watch. It is checked here so that a slip shows at once and not on the host: the
//! agent checks it again, and its word alone counts. Pure.

use std::time::Duration;

use bytes::Bytes;
use cordon_shared::{
    command::{Command, Delivery, action::Action},
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
    /// Its time is over, or too far away.
    #[error("it must expire within 7 days, and not before now: look at this machine's clock")]
    Time,
}

impl Classify for Unadmitted {
    fn kind(&self) -> Kind {
        match self {
            Self::Form(_) | Self::Many | Self::Time | Self::Audience { .. } => Kind::BadInput,
            Self::Signature(error) => error.kind(),
            Self::Automation => Kind::Forbidden,
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
    let releases = if let Action::Release { hold } = &command.action { Some(*hold) } else { None };
    Ok(NewCommand {
        id: command.id,
        incident: command.incident,
        detection: None,
        agent: audience.agent,
        host: audience.host,
        action: command.action.name(),
        releases,
        summary: summary(&command, &persons),
        delivery: Bytes::copy_from_slice(delivery),
        expires: command.expires,
    })
}

/// What the audit log and the timeline say of it.
fn summary(command: &Command, persons: &[&str]) -> String {
    let what = if let Action::Kill(target) = &command.action {
        let whom = if target.is_tree { "the tree of pid" } else { "pid" };
        format!("kill {whom} {}", target.process.pid)
    } else if let Action::Release { hold } = &command.action {
        format!("release from {hold}")
    } else {
        command.action.name().to_owned()
    };
    let why = if command.reason.is_empty() { "" } else { ": " };
    format!("{what}, signed by {}{why}{}", persons.join(" and "), command.reason)
}

#[cfg(test)]
mod tests;
