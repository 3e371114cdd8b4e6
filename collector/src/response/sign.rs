//! Automation's signature: the one key that the collector holds.
//!
//! What is signed here is worth what the keyring says of automation's key: contain, gather, on the
//! ground of an event that the host itself saw, by a rule that a person armed, within totals that the
//! agent counts. A stolen collector has this key and gets no further.
//!
//! In comes an [`Order`], out go the signed bytes and one [`Delivery`] for each target. This module
//! decides nothing: what to order is decided elsewhere. It never sends, and knows no store.
//!
//! CM-1: nothing leaves here without signature, audience and expiry.

use std::time::Duration;

use cordon_shared::{
    command::{
        Command, Delivery,
        action::Action,
        scope::{Citation, Lease, Precondition},
        target::{Target, Tree},
    },
    crypto::signing::{PublicKey, SignedBytes, SigningKey},
    entropy::Entropy,
    error::{Classify, Kind},
    id::{AgentId, CommandId, IncidentId},
    limit,
    time::{Clock, Timestamp},
    wire,
};

/// How far before its issue a command becomes valid: an agent reckons our clock from a heartbeat,
/// which was on its way for a while (chosen: after so much silence an agent is gone).
const CLOCK_ALLOWANCE: Duration = limit::HEARTBEAT_DEAD;

/// An order as it was decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// For whom; names and tiers as the collector has them.
    pub targets: Vec<Target>,
    /// What to do.
    pub action: Action,
    /// What must be true of its operands.
    pub preconditions: Vec<Precondition>,
    /// The event that it rests on.
    pub citation: Citation,
    /// How long what it does lasts; `None` for what has no end, such as a kill.
    pub lease: Option<Lease>,
    /// How long it may be on its way: less than [`limit::COMMAND_LIFETIME_MAX`] by the allowance for
    /// clocks.
    pub lifetime: Duration,
    /// Plan and report, do nothing.
    pub is_dry_run: bool,
    /// For people and the audit log; at most 1,024 bytes.
    pub reason: String,
}

/// A command, signed, with what each of its targets is to be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Signed {
    /// Its name.
    pub command: CommandId,
    /// When it stops to be worth sending.
    pub expires: Timestamp,
    /// The signed bytes, the same for all.
    pub bytes: SignedBytes,
    /// By agent, in the order of the targets.
    pub deliveries: Vec<(AgentId, Delivery)>,
}

/// An order was not signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignError {
    /// It is for nobody, or for more than a command can name.
    #[error("targets must be 1..=1048576, not {0}")]
    Targets(usize),
    /// It would live too long, or not at all.
    #[error("lifetime must be above zero and at most 7 days")]
    Lifetime,
}

impl Classify for SignError {
    fn kind(&self) -> Kind {
        Kind::BadInput
    }
}

/// Holds automation's key.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// Takes the key.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// Its public half, for the keyring.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Signs an order: valid from now on, for its lifetime, for its targets and no others (CM-1).
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(
        &self,
        order: &Order,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Signed, SignError> {
        if order.lifetime.is_zero()
            || order.lifetime > limit::COMMAND_LIFETIME_MAX - CLOCK_ALLOWANCE
        {
            return Err(SignError::Lifetime);
        }
        let count = order.targets.len();
        let tree = Tree::new(order.targets.clone()).ok_or(SignError::Targets(count))?;
        let now = clock.now();
        let expires = now.saturating_add(order.lifetime);
        let command = Command {
            id: CommandId::random(clock, entropy),
            incident: order.incident,
            targets: tree.root(),
            issued: now,
            not_before: now.saturating_sub(CLOCK_ALLOWANCE),
            expires,
            lease: order.lease,
            preconditions: order.preconditions.clone(),
            supersedes: None,
            citation: Some(order.citation.clone()),
            overrides: Vec::new(),
            is_dry_run: order.is_dry_run,
            reason: order.reason.clone(),
            action: order.action.clone(),
        };
        let bytes = wire::command::sign(&command, &self.key);
        let deliver = |(agent, proof)| (agent, Delivery { signed: bytes.clone(), proof });
        let deliveries = tree.proofs().map(deliver).collect();
        Ok(Signed { command: command.id, expires, bytes, deliveries })
    }
}

#[cfg(test)]
mod tests;
