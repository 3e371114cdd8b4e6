//! Service `Snapshots`: sealed evidence comes in.
//!
//! On the road: beside the session, over a connection of its own. The caller is who its certificate
//! says. What it offers must be what somebody ordered: a manifest signed by that agent's receipt key,
//! for a command of the action `snapshot` that this collector gave to that agent. Only then is there
//! room for it, and only what follows what is here already is taken. The whole is digested before it
//! is published, and only then is the agent told to let go of it.
//!
//! Bounds: one upload of an agent at a time, a chunk within [`STANDSTILL`], sizes from the signed
//! manifest, what an agent may keep in all from the store. It never looks into a container.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cordon_proto::v1;
use cordon_shared::{
    error::{Classify, Kind},
    id::{AgentId, SnapshotId},
    snapshot::Manifest,
    wire::{
        self, WireError,
        command::OpenError,
        snapshot::{Offer, Progress, chunk_from, offer_from, progress_to},
    },
};
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status, Streaming};
use tracing::info;

use super::{
    session::{AccessError, Ground, caller, peer_of},
    status,
};
use crate::{
    evidence::{EvidenceError, Part, Vault},
    metric::Count,
    store::{AgentRow, EvidenceRow, EvidenceState, NewEvidence, Standing, StoreError},
};

/// How long a chunk may take: a link that is slower than one chunk a minute carries no container.
pub const STANDSTILL: Duration = Duration::from_secs(60);

/// An offer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// A field breaks a rule.
    #[error(transparent)]
    Field(#[from] WireError),
    /// The manifest is not by this agent's receipt key, or is no manifest.
    #[error("`manifest` must be signed by this agent's receipt key")]
    Manifest(#[from] OpenError),
    /// What is offered is not what the manifest is about.
    #[error("`{0}` must be that of the manifest")]
    Other(&'static str),
    /// Nobody ordered it of this agent.
    #[error("no snapshot was ordered of this agent by that command")]
    Unordered,
    /// Another upload of this agent is under way.
    #[error("another upload of this agent is under way")]
    Busy,
    /// Nothing came for a while.
    #[error("no chunk came within a minute; go on later")]
    Standstill,
}

impl Classify for OfferError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field(_) | Self::Other(_) => Kind::BadInput,
            Self::Manifest(error) => error.kind(),
            Self::Unordered => Kind::NotFound,
            Self::Busy => Kind::Unavailable,
            Self::Standstill => Kind::Timeout,
        }
    }
}

/// The service.
#[derive(Clone, Debug)]
pub struct Uploads {
    ground: Arc<Ground>,
    vault: Vault,
    /// Agents with an upload under way.
    busy: Arc<Mutex<BTreeSet<AgentId>>>,
}

impl Uploads {
    /// Uploads into this vault.
    #[must_use]
    pub fn new(ground: Arc<Ground>, vault: Vault) -> Self {
        Self { ground, vault, busy: Arc::default() }
    }

    /// Who calls, if that agent is on record and not out.
    async fn agent<T>(&self, request: &Request<T>) -> Result<AgentRow, Status> {
        let peer = peer_of(request)?;
        let agent = caller(&self.ground, &peer).map_err(|error| status::of(&error))?;
        let row = match self.ground.store.agent(agent).await {
            Ok(row) if row.standing == Standing::Revoked => {
                return Err(status::of(&AccessError::Revoked(agent)));
            }
            Ok(row) => row,
            Err(StoreError::NotFound { .. }) => {
                return Err(status::of(&AccessError::Unknown(agent)));
            }
            Err(error) => return Err(status::of(&error)),
        };
        // It has said what it came for.
        peer.settle();
        Ok(row)
    }

