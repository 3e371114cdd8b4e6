//! Takes sealed snapshots to the collector: the only part of `snapshot` that sends.
//!
//! In: the shelf, and word that something lies on it. Out: chunks over a connection of its own, so that
//! a large container never stands in the way of a command. The collector says how much it has; what is
//! missing is sent from there, and what it has whole is removed here.
//!
//! It waits for nobody: a receipt has gone long before. A collector that refuses is asked again,
//! slowly: it may have been restored from a backup, and evidence is not thrown away here.

use std::{io, os::unix::fs::FileExt as _, sync::Arc, time::Duration};

use bytes::Bytes;
use cordon_proto::v1::{self, snapshots_client::SnapshotsClient};
use cordon_shared::{
    backoff::Backoff,
    entropy::Entropy,
    error::{Classify, Kind},
    limit,
    time::Clock,
    wire::snapshot::{Chunk, Offer, chunk_to, offer_to, progress_from},
};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tracing::{info, warn};

use super::shelf::{Sealed, Shelf, ShelfError};
use crate::enroll::{
    EnrollError,
    dial::{Dial, DialError},
};

/// Chunks that wait for HTTP/2 (chosen: one is sent while the next is read).
const CHUNKS_WAITING: usize = 2;

/// How long one call may stand still: a link that carries a chunk in this time carries all of it.
const STANDSTILL: Duration = Duration::from_secs(60);

/// A collector that refused is asked again after this time (chosen: the log stays readable).
const REFUSED_RETRY: Duration = Duration::from_secs(60);

/// A snapshot did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Our identity cannot be read.
    #[error(transparent)]
    Identity(#[from] EnrollError),
    /// The collector does not want it.
    #[error("the collector refused: {0}")]
    Refused(String),
    /// The connection or the collector failed.
    #[error("the upload broke off: {0}")]
    Broken(String),
    /// The collector asks for what is not there.
    #[error("the collector has {received} bytes of a container of {size}")]
    Beyond {
        /// What it says.
        received: u64,
        /// What there is.
        size: u64,
    },
    /// The container cannot be read.
    #[error("failed to read a container")]
    Read(#[source] io::Error),
    /// It cannot be removed.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl Classify for UploadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Dial(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Refused(_) => Kind::Forbidden,
            Self::Broken(_) | Self::Read(_) => Kind::Unavailable,
            Self::Beyond { .. } => Kind::Conflict,
            Self::Shelf(error) => error.kind(),
        }
    }
}

/// Sends what lies on the shelf.
#[derive(Debug)]
pub struct Uploader {
    /// Where snapshots wait.
    pub shelf: Shelf,
    /// Notified when there is a new one.
    pub wake: Arc<Notify>,
    /// The way to the collector.
    pub dial: Dial,
    /// The collector's addresses, `host:port` each.
    pub addresses: Vec<String>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes delays differ.
    pub entropy: Arc<dyn Entropy>,
}

impl Uploader {
    /// Sends, and sends again, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(limit::RECONNECT_FIRST, limit::RECONNECT_MAX);
        let mut attempt = 0_usize;
        while !stop.is_cancelled() {
            // Both are cancel-safe: an upload that is dropped goes on from where the collector is.
            let sent = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                sent = self.send_all(attempt) => sent,
            };
            let delay = match sent {
                Ok(()) => {
                    backoff.reset();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = self.wake.notified() => continue,
                    }
                }
                Err(error) => {
                    attempt += 1;
                    let is_retried = error.kind().is_retried();
                    let own = backoff.next_delay(self.entropy.as_ref());
                    let delay = if is_retried { own } else { REFUSED_RETRY };
                    let ms = delay.as_millis();
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "a snapshot waits for the collector; trying again in {ms} ms");
                    delay
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delay) => (),
            }
        }
    }

    /// Sends everything that waits; one that the collector refuses does not keep the others.
    async fn send_all(&self, attempt: usize) -> Result<(), UploadError> {
        let waiting = self.shelf.waiting();
        if waiting.is_empty() {
            return Ok(());
        }
        let Some(address) = self.addresses.get(attempt % self.addresses.len().max(1)) else {
            return Ok(());
        };
        let channel = self.dial.session(address, &self.clock).await?;
        let mut client =
            SnapshotsClient::new(channel).max_decoding_message_size(limit::MESSAGE_BYTES_MAX);
        let mut refused = Ok(());
        for it in &waiting {
            match send(&mut client, it).await {
                Ok(()) => {
                    self.shelf.remove(it.manifest.snapshot)?;
                    info!("the collector has snapshot {}", it.manifest.snapshot);
                }
                Err(error @ UploadError::Refused(_)) => refused = Err(error),
                Err(error) => return Err(error),
            }
        }
        refused
    }
}

