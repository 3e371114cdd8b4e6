//! The newest keyring, as it goes to agents that have an older one.
//!
//! On the lower road: read from the store, where it was put after its signatures were checked;
//! followed, so that a new one reaches every live session within [`LOOK_EVERY`]. The gateway
//! believes nothing of it: each agent checks the signatures against the roots that it pinned.

use std::{sync::Arc, time::Duration};

use cordon_proto::v1;
use cordon_shared::wire;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    metric::Count,
    notice::InForce,
    store::{Store, StoreError},
};

/// How often the store is asked (chosen: a person who installs a keyring waits that long).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The newest keyring; nothing until root has signed one.
#[derive(Clone, Debug, Default)]
pub struct Current {
    number: u64,
    keyring: Option<Arc<Versioned>>,
}

#[derive(Debug)]
struct Versioned {
    policy: u64,
    members: u64,
    wire: v1::Keyring,
}

impl Current {
    /// As the store has it now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let Some(row) = store.keyring().await? else { return Ok(Self::default()) };
        let read = wire::keyring::decode(&row.signed).ok().and_then(|bundle| {
            let (policy, members) = wire::keyring::peek(&bundle).ok()?;
            let wire = wire::keyring::to_wire(&bundle);
            Some(Versioned { policy: policy.version, members: members.version, wire })
        });
        if read.is_none() {
            error!(number = row.number, "the stored keyring is none; agents keep theirs");
        }
        Ok(Self { number: row.number, keyring: read.map(Arc::new) })
    }

    /// The keyring for an agent whose policy and members have these versions: when either is
    /// older.
    #[must_use]
    pub fn newer_than(&self, has: (u64, u64)) -> Option<((u64, u64), v1::Keyring)> {
        let it = self.keyring.as_ref()?;
        let is_newer = it.policy > has.0 || it.members > has.1;
        is_newer.then(|| ((it.policy, it.members), it.wire.clone()))
    }

    /// As a reply carries it.
    #[must_use]
    pub fn to_wire(&self) -> Option<v1::Keyring> {
        self.keyring.as_ref().map(|it| it.wire.clone())
    }
}

/// Follows the store until told to stop; looks at once when asked.
pub async fn follow(
    store: Store,
    current: watch::Sender<Current>,
    in_force: InForce,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // All are cancel-safe.
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = in_force.asked() => (),
            _ = ticks.tick() => (),
        }
        match Current::load(&store).await {
            Ok(newest) => {
                let number = newest.number;
                current.send_if_modified(|it| {
                    let is_newer = newest.number != it.number;
                    if is_newer {
                        *it = newest;
                    }
                    is_newer
                });
                in_force.reached(number);
            }
            Err(error) => {
                Count::StoreFailures.add(1);
                warn!("failed to read the keyring, which is tried again: {error}");
            }
        }
    }
}
