//! The agent's memory of its own recent events, for judging what a command cites.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use cordon_shared::{
    event::{Body, Event},
    id::{EventId, ProcessKey},
};

use crate::containment::citation::{Witness, Witnessed};

/// Events that are remembered (chosen: a minute, the oldest that may be cited, of a host that
/// launches and connects a hundred times a second).
const EVENTS_MAX: usize = 8_192;

#[derive(Debug, Default)]
struct Kept {
    order: VecDeque<EventId>,
    events: HashMap<EventId, Witnessed>,
}

/// The newest launches, connections and file changes with the process that each is about. A restart
/// forgets them: a command that cites one of them is refused, and a person is asked.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Kept>);

impl Memory {
    /// Keeps an event that is about a process.
    pub fn remember(&self, id: EventId, event: &Event) {
        let Some(process) = subject(&event.body) else { return };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.get(&event).copied()
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
mod tests {
    use cordon_shared::{
        id::{Epoch, EventId, EventSeq, Lane},
        test_support::{agent, samples},
    };

    use super::{EVENTS_MAX, Memory};
    use crate::containment::citation::Witness as _;

    fn id(seq: usize) -> EventId {
        let epoch = Epoch::from_u64(1).expect("not zero");
        let seq = EventSeq::from_u64(seq as u64 + 1).expect("at least 1");
        EventId { agent: agent(), epoch, lane: Lane::Critical, seq }
    }

    #[test]
    fn a_launch_is_remembered_until_newer_ones_push_it_out() {
        let launch = samples().remove(0);
        let memory = Memory::default();
        for seq in 0..=EVENTS_MAX {
            memory.remember(id(seq), &launch);
        }
        assert_eq!(memory.event(id(0)), None);
        let newest = memory.event(id(EVENTS_MAX)).expect("it is the newest");
        assert_eq!((newest.process.pid, newest.boottime), (4711, launch.boottime));
    }

    #[test]
    fn what_is_about_no_process_is_not_remembered() {
        let memory = Memory::default();
        let health = samples().into_iter().find(|it| it.body.name() == "health");
        memory.remember(id(0), &health.expect("there is a sample of every kind"));
        assert_eq!(memory.event(id(0)), None);
    }
}
