//! The command: one signed, typed order to one or many agents.
//!
//! ```text
//! Command ──sign──▶ SignedBytes ─┬─▶ Delivery to agent A, with A's place among the targets
//!                                └─▶ Delivery to agent B …
//! ```
//!
//! The set of actions is closed: there is no shell, no script, no generic exec. A command says whom
//! it is for ([`target`]), from when until when, how long what it does lasts ([`scope`]), and what it
//! rests on. It cannot be executed: an agent verifies it and makes a plan of its own.

pub mod action;

mod network;

pub mod scope;

pub mod target;

use self::{
    action::Action,
    scope::{Citation, Lease, Override, Precondition},
    target::{Proof, Targets},
};
use crate::{
    crypto::signing::{PublicKey, SignedBytes},
    digest::Sha256,
    id::{CommandId, IncidentId},
    time::Timestamp,
};

/// One order.
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    /// Its name; remembered by agents until it expires, so that it is obeyed at most once.
    pub id: CommandId,
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// Whom it is for.
    pub targets: Targets,
    /// When it was written.
    pub issued: Timestamp,
    /// Nothing is done before.
    pub not_before: Timestamp,
    /// Nothing is begun from then on.
    pub expires: Timestamp,
    /// How long what it does lasts.
    pub lease: Option<Lease>,
    /// What must be true of its operands.
    pub preconditions: Vec<Precondition>,
    /// The command that it takes the place of.
    pub supersedes: Option<CommandId>,
    /// What automation saw.
    pub citation: Option<Citation>,
    /// Which refusals the person has thought about.
    pub overrides: Vec<Override>,
    /// Plan and report, do nothing.
    pub is_dry_run: bool,
    /// For people and the audit log.
    pub reason: String,
    /// What to do.
    pub action: Action,
}

/// A command on its way to one agent. Nothing of it is to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The command as it was signed.
    pub signed: SignedBytes,
    /// Why this agent is among those meant.
    pub proof: Proof,
}

/// A command whose signatures were checked; whether its signers may is judged by the agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened {
    /// The command.
    pub command: Command,
    /// Who signed it, of those trusted; never empty.
    pub signers: Vec<PublicKey>,
    /// SHA-256 of the payload as it came.
    pub payload_sha256: Sha256,
}
