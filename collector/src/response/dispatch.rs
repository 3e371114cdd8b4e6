//! The outbox: hands signed commands to the sessions of their agents until each has them.
//!
//! On the lower road: rows of the store's outbox come in, deliveries go to the gateway's registry. It
//! is woken by new commands, by agents that connect and by what agents say they have; what was sent
//! and not seen is sent again after [`RESEND_AFTER`]. It decides nothing and signs nothing.
//!
//! - **CM-1**: no command leaves without signature, audience and expiry: [`fit`] stands before every
//!   delivery, also of one that was signed by an earlier release or came with a restored backup.
//!
//! A command may arrive twice: the agent knows it by its id (CM-2).

use std::{collections::HashMap, sync::Arc, time::Duration};

use cordon_shared::{
    command::Delivery,
    crypto::signing::PublicKey,
    id::{AgentId, CommandId},
    time::{Clock, Timestamp},
    wire::{
        WireError,
        command::{self as words, OpenError},
    },
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::ring::Ring;
use crate::{
    gateway::{
        registry::{Registry, SendError},
        seen::CommandSeen,
    },
    metric::Count,
    store::{Due, Store, StoreError, Tried},
};

/// Commands that are sent at once, between two looks at what else has come (chosen).
const DUE_ROWS: u32 = 64;

/// How often the outbox is looked at when nothing wakes us (chosen: what becomes due by time alone
/// waits at most so long).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A command that was sent and not seen is sent again after so long (chosen: a heartbeat).
pub const RESEND_AFTER: Duration = Duration::from_secs(3);

/// One that was seen is sent again, for the receipt, after so long (chosen: what a large tree takes
/// to be killed, and a spool that is behind to drain).
pub const RECEIPT_WAIT: Duration = Duration::from_secs(30);

/// An agent that is away is waited for; it is looked for all the same after so long (chosen).
const AWAY_WAIT: Duration = Duration::from_secs(30);

/// An agent that does not take what it is sent is tried again after so long (chosen).
const SLOW_WAIT: Duration = Duration::from_secs(1);

/// What may not leave is looked at again after so long: a keyring may make it fit (chosen).
const UNFIT_WAIT: Duration = Duration::from_secs(60);

/// Why a command does not leave.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    /// It is no delivery.
    #[error(transparent)]
    Form(#[from] WireError),
    /// No key of the keyring in force signed it.
    #[error(transparent)]
    Signature(#[from] OpenError),
    /// It is another command than its row says.
    #[error("the delivery holds command {0}")]
    Other(CommandId),
    /// It is not for this agent.
    #[error("the agent is not among the targets")]
    Audience,
    /// Its time is over.
    #[error("it expired {0}")]
    Expired(Timestamp),
}

/// What may leave: signed by a key of the keyring, for this agent, and not expired (CM-1).
///
/// # Errors
/// [`Unfit`] names what is missing.
pub fn fit(due: &Due, trusted: &[PublicKey], now: Timestamp) -> Result<Delivery, Unfit> {
    let delivery = words::decode_delivery(&due.delivery)?;
    let command = words::open(&delivery.signed, trusted)?.command;
    if command.id != due.id {
        return Err(Unfit::Other(command.id));
    }
    if !delivery.proof.holds(due.agent, &command.targets) {
        return Err(Unfit::Audience);
    }
    if now >= command.expires {
        return Err(Unfit::Expired(command.expires));
    }
    Ok(delivery)
}

/// The task.
#[derive(Debug)]
pub struct Dispatch {
    store: Store,
    registry: Arc<Registry>,
    seen: mpsc::Receiver<CommandSeen>,
    wake: Arc<Notify>,
    ring: Ring,
    clock: Arc<dyn Clock>,
    /// Since when each agent has been connected, as far as its commands were hastened.
    met: HashMap<AgentId, Timestamp>,
}

impl Dispatch {
    /// Over this store's outbox; `wake` is notified when a command was added to it.
    #[must_use]
    pub fn new(
        (store, ring): (Store, Ring),
        registry: Arc<Registry>,
        seen: mpsc::Receiver<CommandSeen>,
        wake: Arc<Notify>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, registry, seen, wake, ring, clock, met: HashMap::new() }
    }

    /// Sends until told to stop; what is then not sent is sent by the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.registry.changes();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let wake = Arc::clone(&self.wake);
        loop {
            // All are cancel-safe: a token, a receiver, a permit that is kept, a watch, a tick.
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(seen) = self.seen.recv() => self.note(seen).await,
                () = wake.notified() => self.send_due().await,
                Ok(()) = changes.changed() => self.meet_and_send().await,
                _ = ticks.tick() => self.meet_and_send().await,
            };
            if let Err(error) = done {
                Count::StoreFailures.add(1);
                warn!("failed to work on the outbox, which is tried again: {error}");
            }
        }
    }

    /// An agent has a command in its journal: it is not sent again, unless its receipt stays away.
    async fn note(&self, seen: CommandSeen) -> Result<(), StoreError> {
        let due = seen.at.saturating_add(RECEIPT_WAIT);
        self.store.command_seen(seen.agent, seen.command, seen.at, due).await
    }

    async fn meet_and_send(&mut self) -> Result<(), StoreError> {
        self.meet().await?;
        self.send_due().await
    }

    /// What waits for agents that have connected since is due now.
    async fn meet(&mut self) -> Result<(), StoreError> {
        let connected = self.registry.connected();
        let now: HashMap<_, _> = connected.into_iter().map(|it| (it.agent, it.since)).collect();
        let is_new = |agent: &AgentId| {
            now.get(agent).is_some_and(|since| self.met.get(agent) != Some(since))
        };
        let at = self.clock.now();
        let mut back = self.store.waiting_agents(at).await?;
        back.retain(is_new);
        if !back.is_empty() {
            self.store.hasten_commands(&back, at).await?;
        }
        self.met = now;
        Ok(())
    }

    /// Hands out everything that is due.
    async fn send_due(&mut self) -> Result<(), StoreError> {
        loop {
            let now = self.clock.now();
            let due = self.store.due_commands(now, DUE_ROWS).await?;
            if due.is_empty() {
                return Ok(());
            }
            let keyring = self.ring.current().await?;
            let keys = keyring.iter().flat_map(|it| it.keys(now)).map(|it| it.public);
            let trusted: Vec<_> = keys.collect();
            let tried: Vec<_> = due.iter().map(|it| self.send(it, &trusted, now)).collect();
            self.store.tried_commands(&tried, now).await?;
        }
    }

    /// Tries one delivery.
    fn send(&self, due: &Due, trusted: &[PublicKey], now: Timestamp) -> Tried {
        let (id, agent) = (due.id, due.agent);
        let tried = |is_sent, wait| Tried { id, is_sent, due: now.saturating_add(wait) };
        let delivery = match fit(due, trusted, now) {
            Ok(delivery) => delivery,
            Err(Unfit::Expired(at)) => {
                debug!(command = %id, "a command expired {at} before its agent had it");
                return tried(false, UNFIT_WAIT);
            }
            Err(error) => {
                Count::UnfitCommands.add(1);
                error!(command = %id, %agent, "a command does not leave: {error}");
                return tried(false, UNFIT_WAIT);
            }
        };
        match self.registry.send(agent, words::delivery_to(&delivery)) {
            Ok(()) => {
                info!(command = %id, %agent, attempt = due.attempts + 1, "a command was sent");
                tried(true, RESEND_AFTER)
            }
            Err(SendError::Away(_)) => tried(false, AWAY_WAIT),
            Err(SendError::Slow(_)) => tried(false, SLOW_WAIT),
            Err(error @ SendError::Rivals(_)) => {
                warn!(command = %id, "a command waits: {error}");
                tried(false, AWAY_WAIT)
            }
        }
    }
}

#[cfg(test)]
mod tests;
