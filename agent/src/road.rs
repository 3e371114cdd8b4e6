//! The road's own thread: everything between the sensors' queues and the session.
//!
//! In: observations, from each sensor's queue; requests, from session, containment and health. Out:
//! leases of sealed batches. It owns enrichment, sealing and the spool, so none of them is shared.
//! The process sensor is served first, then network, then files: a flood of one cannot cost another.

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    batch::Sealed,
    entropy::Entropy,
    event::{
        Body,
        health::{self, LossCause},
    },
    id::{Epoch, EventSeq, Lane},
    time::Clock,
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::{
    enrich::Enricher,
    seal::Sealer,
    sensor::{Observation, outbox::lane_of},
    spool::{Acked, Fate, Shed},
};

/// Requests waiting (chosen: the session asks one at a time per lane).
const REQUESTS_MAX: usize = 64;

/// How often the spool is made durable against a loss of power.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What can be asked of the road; the whole list.
#[derive(Debug)]
pub enum Request {
    /// Batches of a lane that are not leased yet.
    Lease {
        /// Which lane.
        lane: Lane,
        /// At most so many.
        batches_max: usize,
        /// At most so many bytes, or one batch.
        bytes_max: usize,
        /// Given the batches, oldest first.
        reply: oneshot::Sender<Vec<Sealed>>,
    },
    /// The collector has everything of the epoch up to and with `seq`.
    Ack(Lane, Epoch, EventSeq),
    /// The connection is gone: what is leased will be leased again.
    Rewind,
    /// The collector disagrees about this lane.
    RenewEpoch(Lane),
    /// The collector refused a batch for good.
    Refused(Shed),
    /// An event of the agent's own; told at once whether it is in the spool.
    Own(Box<Body>, Option<oneshot::Sender<Fate>>),
    /// How far each epoch was acknowledged.
    Positions(oneshot::Sender<Vec<Acked>>),
    /// How full the spool is.
    Usage(oneshot::Sender<Usage>),
}

/// How full the spool is, and what went into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// On disk.
    pub bytes_used: u64,
    /// The quota.
    pub bytes_max: u64,
    /// Since the start.
    pub events_total: u64,
}

/// The other stages' end.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    sealed: watch::Receiver<u64>,
}

impl Handle {
    /// Asks; what it waits for is gone when the road is.
    pub async fn ask(&self, request: Request) {
        if self.requests.send(request).await.is_err() {
            warn!("the road has ended: a request was not served");
        }
    }

