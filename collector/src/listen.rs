//! Accepts TLS connections, for gateway and API alike.
//!
//! On the road: in front of both. A TCP connection comes in, a connection that has shown what the
//! listener's configuration asks for goes out. Strangers are bounded before they have shown
//! anything: [`HANDSHAKES_MAX`] at once, each within `limit::HANDSHAKE_TIMEOUT`;
//! [`CONNECTIONS_MAX`] connections in all; and, where the listener says so, a deadline until the
//! peer has said what it came for (F-31).
//!
//! The configuration is read at each handshake, so that a change of trust needs no restart. It
//! never looks at what is sent.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use cordon_shared::limit;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rustls::{CertificateError, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::Sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::metric::{Count, Level};

/// Handshakes under way: 10,000 agents are back within 15 s at half a millisecond of CPU each
/// (F-25), and no more than this waits with memory held.
pub const HANDSHAKES_MAX: usize = 64;

/// Connections of one listener (chosen: a fleet of 10,000 and its reconnects; each takes about
/// 50 kB).
pub const CONNECTIONS_MAX: usize = 16_384;

/// How long accepting pauses when the system has no more descriptors (F-53): live streams go on.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Refused certificates a second that the log tells of (chosen: strangers must not fill it; all are
/// counted).
const TOLD_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).expect("1 is not 0");

/// Connections that shook hands and were not taken yet.
const ACCEPTED_QUEUE: usize = 64;

/// Who is at the other end.
#[derive(Debug)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// The leaf that TLS verified, where the listener asks for one.
    pub certificate: Option<CertificateDer<'static>>,
    is_settled: AtomicBool,
}

impl Peer {
    /// The peer has said what it came for: its deadline no longer counts.
    pub fn settle(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
    }
}

/// What a listener asks of its peers beside TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    /// Within this time of the handshake a peer must be settled, or it is cut off.
    pub settle_within: Option<Duration>,
}

/// A listener that is bound and accepts nothing yet.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    config: Arc<ArcSwap<ServerConfig>>,
    rule: Rule,
}

impl Listener {
    /// Binds; port 0 takes any.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(
        address: SocketAddr,
        config: Arc<ArcSwap<ServerConfig>>,
        rule: Rule,
    ) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, config, rule })
    }

    /// The address that it got.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The connections, and the task that accepts them until told to stop. When nobody takes what
    /// was accepted, it accepts no more.
    pub fn accept(
        self,
        stop: CancellationToken,
    ) -> (mpsc::Receiver<io::Result<Conn>>, impl Future<Output = ()> + Send) {
        let (outbox, inbox) = mpsc::channel(ACCEPTED_QUEUE);
        (inbox, self.run(outbox, stop))
    }

    async fn run(self, outbox: mpsc::Sender<io::Result<Conn>>, stop: CancellationToken) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let telling: Arc<DefaultDirectRateLimiter> =
            Arc::new(RateLimiter::direct(Quota::per_second(TOLD_PER_SECOND)));
        let mut under_way = JoinSet::new();
        loop {
            // All are cancel-safe. The stop comes first, or a flood would hide it.
            let (tcp, address) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(_) = under_way.join_next() => continue,
                accepted = self.tcp.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        warn!("failed to accept a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Ok(place) = Arc::clone(&connections).try_acquire_owned() else {
                Count::RateLimited.add(1);
                continue;
            };
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let acceptor = TlsAcceptor::from(self.config.load_full());
            let (outbox, rule, telling) = (outbox.clone(), self.rule, Arc::clone(&telling));
            under_way.spawn(async move {
                let shaken = shake_hands(acceptor, tcp).await;
                drop(turn);
                match shaken {
                    Ok(tls) => drop(outbox.send(Ok(Conn::new(tls, address, rule, place))).await),
                    Err(error) => {
                        Count::HandshakeFailures.add(1);
                        match refusal(&error).filter(|_| telling.check().is_ok()) {
                            Some(why) => info!(%address, "a certificate was refused: {why}"),
                            None => debug!(%address, "a handshake failed: {error}"),
                        }
                    }
                }
            });
        }
    }
}

/// Why the peer's certificate was refused, if that is what happened: an agent's, most likely, whose
/// owner will look here.
fn refusal(error: &io::Error) -> Option<&CertificateError> {
    let cause = error.get_ref()?.downcast_ref();
    if let Some(rustls::Error::InvalidCertificate(why)) = cause { Some(why) } else { None }
}

async fn shake_hands(acceptor: TlsAcceptor, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    // Small messages, acknowledgements above all, must not wait for more.
    tcp.set_nodelay(true)?;
    let handshake = tokio::time::timeout(limit::HANDSHAKE_TIMEOUT, acceptor.accept(tcp));
    handshake.await.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A TLS connection after its handshake.
#[derive(Debug)]
pub struct Conn {
    tls: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    deadline: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// A connection's place under the bound; given back when it ends.
#[derive(Debug)]
struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Drop for Place {
    fn drop(&mut self) {
        Level::Connections.fall();
    }
}

impl Conn {
    fn new(
        tls: TlsStream<TcpStream>,
        address: SocketAddr,
        rule: Rule,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Level::Connections.rise();
        let (_, session) = tls.get_ref();
        let leaf = session.peer_certificates().and_then(|chain| chain.first());
        let peer = Peer {
            address,
            certificate: leaf.map(|it| it.clone().into_owned()),
            is_settled: AtomicBool::new(false),
        };
        let deadline = rule.settle_within.map(|it| Box::pin(tokio::time::sleep(it)));
        Self { tls, peer: Arc::new(peer), deadline, _place: Place(place) }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Ends the connection when its peer is not settled in time.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(deadline) = &mut self.deadline else { return Ok(()) };
        if self.peer.is_settled.load(Ordering::Relaxed) {
            self.deadline = None;
            return Ok(());
        }
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_deadline(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, into)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }
}
