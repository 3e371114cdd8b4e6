//! The agent's memory of its own recent events, for judging what a command cites.
//!
//! A restart refills it from the newest batches in the spool, acknowledged or not: an event that was
//! sealed just before `kill -9` can still be cited afterwards. What was trimmed meanwhile is
//! forgotten: a command that cites it is refused, and a person is asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use cordon_shared::{
    batch::Sealed,
    event::{Body, Event},
    id::{AgentId, BootId, EventId, Lane, ProcessKey},
    limit,
    time::Boottime,
};
use tracing::warn;

use crate::{
    containment::citation::{Witness, Witnessed},
    spool::Spool,
};

/// Events of a lane that are remembered (chosen: a minute, the oldest that may be cited, of a host
/// that launches or connects a hundred times a second).
const EVENTS_MAX: usize = 8_192;

#[derive(Debug, Default)]
struct Kept {
    order: VecDeque<EventId>,
    events: HashMap<EventId, Witnessed>,
}

/// The newest launches, connections and file changes with the process that each is about. Each lane
/// has its own, so that a flood of files pushes no launch out.
#[derive(Debug, Default)]
pub struct Memory(Mutex<[Kept; 3]>);

/// Whose events, of which boot, and what the time is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) agent: AgentId,
    pub(super) boot: BootId,
    pub(super) now: Boottime,
}

impl Memory {
    /// Remembers what the spool's newest batches hold, as far as it may still be cited.
    pub(super) fn refill(&self, spool: &Spool, own: Own) {
        for lane in Lane::ALL {
            match spool.newest(lane, EVENTS_MAX) {
                Ok(batches) => batches.iter().for_each(|it| self.recall(it, own)),
                Err(error) => warn!("failed to read what happened before the start: {error}"),
            }
        }
    }

    fn recall(&self, batch: &Sealed, own: Own) {
        // What does not open is told of when it is leased.
        let Ok(contents) = batch.open() else { return };
        if contents.origin.boot != own.boot {
            return;
        }
        for (index, event) in contents.events.iter().enumerate() {
            let is_recent = own.now.since(event.boottime) <= limit::CITATION_AGE_MAX;
            if let (true, Some(id)) = (is_recent, batch.header().event_id(own.agent, index)) {
                self.remember(id, event);
            }
        }
    }

    /// Keeps an event that is about a process.
    pub fn remember(&self, id: EventId, event: &Event) {
        let Some(process) = subject(&event.body) else { return };
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut lanes[id.lane.index()];
        if kept.order.len() >= EVENTS_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.events.remove(&oldest);
        }
        kept.order.push_back(id);
        kept.events.insert(id, Witnessed { process, boottime: event.boottime });
    }
}

impl Witness for Memory {
    fn event(&self, event: EventId) -> Option<Witnessed> {
        let lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes[event.lane.index()].events.get(&event).copied()
    }
}

fn subject(body: &Body) -> Option<ProcessKey> {
    match body {
        Body::ProcessLaunch(it) => Some(it.process.key),
        Body::CredentialChange(it) => Some(it.process.key),
        Body::Ptrace(it) => Some(it.tracer.key),
        Body::FileChange(it) => it.actor.as_ref().map(|it| it.key),
        Body::Connection(it) => it.actor.as_ref().map(|it| it.key),
        Body::ProcessExit(_)
        | Body::Mount(_)
        | Body::Listen(_)
        | Body::DnsQuery(_)
        | Body::KernelLoad(_)
        | Body::LoginSession(_)
        | Body::LogRecord(_)
        | Body::Receipt(_)
        | Body::Health(_)
        | Body::Loss(_) => None,
    }
}

#[cfg(test)]
mod tests;
