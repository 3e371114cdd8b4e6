//! Whose identity was taken back: in memory, so that every stream and every call can ask (F-16).
//!
//! Beside the road: the store is the truth, whoever writes to it (this process, another one); it is
//! read again every [`LOOK_EVERY`], so that a revocation cuts a live stream within a second. Until
//! the store was read once, nobody is let in.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use cordon_shared::id::AgentId;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    metric::Count,
    store::{Store, StoreError},
};

/// How often the store is asked (chosen: a quarter of the second that a revocation may take).
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The agents that are out. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Revocations {
    agents: Arc<ArcSwap<HashSet<AgentId>>>,
}

impl Revocations {
    /// As the store has them now.
    ///
    /// # Errors
    /// [`StoreError`]: the collector does not start.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let agents = store.revoked_agents().await?.into_iter().collect();
        Ok(Self { agents: Arc::new(ArcSwap::from_pointee(agents)) })
    }

    /// Whether an agent is out.
    #[must_use]
    pub fn contains(&self, agent: AgentId) -> bool {
        self.agents.load().contains(&agent)
    }

    /// Follows the store until told to stop; calls `cut` for each agent that was put out.
    pub async fn follow(self, store: Store, cut: impl Fn(AgentId) + Send, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Both are cancel-safe.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => (),
            }
            match store.revoked_agents().await {
                Ok(revoked) => {
                    let known = self.agents.load_full();
                    if revoked.len() == known.len() {
                        continue;
                    }
                    let revoked: HashSet<_> = revoked.into_iter().collect();
                    let added: Vec<_> = revoked.difference(&known).copied().collect();
                    self.agents.store(Arc::new(revoked));
                    added.into_iter().for_each(&cut);
                }
                Err(error) => {
                    Count::StoreFailures.add(1);
                    warn!("failed to read who is revoked, which is tried again: {error}");
                }
            }
        }
    }
}
