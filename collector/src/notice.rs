//! What is new, for those who watch now: events, detections, incidents, receipts; and what is wrong.
//!
//! Beside the road: the watch and the response post here, the API's live streams read. Nothing waits
//! for a reader: one that falls behind by [`NOTICES_MAX`] misses some and is told how many. Nothing
//! is kept: the lake and the store are the truth.

mod found;
mod trouble;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, broadcast, watch};

pub use self::trouble::{Trouble, Troubles};

/// Notices that wait for the slowest reader (chosen: a few seconds of a busy fleet).
pub const NOTICES_MAX: usize = 1_024;

/// One thing that is new.
#[derive(Clone, Debug)]
pub struct Notice {
    /// `event`, `detection`, `incident`, `command`, `receipt`.
    pub kind: &'static str,
    /// A JSON object.
    pub json: Arc<str>,
}

/// Where notices are posted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Board {
    notices: broadcast::Sender<Notice>,
    troubles: Troubles,
}

impl Default for Board {
    fn default() -> Self {
        Self { notices: broadcast::channel(NOTICES_MAX).0, troubles: Troubles::default() }
    }
}

impl Board {
    /// What is wrong with the collector.
    #[must_use]
    pub fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// Whether anybody reads: what nobody reads need not be made.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.notices.receiver_count() > 0
    }

    /// Posts a notice: its kind and a JSON object.
    pub fn post(&self, kind: &'static str, json: String) {
        if self.is_read() {
            // The last reader may just have left: then nobody misses it.
            drop(self.notices.send(Notice { kind, json: json.into() }));
        }
    }

    /// Reads what is posted from now on.
    #[must_use]
    pub fn read(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}

/// Which keyring the gateway hands to agents: whoever installs one waits here until it is that one,
/// so that an agent which enrols a moment later has it, and no command goes out before it.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    asked: Arc<Notify>,
    number: watch::Sender<u64>,
}

impl InForce {
    /// This one is handed out already.
    #[must_use]
    pub fn of(number: u64) -> Self {
        Self { asked: Arc::default(), number: watch::Sender::new(number) }
    }

    /// Waits until somebody has installed a keyring.
    ///
    /// # Cancel safety
    /// Safe: what was asked meanwhile is seen by the next call.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// This keyring is handed out now.
    pub fn reached(&self, number: u64) {
        self.number.send_replace(number);
    }

    /// Asks for a keyring to be handed out, and waits up to `within` for it; whether it is.
    pub async fn reach(&self, number: u64, within: Duration) -> bool {
        let mut reached = self.number.subscribe();
        self.asked.notify_one();
        let waiting = reached.wait_for(|it| *it >= number);
        matches!(tokio::time::timeout(within, waiting).await, Ok(Ok(_)))
    }
}
