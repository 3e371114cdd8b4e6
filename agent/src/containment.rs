//! The lower road on this host: an order comes in, a receipt goes out.
//!
//! ```text
//! Delivery ─verify─▶ Command ─plan─▶ Plan ─journal─▶ intent on disk ─execute─▶ Report ─▶ signed receipt
//! ```
//!
//! It knows no network and no spool: deliveries, keyrings and the collector's clock come through
//! [`task::Request`], receipts leave as events through a channel, and both are bounded. One command is
//! handled at a time, in the order in which they came; one that was here before is answered from the
//! journal.
//!
//! CM-2 (an agent begins a command id at most once) is upheld in [`journal`], CT-2 (a plan never
//! touches the agent) in [`plan`].

pub mod host;

pub mod files;

pub mod firewall;

pub mod ledger;

pub mod hold;

pub mod link;

pub mod linux;

pub mod plan;

pub mod citation;

pub mod verify;

pub mod execute;

pub mod errand;

pub mod journal;

pub mod keyring;

mod entries;

mod respond;

mod recover;

mod isolate;

mod news;

pub mod task;

use std::{fmt, sync::Arc};

use cordon_shared::{
    crypto::signing::SigningKey,
    event::Event,
    id::{AgentId, BootId, CommandId},
    text::Text,
    time::{Boottime, Clock, Timestamp},
};

use self::{
    citation::Witness, errand::Errand, files::Files, hold::book::Book, host::Host,
    journal::Journal, keyring::Store, ledger::Ledger, link::Link, news::News,
};
use crate::snapshot::Kit;

/// What the local policy says; nothing remote can widen it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LocalPolicy {
    /// Whether commands are obeyed.
    pub mode: Mode,
    /// Executables whose processes are never touched: absolute paths.
    pub protected: Vec<Text>,
}

/// Whether commands are obeyed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are verified and planned, and reported as planned; nothing is done.
    Observe,
}

/// Who this agent is, and what it works with.
pub struct Parts {
    /// Its id.
    pub agent: AgentId,
    /// Its host's name.
    pub host_name: String,
    /// Its tier, as enrolment or the last welcome told it.
    pub host_tier: String,
    /// Whether a person has yet to approve it.
    pub is_held: bool,
    /// This boot.
    pub boot: BootId,
    /// Signs receipts.
    pub receipt_key: Arc<SigningKey>,
    /// What the local policy says.
    pub policy: LocalPolicy,
    /// The keyring's file; `None` while nothing is pinned.
    pub keyring: Option<Store>,
    /// What was begun and done.
    pub journal: Journal,
    /// Who holds this host isolated.
    pub book: Book,
    /// The door to processes.
    pub host: Box<dyn Host>,
    /// The door to files.
    pub files: Arc<dyn Files>,
    /// What was done to files, and what undoes it.
    pub ledger: Ledger,
    /// The door to the network.
    pub link: Box<dyn Link>,
    /// Takes snapshots.
    pub kit: Kit,
    /// The agent's memory of its own events.
    pub witness: Arc<dyn Witness>,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parts({}, {})", self.agent, self.host_name)
    }
}

/// The collector's clock, at one moment of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beacon {
    /// What the collector's clock showed.
    pub realtime: Timestamp,
    /// When that reached us.
    pub boottime: Boottime,
}

/// A receipt, as it leaves.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Of which command.
    pub command: CommandId,
    /// The receipt: critical lane.
    pub event: Event,
}

/// Verifies, plans, journals, executes and answers; see [`task`] for how it is driven.
#[derive(Debug)]
pub struct Containment {
    parts: Parts,
    beacon: Option<Beacon>,
    /// Whether the network was seen to be as it is meant to be since the start.
    is_tended: bool,
    /// Long works that nobody has begun yet.
    errands: Vec<Errand>,
    /// Long works that are not answered yet.
    under_way: usize,
    /// What happened to the network without a command, and was not told yet.
    news: News,
}

#[cfg(test)]
mod tests;
