//! Service `Session`: batches in; acknowledgements, credit and commands out.
//!
//! On the road: between TLS and ingest. The caller is who its certificate says, or nobody. A hello
//! comes first, within `limit::HANDSHAKE_TIMEOUT`; then the stream runs (`stream.rs`) until either
//! side ends it, the agent is revoked (F-16), or nothing was heard for `limit::HEARTBEAT_DEAD`.
//!
//! It never trusts a field for who somebody is, and never acknowledges: it passes on what the
//! journal says.

mod boot;
mod credit;
mod opening;
mod stream;

use std::sync::Arc;

use cordon_proto::v1;
use cordon_shared::{
    error::{Classify, Kind},
    id::AgentId,
    time::Clock,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::{admission::Admission, keyring::Current, registry::Registry, seen::Seen, status};
use crate::{
    ingest::Ingest,
    listen::Peer,
    metric::Count,
    pki::{identity, revoke::Revocations},
    store::Store,
};

/// Messages that wait for one agent to read them.
const OUTBOX_MESSAGES: usize = 64;

/// A caller was not let in.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// TLS gave no certificate, or one that names no agent.
    #[error("the certificate names no agent")]
    Nobody,
    /// The identity was taken back (F-16).
    #[error("agent {0} is revoked")]
    Revoked(AgentId),
    /// The certificate is good, and the agent is not on record here.
    #[error("agent {0} is not on record here; enrol the host again")]
    Unknown(AgentId),
}

impl Classify for AccessError {
    fn kind(&self) -> Kind {
        match self {
            Self::Nobody => Kind::Unauthenticated,
            Self::Revoked(_) | Self::Unknown(_) => Kind::Forbidden,
        }
    }
}

/// What every session stands on.
#[derive(Debug)]
pub struct Ground {
    /// The way into the journal.
    pub ingest: Ingest,
    /// Agents and the audit log.
    pub store: Store,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Who is out.
    pub revocations: Revocations,
    /// Rate limits.
    pub admission: Arc<Admission>,
    /// Where "I have that command" goes.
    pub seen: Seen,
    /// The newest keyring.
    pub keyring: watch::Receiver<Current>,
    /// Heartbeats and receptions are dated by it.
    pub clock: Arc<dyn Clock>,
    /// The collector stops.
    pub stop: CancellationToken,
}

/// The service.
#[derive(Clone, Debug)]
pub struct Sessions {
    ground: Arc<Ground>,
    tracker: TaskTracker,
}

impl Sessions {
    /// Sessions on this ground; each runs as a task of `tracker`.
    #[must_use]
    pub fn new(ground: Arc<Ground>, tracker: TaskTracker) -> Self {
        Self { ground, tracker }
    }
}

/// Who calls: from the certificate alone.
pub(super) fn caller(ground: &Ground, peer: &Peer) -> Result<AgentId, AccessError> {
    let certificate = peer.certificate.as_ref().ok_or(AccessError::Nobody)?;
    let agent = identity::agent_of(certificate).ok_or(AccessError::Nobody)?;
    if ground.revocations.contains(agent) {
        return Err(AccessError::Revoked(agent));
    }
    Ok(agent)
}

/// Who is at the other end of a request's connection.
pub(super) fn peer_of<T>(request: &Request<T>) -> Result<Arc<Peer>, Status> {
    let peer = request.extensions().get::<Arc<Peer>>();
    peer.cloned().ok_or_else(|| status::of(&AccessError::Nobody))
}

#[tonic::async_trait]
impl v1::session_server::Session for Sessions {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = peer_of(&request)?;
        let agent = caller(&self.ground, &peer).map_err(|error| status::of(&error))?;
        self.ground.admission.hello(agent).map_err(|error| status::of(&error))?;
        let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES);
        let caller = opening::Caller { agent, peer, outbox };
        let session = opening::run(Arc::clone(&self.ground), caller, request.into_inner());
        self.tracker.spawn(session.instrument(tracing::info_span!("session", %agent)));
        Count::Sessions.add(1);
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
