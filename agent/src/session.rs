//! The session: one connection's life, and then the next one's.
//!
//! In: leases of sealed batches, from the road. Out: the same bytes, to the collector; what comes
//! back, acknowledgements to the road, commands and keyrings to containment. It never looks into a
//! batch, and loses nothing when it ends: what was not acknowledged is leased again.
//!
//! Reconnects back off with jitter, over the configured addresses in turn. A collector that revoked
//! this agent is asked again too, slowly: a revocation may be a mistake, and the spool keeps.

mod credit;
mod hello;
mod stream;

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    backoff::Backoff,
    entropy::Entropy,
    error::Classify,
    event::health::SensorState,
    limit,
    time::Clock,
    wire::session::{GoodbyeReason, HostFacts},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    containment::task,
    enroll::{
        EnrollError,
        connect::ConnectError,
        dial::{Dial, DialError},
    },
    road,
};

/// After a revocation the collector is asked again this seldom.
const REVOKED_RETRY: Duration = Duration::from_secs(60);

/// A connection that lasted this long was a success: delays begin anew.
const LASTED: Duration = Duration::from_secs(60);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There was none.
    #[error("failed to connect")]
    Connect(#[from] ConnectError),
    /// Our identity cannot be read.
    #[error("failed to use the identity")]
    Identity(#[from] EnrollError),
    /// The collector refused the session.
    #[error("the collector refused the session: {0}")]
    Refused(String),
    /// The collector broke the wire's rules.
    #[error("the collector's message breaks a rule: {0}")]
    Wire(#[from] cordon_shared::wire::WireError),
    /// The collector said goodbye.
    #[error("the collector said goodbye: {0:?}")]
    Goodbye(GoodbyeReason),
    /// Nothing came for 10 s.
    #[error("the collector is silent")]
    Silent,
    /// The stream ended without a word.
    #[error("the connection ended")]
    Ended,
    /// A newer certificate is to be used.
    #[error("the certificate was renewed")]
    Renewed,
}

/// What a session works with.
#[derive(Debug)]
pub struct Session {
    /// The way there.
    pub dial: Dial,
    /// Where to go, `host:port` each.
    pub addresses: Vec<String>,
    /// What to say of this machine.
    pub facts: HostFacts,
    /// What the sensors got.
    pub sensors: Vec<SensorState>,
    /// New at each start.
    pub process_nonce: [u8; 16],
    /// Batches, and what becomes of them.
    pub road: road::Handle,
    /// Takes commands and keyrings.
    pub containment: mpsc::Sender<task::Request>,
    /// Counts certificates.
    pub renewed: watch::Receiver<u64>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes delays differ.
    pub entropy: Arc<dyn Entropy>,
}

impl Session {
    /// Connects, and connects again, until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(limit::RECONNECT_FIRST, limit::RECONNECT_MAX);
        let mut attempt = 0_usize;
        while !stop.is_cancelled() {
            let began = self.clock.boottime();
            let Some(address) = self.addresses.get(attempt % self.addresses.len().max(1)) else {
                return;
            };
            let address = address.clone();
            let ended = tokio::select! {
                biased;
                // Cut in the middle, a connection loses nothing that the road does not have.
                () = stop.cancelled() => break,
                ended = self.connect(&address) => ended,
            };
            self.road.ask(road::Request::Rewind).await;
            if self.clock.boottime().since(began) >= LASTED {
                backoff.reset();
            }
            let delay = self.after(&ended, &mut backoff);
            attempt += 1;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(delay) => (),
            }
        }
        info!("the session is over");
    }

    /// One connection, to its end.
    async fn connect(&mut self, address: &str) -> SessionError {
        match self.dial.session(address, &self.clock).await {
            Ok(channel) => stream::run(self, channel, address).await,
            Err(DialError::Connect(error)) => error.into(),
            Err(DialError::Identity(error)) => error.into(),
        }
    }

    /// How long to wait after a connection ended so. Says why, once.
    fn after(&self, ended: &SessionError, backoff: &mut Backoff) -> Duration {
        match ended {
            SessionError::Renewed => Duration::ZERO,
            SessionError::Goodbye(GoodbyeReason::Revoked) => {
                warn!("this agent was revoked: it keeps what it sees, and asks again in a minute");
                REVOKED_RETRY
            }
            SessionError::Goodbye(GoodbyeReason::Stopping) => {
                info!("the collector stops; coming back");
                backoff.next_delay(self.entropy.as_ref())
            }
            error @ (SessionError::Connect(_)
            | SessionError::Identity(_)
            | SessionError::Refused(_)
            | SessionError::Wire(_)
            | SessionError::Goodbye(_)
            | SessionError::Silent
            | SessionError::Ended) => {
                let delay = backoff.next_delay(self.entropy.as_ref());
                let error = error as &dyn std::error::Error;
                warn!(error, "no session; trying again in {} ms", delay.as_millis());
                delay
            }
        }
    }
}

impl Classify for SessionError {
    fn kind(&self) -> cordon_shared::error::Kind {
        use cordon_shared::error::Kind;
        match self {
            Self::Connect(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Refused(_) => Kind::Forbidden,
            Self::Wire(error) => error.kind(),
            Self::Goodbye(_) | Self::Ended | Self::Renewed => Kind::Unavailable,
            Self::Silent => Kind::Timeout,
        }
    }
}