/// Sends one, as far as the collector does not have it.
async fn send(client: &mut SnapshotsClient<Channel>, it: &Sealed) -> Result<(), UploadError> {
    let manifest = &it.manifest;
    let offer = offer_to(&Offer {
        snapshot: manifest.snapshot,
        command: manifest.command,
        size_bytes: manifest.size_bytes,
        manifest: it.signed.clone(),
    });
    let reply = within(client.offer(offer)).await?.into_inner();
    let progress = progress_from(&reply);
    if progress.is_complete {
        return Ok(());
    }
    let size = manifest.size_bytes;
    if progress.received_bytes >= size {
        return Err(UploadError::Beyond { received: progress.received_bytes, size });
    }
    let file = std::fs::File::open(&it.container).map_err(UploadError::Read)?;
    let (chunks, outgoing) = mpsc::channel(CHUNKS_WAITING);
    let uploading = client.upload(ReceiverStream::new(outgoing));
    let reading = feed(file, it, progress.received_bytes, chunks);
    let (reply, read) = tokio::join!(uploading, reading);
    read?;
    let progress = progress_from(&reply.map_err(|it| refused(&it))?.into_inner());
    match progress.is_complete {
        true => Ok(()),
        false => Err(UploadError::Broken(format!("{} bytes arrived", progress.received_bytes))),
    }
}

/// Reads chunks from `offset` on. Ends early when nobody takes them: then the call has ended, and says
/// why itself.
async fn feed(
    file: std::fs::File,
    it: &Sealed,
    mut offset: u64,
    chunks: mpsc::Sender<v1::SnapshotChunk>,
) -> Result<(), UploadError> {
    while offset < it.manifest.size_bytes {
        let left = usize::try_from(it.manifest.size_bytes - offset).unwrap_or(usize::MAX);
        let mut data = vec![0; left.min(limit::SNAPSHOT_CHUNK_BYTES_MAX)];
        file.read_exact_at(&mut data, offset).map_err(UploadError::Read)?;
        let count = data.len() as u64;
        let data = Bytes::from(data);
        let chunk = chunk_to(Chunk { snapshot: it.manifest.snapshot, offset, data });
        match tokio::time::timeout(STANDSTILL, chunks.send(chunk)).await {
            Ok(Ok(())) => offset += count,
            Ok(Err(_closed)) => return Ok(()),
            Err(_elapsed) => return Err(UploadError::Broken("it stands still".to_owned())),
        }
    }
    Ok(())
}

async fn within<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, UploadError> {
    match tokio::time::timeout(STANDSTILL, call).await {
        Ok(reply) => reply.map_err(|it| refused(&it)),
        Err(_elapsed) => Err(UploadError::Broken("no answer came".to_owned())),
    }
}

/// What the collector will say again, and what it may not.
fn refused(status: &Status) -> UploadError {
    let said = status.message().to_owned();
    match status.code() {
        Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::NotFound
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::ResourceExhausted
        | Code::Unimplemented => UploadError::Refused(said),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => UploadError::Broken(said),
    }
}
