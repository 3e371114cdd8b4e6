//! One event on its way into a row, and the uids of the processes that it names.

use std::{cell::RefCell, collections::HashMap};

use super::Context;
use crate::{
    event::Event,
    id::{AgentId, BootId, ProcessKey, ProcessUid},
    time::{Boottime, Timestamp},
};

/// Processes whose uid is remembered: more than a batch of 256 events names (chosen). When there
/// are more, all are forgotten.
const UIDS_MAX: usize = 4_096;

/// An event, whom it came from, and what is remembered of others.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) event: &'a Event,
    pub(super) context: &'a Context<'a>,
    pub(super) uids: &'a Uids,
}

impl Row<'_> {
    /// The name of a process in the world.
    pub(super) fn uid(&self, key: ProcessKey) -> ProcessUid {
        let mut known = self.uids.known.borrow_mut();
        if known.len() >= UIDS_MAX {
            known.clear();
        }
        let Context { agent, boot, .. } = *self.context;
        *known.entry(key).or_insert_with(|| key.uid(agent, boot))
    }

    /// When something happened, by the clock that the event's own time is told by.
    pub(super) fn time_of(&self, boottime: Boottime) -> Timestamp {
        let at = |it: Boottime| i64::try_from(it.as_ns()).unwrap_or(i64::MAX);
        let later_ns = at(boottime).saturating_sub(at(self.event.boottime));
        Timestamp::from_ns(self.context.time.as_ns().saturating_add(later_ns))
    }
}

/// The uids of the processes of one boot.
#[derive(Debug, Default)]
pub(super) struct Uids {
    of: Option<(AgentId, BootId)>,
    known: RefCell<HashMap<ProcessKey, ProcessUid>>,
}

impl Uids {
    /// What follows is about this boot of this agent's host.
    pub(super) fn begin(&mut self, agent: AgentId, boot: BootId) {
        if self.of.replace((agent, boot)) != Some((agent, boot)) {
            self.known.get_mut().clear();
        }
    }
}