    /// What an offer is about, when somebody ordered it of this agent.
    async fn ordered(&self, agent: &AgentRow, offer: &Offer) -> Result<NewEvidence, Status> {
        let manifest = judge(agent, offer).map_err(|error| status::of(&error))?;
        let unordered = || status::of(&OfferError::Unordered);
        let command = match self.ground.store.command(offer.command).await {
            Ok(row) if row.agent == agent.id && row.action == "snapshot" => row,
            Ok(_) | Err(StoreError::NotFound { .. }) => return Err(unordered()),
            Err(error) => return Err(status::of(&error)),
        };
        if manifest.incident != command.incident {
            return Err(status::of(&OfferError::Other("incident")));
        }
        Ok(NewEvidence {
            id: manifest.snapshot,
            command: command.id,
            incident: command.incident,
            agent: agent.id,
            host: agent.host.id,
            manifest: wire::signed::encode(&offer.manifest),
            sha256: manifest.sha256,
            size_bytes: manifest.size_bytes,
            taken: (manifest.began.realtime, manifest.ended.realtime),
            offered: self.ground.clock.now(),
        })
    }

    /// How far a snapshot is; one that a crash, or the end of a connection, came before the end of is
    /// brought to its end now.
    async fn progress(&self, row: &EvidenceRow) -> Result<Progress, Status> {
        let vault = self.vault.clone();
        let (id, size, sha256) = (row.id, row.size_bytes, row.sha256);
        let received = blocking(move || {
            if vault.is_whole(id)? {
                return Ok(None);
            }
            let received = vault.received(id)?;
            if received < size {
                return Ok(Some(received));
            }
            match vault.go_on(id, size)?.settle(sha256) {
                Ok(()) => Ok(None),
                Err(EvidenceError::Differs) => Ok(Some(0)),
                Err(error) => Err(error),
            }
        });
        match received.await? {
            None => self.hold(row).await,
            Some(received_bytes) => Ok(Progress { received_bytes, is_complete: false }),
        }
    }

    /// Notes that a container is here.
    async fn hold(&self, row: &EvidenceRow) -> Result<Progress, Status> {
        if row.state == EvidenceState::Offered {
            let text = format!(
                "a snapshot of {} bytes came whole, SHA-256 {}",
                row.size_bytes, row.sha256
            );
            let held = self.ground.store.hold_evidence(row, &text, self.ground.clock.now()).await;
            if held.map_err(|error| status::of(&error))? {
                Count::Evidence.add(1);
                info!(agent = %row.agent, snapshot = %row.id, "{text}");
            }
        }
        Ok(Progress { received_bytes: row.size_bytes, is_complete: true })
    }

    async fn receive(
        &self,
        agent: AgentId,
        mut chunks: Streaming<v1::SnapshotChunk>,
    ) -> Result<Progress, Status> {
        let field = |error: WireError| status::of(&OfferError::Field(error));
        let Some(first) = next(&mut chunks).await? else {
            return Err(field(WireError::new("snapshot_id", "said in a first chunk")));
        };
        let mut chunk = chunk_from(first).map_err(field)?;
        let row = self.offered(agent, chunk.snapshot).await?;
        let _alone = Alone::take(&self.busy, agent).map_err(|error| status::of(&error))?;
        if self.progress(&row).await?.is_complete {
            return self.hold(&row).await;
        }
        let vault = self.vault.clone();
        let mut part = blocking(move || vault.go_on(row.id, row.size_bytes)).await?;
        loop {
            if chunk.snapshot != row.id {
                return Err(field(WireError::new("snapshot_id", "the same in every chunk")));
            }
            part = take(part, chunk.offset, chunk.data).await?;
            if part.is_full() {
                break;
            }
            match next(&mut chunks).await? {
                Some(wire) => chunk = chunk_from(wire).map_err(field)?,
                None => {
                    let received_bytes = part.received();
                    return Ok(Progress { received_bytes, is_complete: false });
                }
            }
        }
        let sha256 = row.sha256;
        blocking(move || part.settle(sha256)).await?;
        self.hold(&row).await
    }

