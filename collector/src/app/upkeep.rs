//! What is done now and then: who spoke goes to the store, rate limits forget, hosts are known.

use std::{sync::Arc, time::Duration};

use cordon_shared::arrival::Host;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    gateway::{admission::Admission, registry::Registry},
    ingest::host::Hosts,
    metric::Count,
    store::{PAGE_ROWS_MAX, Page, Store, StoreError},
};

/// How often (chosen: the age that `cordon host list` may show wrongly).
const EVERY: Duration = Duration::from_secs(15);

/// Reads the machines of all agents.
pub(super) async fn load_hosts(store: &Store, hosts: &Hosts) -> Result<(), StoreError> {
    let mut page = Page { before: None, rows_max: PAGE_ROWS_MAX };
    loop {
        let agents = store.agents(&page).await?;
        let Some(last) = agents.last() else { return Ok(()) };
        page.before = Some(last.id.to_string());
        for agent in agents {
            let facts = agent.host.facts;
            hosts.set(agent.id, Host { id: agent.host.id, name: facts.name, os: facts.os });
        }
    }
}

/// The task.
pub(super) struct Upkeep {
    pub(super) store: Store,
    pub(super) registry: Arc<Registry>,
    pub(super) admission: Arc<Admission>,
}

impl Upkeep {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            // Both are cancel-safe.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => (),
            }
            self.admission.tidy();
            let connected = self.registry.connected();
            let seen: Vec<_> = connected.iter().map(|it| (it.agent, it.last_seen)).collect();
            if seen.is_empty() {
                continue;
            }
            if let Err(error) = self.store.touch_agents(&seen).await {
                Count::StoreFailures.add(1);
                warn!("failed to record who spoke, which is tried again: {error}");
            }
        }
    }
}
