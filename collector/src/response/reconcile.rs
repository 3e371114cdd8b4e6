//! What became of commands: receipts close them, and what no receipt closes expires (CM-3).
//!
//! On the upper road: a receipt comes in as an event; it is believed only when the agent's registered
//! receipt key signed it, it speaks for the agent whose certificate brought it, and it is about the
//! bytes that were sent. Everything else changes nothing, is counted, and is said once on the
//! incident's timeline.
//!
//! - **CM-3**: every issued command ends in one receipt or expires. A late receipt still counts: it
//!   says what happened on the host, and expiry only that nobody had said.

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    crypto::signing::{PublicKey, SignedBytes},
    digest::Sha256,
    event::receipt::Receipt,
    id::{AgentId, CommandId, EventId},
    time::{Clock, Timestamp},
    wire::{self, command::OpenError},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    incident::phase::{self, Deed, Trigger},
    metric::{self, Count},
    notice::Board,
    store::{Closing, CommandRow, NewEntry, Store, StoreError},
};

/// How long after a command's end its receipt is waited for (chosen: what an agent takes to
/// reconnect and drain its critical lane).
pub const RECEIPT_GRACE: Duration = Duration::from_secs(30);

/// How often the store is asked for commands whose time is over (chosen).
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Characters of what the store keeps in words of a receipt (chosen; the whole receipt is kept too).
const DETAIL_CHARS_MAX: usize = 1_024;

/// A receipt as an event brought it. Nothing of it is to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The event.
    pub event: EventId,
    /// When it was made, by the collector's clock.
    pub at: Timestamp,
    /// The signed receipt.
    pub signed: SignedBytes,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unproved {
    /// The agent's registered receipt key did not sign it, or it does not read.
    #[error("it was not signed by the agent's receipt key")]
    Signature(#[source] OpenError),
    /// It speaks for another agent.
    #[error("it speaks for agent {0}")]
    Stranger(AgentId),
    /// No such command was issued to this agent.
    #[error("command {0} was not issued to this agent")]
    Unknown(CommandId),
    /// It is about other bytes under the same name.
    #[error("it is about other bytes than were sent")]
    Bytes,
}

/// Opens a receipt that `from` brought and `key` must have signed.
///
/// # Errors
/// [`Unproved`].
pub fn prove(signed: &SignedBytes, from: AgentId, key: &PublicKey) -> Result<Receipt, Unproved> {
    let receipt = wire::receipt::open(signed, key).map_err(Unproved::Signature)?;
    if receipt.agent != from {
        return Err(Unproved::Stranger(receipt.agent));
    }
    Ok(receipt)
}

/// Whether a receipt is about a command as it was sent.
///
/// # Errors
/// [`Unproved::Unknown`] or [`Unproved::Bytes`].
pub fn match_up(receipt: &Receipt, command: &CommandRow) -> Result<(), Unproved> {
    if command.agent != receipt.agent || command.id != receipt.command {
        return Err(Unproved::Unknown(receipt.command));
    }
    let delivery = wire::command::decode_delivery(&command.delivery);
    let sent = delivery.map(|it| Sha256::of(&it.signed.payload));
    if sent == Ok(receipt.command_sha256) { Ok(()) } else { Err(Unproved::Bytes) }
}

/// Closes the command that a receipt is for. Gives the receipt when it closed one: a receipt that
/// comes twice closes nothing.
///
/// # Errors
/// [`StoreError`] of the database: give the same claim again.
pub async fn close(
    store: &Store,
    claim: &Claim,
    now: Timestamp,
) -> Result<Option<Receipt>, StoreError> {
    let from = claim.event.agent;
    let agent = match store.agent(from).await {
        Ok(agent) => agent,
        // A restored backup has forgotten it, and with it its receipt key.
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let receipt = match prove(&claim.signed, from, &agent.receipt_key) {
        Ok(receipt) => receipt,
        Err(why) => return refuse(store, claim, &why, now).await,
    };
    let command = match store.command(receipt.command).await {
        Ok(command) => command,
        Err(StoreError::NotFound { .. }) => {
            return refuse(store, claim, &Unproved::Unknown(receipt.command), now).await;
        }
        Err(error) => return Err(error),
    };
    if let Err(why) = match_up(&receipt, &command) {
        return refuse(store, claim, &why, now).await;
    }
    let closing = Closing {
        id: receipt.command,
        agent: from,
        verdict: receipt.verdict.as_str(),
        detail: detail(&receipt),
        ended: claim.at,
        receipt: wire::signed::encode(&claim.signed),
        event: claim.event,
    };
    // What a sweep finds is not gone, whatever was closed before.
    let trigger = match (command.action.as_str(), receipt.findings.is_empty()) {
        ("sweep", false) => Trigger::Hit,
        (action, _) => Trigger::Answered(Deed::of(action), receipt.verdict),
    };
    if !store.close_command(&closing, now, |it| phase::next(it, trigger)).await? {
        return Ok(None);
    }
    metric::commands_closed(closing.verdict);
    metric::Time::Command.note(now.since(command.issued));
    info!(command = %closing.id, agent = %from, "a command is closed: {}", closing.verdict);
    Ok(Some(receipt))
}

/// Records that a receipt proves nothing: once for each command, so that an agent gone bad cannot
/// fill a timeline.
async fn refuse(
    store: &Store,
    claim: &Claim,
    why: &Unproved,
    now: Timestamp,
) -> Result<Option<Receipt>, StoreError> {
    Count::BadReceipts.add(1);
    let agent = claim.event.agent;
    warn!(%agent, event = %claim.event, "a receipt proves nothing: {why}");
    let Ok(said) = wire::receipt::peek(&claim.signed) else { return Ok(None) };
    let command = match store.command(said.command).await {
        Ok(command) => command,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    // Others' commands are none of this agent's business, nor their timelines.
    if let Some(incident) = command.incident.filter(|_| command.agent == agent) {
        let entry = NewEntry {
            at: claim.at,
            recorded: now,
            kind: "bad_receipt",
            actor: "collector".to_owned(),
            text: format!("a receipt proves nothing: {why}"),
            object: format!("command {}", command.id),
        };
        store.note_once(incident, &entry).await?;
    }
    Ok(None)
}

/// What a receipt says, in one sentence: what is open and what was refused belong to it.
fn detail(receipt: &Receipt) -> String {
    let mut detail = receipt.detail.clone();
    if let Some(refusal) = receipt.refusal {
        detail = format!("{}: {detail}", refusal.as_str());
    }
    if !receipt.open.is_empty() {
        detail = format!("{detail}; open: {}", receipt.open.join(", "));
    }
    detail.chars().take(DETAIL_CHARS_MAX).collect()
}

/// Lets commands expire whose receipts did not come, until told to stop (CM-3).
pub async fn expire(store: Store, board: Board, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // Both are cancel-safe.
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => (),
        }
        let now = clock.now();
        match store.expire_commands(now.saturating_sub(RECEIPT_GRACE), now).await {
            Ok(expired) => {
                for id in expired {
                    metric::commands_closed("expired");
                    warn!(command = %id, "a command expired: no receipt came in time");
                    let id = id.to_string();
                    let json = serde_json::json!({ "command_id": id, "state": "expired" });
                    board.post("command", json.to_string());
                }
            }
            Err(error) => {
                Count::StoreFailures.add(1);
                warn!("failed to look for old commands, which is tried again: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