    /// The row of an offer of this agent; another's is as unknown as one that nobody made.
    async fn offered(&self, agent: AgentId, id: SnapshotId) -> Result<EvidenceRow, Status> {
        match self.ground.store.evidence(id).await {
            Ok(row) if row.agent == agent => Ok(row),
            Ok(_) => {
                let what = "evidence";
                Err(status::of(&StoreError::NotFound { what, id: id.to_string() }))
            }
            Err(error) => Err(status::of(&error)),
        }
    }
}

/// The manifest of an offer, when it is this agent's own and about the same.
fn judge(agent: &AgentRow, offer: &Offer) -> Result<Manifest, OfferError> {
    let manifest = wire::snapshot::open(&offer.manifest, &agent.receipt_key)?;
    let same = [
        ("agent_id", manifest.agent == agent.id),
        ("snapshot_id", manifest.snapshot == offer.snapshot),
        ("command_id", manifest.command == offer.command),
        ("size_bytes", manifest.size_bytes == offer.size_bytes),
    ];
    match same.into_iter().find(|(_, is_same)| !is_same) {
        Some((field, _)) => Err(OfferError::Other(field)),
        None => Ok(manifest),
    }
}

/// The next chunk; nothing at the end of the stream.
async fn next(
    chunks: &mut Streaming<v1::SnapshotChunk>,
) -> Result<Option<v1::SnapshotChunk>, Status> {
    match tokio::time::timeout(STANDSTILL, chunks.message()).await {
        Ok(chunk) => chunk,
        Err(_elapsed) => Err(status::of(&OfferError::Standstill)),
    }
}

async fn take(mut part: Part, offset: u64, data: bytes::Bytes) -> Result<Part, Status> {
    blocking(move || {
        part.take(offset, &data)?;
        Ok(part)
    })
    .await
}

/// Files are never touched on a thread that serves others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EvidenceError> + Send + 'static,
) -> Result<T, Status> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| status::of(&error)),
        Err(_panic) => Err(Status::internal("the collector cannot do this now")),
    }
}

/// Being the only upload of an agent, until dropped.
struct Alone {
    busy: Arc<Mutex<BTreeSet<AgentId>>>,
    agent: AgentId,
}

impl Alone {
    fn take(busy: &Arc<Mutex<BTreeSet<AgentId>>>, agent: AgentId) -> Result<Self, OfferError> {
        let is_first = busy.lock().unwrap_or_else(PoisonError::into_inner).insert(agent);
        is_first.then(|| Self { busy: Arc::clone(busy), agent }).ok_or(OfferError::Busy)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.agent);
    }
}

#[tonic::async_trait]
impl v1::snapshots_server::Snapshots for Uploads {
    async fn offer(
        &self,
        request: Request<v1::SnapshotOffer>,
    ) -> Result<Response<v1::SnapshotProgress>, Status> {
        let agent = self.agent(&request).await?;
        self.ground.admission.offer(agent.id).map_err(|error| status::of(&error))?;
        let offer = offer_from(request.get_ref());
        let offer = offer.map_err(|error| status::of(&OfferError::Field(error)))?;
        let new = self.ordered(&agent, &offer).await?;
        let row = self.ground.store.offer_evidence(&new).await;
        let row = row.map_err(|error| status::of(&error))?;
        let _alone = Alone::take(&self.busy, agent.id).map_err(|error| status::of(&error))?;
        Ok(Response::new(progress_to(self.progress(&row).await?)))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SnapshotProgress>, Status> {
        let agent = self.agent(&request).await?.id;
        // Cancel-safe: what was taken lies on the disk, and the next upload goes on from there.
        let received = tokio::select! {
            biased;
            () = self.ground.stop.cancelled() => {
                Err(Status::unavailable("the collector stops; go on later"))
            }
            received = self.receive(agent, request.into_inner()) => received,
        };
        received.map(|it| Response::new(progress_to(it)))
    }
}
