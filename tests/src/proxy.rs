//! A TCP connection in between, with a fault in it: delay, throttle, black hole, reset.
//!
//! Each direction has a [`Link`] of its own that can be changed while connections are open. A byte is
//! forwarded once and in order, or held; nothing is ever doubled or lost inside a connection, since
//! TCP would not do that either. What a black hole holds is forwarded when it ends.
//!
//! In user space, since a kernel without `netem` cannot do it; the peers see real sockets.

mod pump;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

use crate::{child::note, network::Namespace};

/// What one direction does with bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// Forwards at once.
    Passing,
    /// Forwards each piece this much later.
    Delayed(Duration),
    /// Forwards at most this many bytes a second.
    Throttled {
        /// At least 1.
        bytes_per_s: u64,
    },
    /// Reads nothing and forwards nothing; connections stay open, as when the other side lost power.
    BlackHole,
}

/// One way through the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From who connected to the target.
    ToTarget,
    /// From the target back.
    ToCaller,
}

/// What all connections of a proxy share.
#[derive(Debug)]
struct Shared {
    target: watch::Sender<SocketAddr>,
    to_target: watch::Sender<Link>,
    to_caller: watch::Sender<Link>,
    /// Rises at each cut: a connection ends when it sees another number than at its start.
    cuts: watch::Sender<u64>,
    is_accepting: watch::Sender<bool>,
    open: AtomicUsize,
    bytes_to_target: AtomicU64,
    bytes_to_caller: AtomicU64,
}

impl Shared {
    fn link(&self, direction: Direction) -> &watch::Sender<Link> {
        match direction {
            Direction::ToTarget => &self.to_target,
            Direction::ToCaller => &self.to_caller,
        }
    }

    fn bytes(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToTarget => &self.bytes_to_target,
            Direction::ToCaller => &self.bytes_to_caller,
        }
    }
}

/// A listening proxy; all its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(target: SocketAddr) -> anyhow::Result<Self> {
        Self::start_by(target, || ())
    }

    /// The same, to a `target` in this network namespace: the one door into a network that has none.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub fn start_into(namespace: &Namespace, target: SocketAddr) -> anyhow::Result<Self> {
        let path = namespace.path().to_path_buf();
        Self::start_by(target, move || {
            if let Err(error) = Namespace::enter(&path) {
                note(&format!("a proxy reaches nobody: {error:#}"));
            }
        })
    }

    /// The threads that connect begin with `prepare`; who starts the proxy listens.
    fn start_by(
        target: SocketAddr,
        prepare: impl Fn() + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("proxy").on_thread_start(prepare);
        let runtime = builder.enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("listen for a proxy")?;
        let address = listener.local_addr().context("ask for a proxy's address")?;
        let shared = Arc::new(Shared {
            target: watch::Sender::new(target),
            to_target: watch::Sender::new(Link::Passing),
            to_caller: watch::Sender::new(Link::Passing),
            cuts: watch::Sender::new(0),
            is_accepting: watch::Sender::new(true),
            open: AtomicUsize::new(0),
            bytes_to_target: AtomicU64::new(0),
            bytes_to_caller: AtomicU64::new(0),
        });
        drop(runtime.spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self { address, shared, runtime: Some(runtime) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to another target; open ones stay.
    pub fn retarget(&self, target: SocketAddr) {
        self.shared.target.send_replace(target);
    }

    /// Changes one direction, of open connections too.
    pub fn set(&self, direction: Direction, link: Link) {
        self.shared.link(direction).send_replace(link);
    }

    /// Changes both directions.
    pub fn set_both(&self, link: Link) {
        self.set(Direction::ToTarget, link);
        self.set(Direction::ToCaller, link);
    }

    /// Resets every open connection.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|it| *it += 1);
    }

    /// Takes no new connection any more: the kernel completes the handshake, and nobody answers.
    pub fn stop_accepting(&self) {
        self.shared.is_accepting.send_replace(false);
    }

    /// Takes new connections again.
    pub fn accept_again(&self) {
        self.shared.is_accepting.send_replace(true);
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Bytes forwarded so far.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.bytes(direction).load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Takes connections for as long as the runtime lives.
#[expect(clippy::disallowed_methods, reason = "the proxy's runtime ends with the proxy")]
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut is_accepting = shared.is_accepting.subscribe();
    while is_accepting.wait_for(|it| *it).await.is_ok() {
        // Both are cancel-safe. The change comes first: after it no connection is taken.
        let taken = tokio::select! {
            biased;
            _ = is_accepting.changed() => continue,
            taken = listener.accept() => taken,
        };
        let Ok((caller, _)) = taken else { continue };
        drop(tokio::spawn(serve(caller, Arc::clone(&shared))));
    }
}

/// One connection's life. Both sides are reset at its end, whatever ended it but a close.
async fn serve(caller: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let at_start = *cuts.borrow_and_update();
    let address = *shared.target.borrow();
    // A target that refuses is seen by the caller as a reset.
    let Ok(target) = TcpStream::connect(address).await else {
        drop(caller.set_zero_linger());
        return;
    };
    drop(caller.set_nodelay(true));
    drop(target.set_nodelay(true));
    shared.open.fetch_add(1, Ordering::SeqCst);
    {
        let there = pump::run(&caller, &target, Direction::ToTarget, &shared);
        let back = pump::run(&target, &caller, Direction::ToCaller, &shared);
        tokio::select! {
            biased;
            _ = cuts.wait_for(|it| *it != at_start) => {
                drop(caller.set_zero_linger());
                drop(target.set_zero_linger());
            }
            _ = async { tokio::join!(there, back) } => (),
        }
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests;
