//! Who is connected: the way from the rest of the collector to a live stream.
//!
//! On the lower road: signed commands come in through [`Registry::send`], and go to the session of
//! the agent that they name; beside it: revocations and keyrings go to sessions, what sessions know
//! of their agents comes out as a list.
//!
//! One identity, one stream: a hello with the same boot id replaces the older stream (a reconnect
//! or a restart); one with another boot id stays beside it (F-17): telemetry of both goes on, and
//! commands to both wait for a person. Whether the two are rivals, or the older one is a dead host
//! that has booted again, shows when the older one speaks once more.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cordon_proto::v1;
use cordon_shared::{
    error::{Classify, Kind},
    id::{AgentId, BootId},
    time::Timestamp,
};
use tokio::sync::{mpsc, watch};

use crate::metric::Level;

/// Orders that wait for one session (F-24): an agent that does not read costs nobody else.
const ORDERS_MAX: usize = 32;

/// Live streams of one identity: the one, its successor, and rivals enough to be sure.
const STREAMS_MAX: usize = 4;

/// What a session is told to do.
#[derive(Debug)]
pub enum Order {
    /// Take this to the agent.
    Command(Box<v1::CommandDelivery>),
    /// Say goodbye and end.
    End(v1::GoodbyeReason),
}

/// A command did not reach a session.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SendError {
    /// No live stream: send again when it is back.
    #[error("agent {0} is not connected")]
    Away(AgentId),
    /// The agent does not take what it is sent: send again later.
    #[error("agent {0} is slow to take commands")]
    Slow(AgentId),
    /// Two hosts show the same identity: a person must say which is meant.
    #[error("agent {0} is connected from two hosts at once")]
    Rivals(AgentId),
}

impl Classify for SendError {
    fn kind(&self) -> Kind {
        match self {
            Self::Away(_) => Kind::Unavailable,
            Self::Slow(_) => Kind::Busy,
            Self::Rivals(_) => Kind::Conflict,
        }
    }
}

/// A connected agent, as the lists show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connected {
    /// Who.
    pub agent: AgentId,
    /// Which boot of its host.
    pub boot: BootId,
    /// From where.
    pub source: IpAddr,
    /// Since when.
    pub since: Timestamp,
    /// When it last spoke.
    pub last_seen: Timestamp,
}

/// Names one stream among all that this process ever had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamId(u64);

#[derive(Debug)]
struct Live {
    id: StreamId,
    connected: Connected,
    orders: mpsc::Sender<Order>,
    /// A stream with another boot id that came later.
    rival: Option<(BootId, IpAddr)>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<AgentId, Vec<Live>>,
    next: u64,
}

/// Who is connected.
#[derive(Debug)]
pub struct Registry {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: watch::channel(0).0 }
    }
}

/// What a stream gets when it is registered; given back with [`Registry::leave`].
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub id: StreamId,
    /// Its orders.
    pub orders: mpsc::Receiver<Order>,
}

impl Registry {
    /// Registers a stream, and ends the older one with the same boot id. Nothing when the identity
    /// has too many streams already.
    #[must_use]
    pub fn enter(&self, connected: Connected) -> Option<Entry> {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        let mut state = self.lock();
        let id = StreamId(state.next);
        state.next += 1;
        let streams = state.streams.entry(connected.agent).or_default();
        let boot = connected.boot;
        if let Some(at) = streams.iter().position(|it| it.connected.boot == boot) {
            let replaced = streams.remove(at);
            // One that has no room for the order ends when its orders are dropped here.
            drop(replaced.orders.try_send(Order::End(v1::GoodbyeReason::Replaced)));
        }
        if streams.len() >= STREAMS_MAX {
            return None;
        }
        for older in streams.iter_mut() {
            older.rival = Some((boot, connected.source));
        }
        streams.push(Live { id, connected, orders: sender, rival: None });
        drop(state);
        self.changed();
        Some(Entry { id, orders })
    }

    /// Notes that a stream has spoken. Tells of the rival, once, when another boot of the same
    /// identity came after it: both are alive.
    pub fn spoke(&self, agent: AgentId, id: StreamId, at: Timestamp) -> Option<(BootId, IpAddr)> {
        let mut state = self.lock();
        let live = state.streams.get_mut(&agent)?.iter_mut().find(|it| it.id == id)?;
        live.connected.last_seen = at;
        live.rival.take()
    }

    /// Takes a stream out.
    pub fn leave(&self, agent: AgentId, id: StreamId) {
        let mut state = self.lock();
        if let Some(streams) = state.streams.get_mut(&agent) {
            streams.retain(|it| it.id != id);
            if streams.is_empty() {
                state.streams.remove(&agent);
            }
        }
        drop(state);
        self.changed();
    }

    /// Hands a signed command to the agent's session.
    ///
    /// # Errors
    /// [`SendError`]: the command stays with the caller, which sends it again.
    pub fn send(&self, agent: AgentId, command: v1::CommandDelivery) -> Result<(), SendError> {
        let state = self.lock();
        match state.streams.get(&agent).map(Vec::as_slice) {
            None | Some([]) => Err(SendError::Away(agent)),
            Some([live]) => match live.orders.try_send(Order::Command(Box::new(command))) {
                Ok(()) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => Err(SendError::Slow(agent)),
                Err(mpsc::error::TrySendError::Closed(_)) => Err(SendError::Away(agent)),
            },
            Some(_) => Err(SendError::Rivals(agent)),
        }
    }

    /// Ends all streams of an agent (F-16). A stream whose orders are full ends because its orders
    /// end.
    pub fn cut(&self, agent: AgentId) {
        let streams = self.lock().streams.remove(&agent).unwrap_or_default();
        for live in &streams {
            drop(live.orders.try_send(Order::End(v1::GoodbyeReason::Revoked)));
        }
        self.changed();
    }

    /// Who is connected, in no order.
    #[must_use]
    pub fn connected(&self) -> Vec<Connected> {
        let state = self.lock();
        state.streams.values().flatten().map(|it| it.connected.clone()).collect()
    }

    /// Whether an agent has a live stream.
    #[must_use]
    pub fn is_connected(&self, agent: AgentId) -> bool {
        self.lock().streams.contains_key(&agent)
    }

    /// How many agents have a live stream.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().streams.len()
    }

    /// Changes with each stream that comes or goes: what wakes those who have something to send.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        Level::ConnectedAgents.set(u64::try_from(self.count()).unwrap_or(u64::MAX));
        self.changes.send_modify(|it| *it = it.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
