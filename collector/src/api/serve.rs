//! Connections of responders: HTTP/1.1 or 2 over what the listener hands on.
//!
//! In: connections, after their handshake. Out: requests to the router. A connection that has not
//! shown a good token in [`KNOWN_WITHIN`] is cut, so that strangers cannot take all places by saying
//! little and slowly (F-31). It never looks into a request.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request};
use cordon_shared::limit;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::debug;

/// Within this time of its handshake a connection has shown a good token, or has got the word that
/// the open routes say.
const KNOWN_WITHIN: Duration = limit::HANDSHAKE_TIMEOUT;

/// How long a connection of HTTP/1.1 may be kept without a request (chosen: a person who reads).
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Whether a connection has shown a good token; the choke point says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Visitor(pub(super) Arc<AtomicBool>);

impl Visitor {
    /// Ends when the time of a stranger is up.
    async fn overstays(self) {
        tokio::time::sleep(KNOWN_WITHIN).await;
        if self.0.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

/// Serves connections until told to stop, then lets what is under way end.
pub async fn serve<C>(
    router: Router,
    mut incoming: mpsc::Receiver<io::Result<C>>,
    stop: CancellationToken,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connections = TaskTracker::new();
    loop {
        // Both are cancel-safe.
        let connection = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            connection = incoming.recv() => match connection {
                Some(Ok(connection)) => connection,
                Some(Err(_)) => continue,
                None => break,
            },
        };
        connections.spawn(one(router.clone(), connection, stop.clone()));
    }
    connections.close();
    connections.wait().await;
}

async fn one<C>(router: Router, connection: C, stop: CancellationToken)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visitor = Visitor::default();
    let seen = visitor.clone();
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(seen.clone());
        request
    });
    let service = TowerToHyperService::new(service);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_MAX);
    let connection = builder.serve_connection(TokioIo::new(connection), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = visitor.overstays() => return debug!("a stranger's connection was cut"),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("a responder's connection ended: {error}");
    }
}
