//! The responders' side: the API behind its listener.

use std::sync::Arc;

use cordon_shared::{
    digest::Sha256, entropy::SystemEntropy, keyring::key::Roots, time::SystemClock,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{self, Api},
    evidence::Vault,
    gateway::registry::Registry,
    ingest::Pressure,
    lake::Lake,
    listen::Listener,
    notice::{Board, InForce, Trouble},
    reserve::Reserve,
    store::Store,
};

/// What the API needs that is known before the collector runs.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) listener: Listener,
    pub(super) lake: Lake,
    pub(super) vault: Vault,
    pub(super) roots: Roots,
    pub(super) authority: Sha256,
    pub(super) enrolment: Vec<String>,
    pub(super) metrics: PrometheusHandle,
    /// How the disk and the journal are.
    pub(super) standing: (Reserve, watch::Receiver<Pressure>),
}

/// Installs the recorder of metrics, once per process.
pub(super) fn metrics() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second application in one process, as in tests, counts into the first one's recorder.
    drop(metrics::set_global_recorder(recorder));
    handle
}

/// What is wrong: what the stages say, and what disk and journal show.
fn troubles(board: &Board, reserve: &Reserve, pressure: Pressure) -> Vec<(Trouble, u64)> {
    let mut troubles = board.troubles().all();
    if !reserve.is_held() {
        troubles.insert(0, (Trouble::DiskFull, 1));
    } else if pressure == Pressure::Stalled {
        troubles.insert(0, (Trouble::JournalStalled, 1));
    }
    troubles
}

impl Desk {
    /// Serves responders until told to stop.
    pub(super) async fn run(
        self,
        (store, registry): (Store, Arc<Registry>),
        (board, in_force, wake): (Board, InForce, Arc<Notify>),
        rules: api::Rules,
        stop: CancellationToken,
    ) {
        let streams = TaskTracker::new();
        let (told, (reserve, pressure)) = (board.clone(), self.standing);
        let router = api::router(Arc::new(Api {
            store,
            lake: self.lake,
            vault: self.vault,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            roots: self.roots,
            authority: self.authority,
            enrolment: self.enrolment,
            rules,
            board,
            troubles: Arc::new(move || troubles(&told, &reserve, *pressure.borrow())),
            in_force,
            wake: Arc::new(move || wake.notify_one()),
            connected: {
                let registry = Arc::clone(&registry);
                Arc::new(move || registry.count())
            },
            is_connected: Arc::new(move |agent| registry.is_connected(agent)),
            metrics: self.metrics,
            stop: stop.clone(),
            streams: streams.clone(),
        }));
        let (incoming, accept) = self.listener.accept(stop.clone());
        tokio::join!(accept, api::serve(router, incoming, stop));
        streams.close();
        streams.wait().await;
    }
}