    /// Asks and waits for the answer; `None` when the road has ended.
    pub async fn query<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(make(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Changes when there may be something to lease.
    #[must_use]
    pub fn sealed(&self) -> watch::Receiver<u64> {
        self.sealed.clone()
    }
}

/// A sensor's queue, until it is closed.
#[derive(Debug)]
struct Inbox {
    sensor: health::Sensor,
    queue: Option<mpsc::Receiver<Vec<Observation>>>,
}

impl Inbox {
    /// The next batch; never, once the sensor is gone.
    async fn next(&mut self) -> (health::Sensor, Vec<Observation>) {
        if let Some(queue) = &mut self.queue {
            if let Some(batch) = queue.recv().await {
                return (self.sensor, batch);
            }
            self.queue = None;
        }
        std::future::pending().await
    }

    /// A batch that waits, if there is one.
    fn left(&mut self) -> Option<(health::Sensor, Vec<Observation>)> {
        let batch = self.queue.as_mut()?.try_recv().ok()?;
        Some((self.sensor, batch))
    }
}

/// Enrichment, sealing and spool, and what feeds them.
#[derive(Debug)]
pub struct Road {
    enricher: Enricher,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    inboxes: [Inbox; 3],
    requests: mpsc::Receiver<Request>,
    sealed: watch::Sender<u64>,
}

/// The sensors' queues, each with its sensor; the first is served first.
pub type Queues = [(health::Sensor, Option<mpsc::Receiver<Vec<Observation>>>); 3];

impl Road {
    /// Builds the road; it runs with [`Road::run`].
    #[must_use]
    pub fn new(
        enricher: Enricher,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        queues: Queues,
    ) -> (Self, Handle) {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let (sealed, watching) = watch::channel(0);
        let inboxes = queues.map(|(sensor, queue)| Inbox { sensor, queue });
        let road = Self { enricher, sealer, clock, entropy, inboxes, requests, sealed };
        (road, Handle { requests: sender, sealed: watching })
    }

    /// Runs until every [`Handle`] is dropped, then seals and syncs what is left.
    pub async fn run(mut self) {
        let mut next_sync = self.clock.boottime().saturating_add(SYNC_EVERY);
        loop {
            let wait = self.sealer.tick().unwrap_or(SYNC_EVERY);
            self.sealer.declare();
            self.tell_sealed();
            if self.clock.boottime() >= next_sync {
                let mut queues = self.inboxes.iter().filter_map(|it| it.queue.as_ref());
                let is_caught_up = queues.all(mpsc::Receiver::is_empty);
                self.sealer.sync(is_caught_up);
                next_sync = self.clock.boottime().saturating_add(SYNC_EVERY);
            }
            let [process, network, file] = &mut self.inboxes;
            // All branches are cancel-safe: each is a receive, or a sleep. Requests come first, or a
            // flood would keep the session from taking batches away.
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    Some(request) => self.serve(request),
                    None => break,
                },
                (sensor, batch) = process.next() => self.take(sensor, batch),
                (sensor, batch) = network.next() => self.take(sensor, batch),
                (sensor, batch) = file.next() => self.take(sensor, batch),
                () = tokio::time::sleep(wait) => (),
            }
        }
        // The sensors have ended: what they left behind is all there is.
        for at in 0..self.inboxes.len() {
            while let Some((sensor, batch)) = self.inboxes.get_mut(at).and_then(Inbox::left) {
                self.take(sensor, batch);
            }
        }
        self.sealer.seal_all();
        self.sealer.declare();
        self.sealer.sync(true);
    }

    fn take(&mut self, sensor: health::Sensor, batch: Vec<Observation>) {
        self.enricher.tick();
        let lane = lane_of(sensor);
        for observation in batch {
            let position = observation.source;
            match self.enricher.event(observation) {
                Some(event) => self.sealer.push(&event, Some((lane, position))),
                None => self.sealer.pass(lane, position),
            }
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Lease { lane, batches_max, bytes_max, reply } => {
                let leased = self.sealer.spool().lease(lane, batches_max, bytes_max);
                let batches = leased.unwrap_or_else(|error| {
                    warn!("failed to read the spool: {error:#}");
                    Vec::new()
                });
                // A session that gave up meanwhile rewinds before it leases again.
                drop(reply.send(batches));
            }
            Request::Ack(lane, epoch, seq) => self.sealer.spool().ack(lane, epoch, seq),
            Request::Rewind => self.sealer.spool().rewind(),
            Request::RenewEpoch(lane) => {
                self.sealer.seal_all();
                let entropy = Arc::clone(&self.entropy);
                self.sealer.spool().lane_mut(lane).renew_epoch(entropy.as_ref());
            }
            Request::Refused(shed) => {
                self.sealer.spool().refuse(Shed { cause: LossCause::Corrupt, ..shed });
            }
            Request::Own(body, told) => {
                let event = self.enricher.stamp(self.clock.boottime(), *body);
                match told {
                    Some(told) => drop(told.send(self.sealer.push_now(&event))),
                    None => self.sealer.push(&event, None),
                }
            }
            Request::Positions(reply) => drop(reply.send(self.sealer.spool().positions())),
            Request::Usage(reply) => {
                let (bytes_used, bytes_max) = self.sealer.spool().bytes();
                let events_total = self.sealer.events_total();
                let _gone = reply.send(Usage { bytes_used, bytes_max, events_total });
            }
        }
    }

    fn tell_sealed(&self) {
        let total = self.sealer.batches_total();
        self.sealed.send_if_modified(|it| {
            let is_new = *it != total;
            *it = total;
            is_new
        });
    }
}
