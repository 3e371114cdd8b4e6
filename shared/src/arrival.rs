//! A batch on the collector: opened, checked, with what the collector adds to it.
//!
//! Ingest makes it after the journal took the batch; lake and detection read it at their own pace.

use std::sync::Arc;

use crate::{
    batch::{Contents, Header},
    event::Event,
    id::{AgentId, BootId, EventId, HostId},
    time::{Boottime, Timestamp},
};

/// The machine behind an agent, as the collector knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// The record of the machine.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Operating system, as it calls itself.
    pub os: String,
}

/// One batch as the collector has it.
#[derive(Clone, PartialEq, Debug)]
pub struct Arrival {
    /// Its place in this collector's journal; rises by one with each batch.
    pub position: u64,
    /// Who sent it: from the certificate.
    pub agent: AgentId,
    /// The machine behind the agent.
    pub host: Arc<Host>,
    /// When it came.
    pub received: Timestamp,
    /// What the collector's wall clock showed when the host booted: corrected time is this plus the
    /// event's boottime.
    pub boot_epoch: Timestamp,
    /// Whether `boot_epoch` was measured on the session; else it is what the host believed.
    pub is_corrected: bool,
    /// Lane, epoch, numbers.
    pub header: Header,
    /// The events.
    pub contents: Arc<Contents>,
}

impl Arrival {
    /// The boot of the host during which the events happened.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.contents.origin.boot
    }

    /// When an event happened, by the collector's clock.
    #[must_use]
    pub fn corrected(&self, boottime: Boottime) -> Timestamp {
        let ns = i64::try_from(boottime.as_ns()).unwrap_or(i64::MAX);
        Timestamp::from_ns(self.boot_epoch.as_ns().saturating_add(ns))
    }

    /// The events with their names, in number order.
    pub fn events(&self) -> impl Iterator<Item = (EventId, &Event)> {
        let events = self.contents.events.iter().enumerate();
        events.filter_map(|(index, event)| Some((self.header.event_id(self.agent, index)?, event)))
    }
}
