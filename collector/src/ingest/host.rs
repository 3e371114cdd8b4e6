//! Which machine is behind which agent: what an arrival carries along for lake and detection.
//!
//! Beside the road: filled from the store at start and by each hello; read once per batch. It is
//! what people see beside an event, never an identity.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use cordon_shared::{
    arrival::Host,
    id::{AgentId, HostId},
};

/// The machines behind the agents.
#[derive(Debug, Default)]
pub struct Hosts(RwLock<HashMap<AgentId, Arc<Host>>>);

impl Hosts {
    /// Sets what is known of an agent's machine.
    pub fn set(&self, agent: AgentId, host: Host) {
        let mut hosts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match hosts.get(&agent) {
            Some(known) if **known == host => (),
            Some(_) | None => drop(hosts.insert(agent, Arc::new(host))),
        }
    }

    /// The machine behind an agent. One that the store has forgotten (a restored backup) gets the
    /// agent's own id for a name, so that its events are kept.
    ///
    /// # Panics
    /// Never: an agent's id is no more all zero than a host's.
    #[must_use]
    pub fn get(&self, agent: AgentId) -> Arc<Host> {
        let hosts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&agent) {
            return Arc::clone(host);
        }
        let id = HostId::from_slice(agent.as_bytes()).expect("an agent's id is not all zero");
        Arc::new(Host { id, name: agent.to_string(), os: String::new() })
    }
}
