//! Composition root: makes every stage and every channel, and owns the order in which they stop.
//!
//! Sensors and the road have a thread each; session, renewal, containment and health are tasks on
//! the program's one runtime. The stop follows the road: sensors, then session and containment, then
//! the road, which ends when nobody holds its handle, after it has sealed and synced all it has.

mod blind;
mod error;
mod heap;
mod host;
mod obey;
pub mod once;
pub mod print;
mod sensors;
pub mod stop;

use std::{path::PathBuf, sync::Arc, time::Duration};

use cordon_shared::{
    entropy::{Entropy, SystemEntropy},
    event::health::SensorState,
    seglog::RealDisk,
    tasks::Tasks,
    time::{Clock, SystemClock},
    wire::session::HostFacts,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use self::error::StartError;
use self::sensors::{Sensed, Thread};
use crate::{
    config::Config,
    containment::task,
    enrich::{self, Enricher},
    enroll::{
        dial::Dial,
        identity::{Files, Identity},
        renew::Renewal,
    },
    health,
    road::{self, Road},
    seal::Sealer,
    session::Session,
    snapshot::{shelf::Shelf, upload::Uploader},
    spool::{Settings, Spool, SpoolError},
};

/// How long the tasks may take to stop (chosen: well below systemd's 90 s).
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How often, and how many times, it is looked whether another agent is gone (chosen: 2 s).
const GONE_EVERY: Duration = Duration::from_millis(50);
const GONE_LOOKS: u32 = 40;

/// Receipts waiting for the road, and word of those that are safe (chosen: as containment's own
/// queue).
const ANSWERS_MAX: usize = task::QUEUE_REQUESTS;

/// `run`: senses, spools and sends, until `stop`.
///
/// # Errors
/// [`StartError`]: nothing was started.
pub async fn run(config: &Config, stop: CancellationToken) -> Result<(), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let identity = Identity::read(&Files::new(config.identity_dir()))?;
    if config.collector.is_empty() {
        return Err(StartError::NoCollector);
    }
    let facts = host::facts()?;
    let spool = spool(config, entropy.as_ref()).await?;
    let blind_since = blind::since(spool.before(), facts.boot);
    let sensed = Sensed::open(config, &clock, entropy.as_ref(), |lane| spool.resume(lane))?;
    sensed.tell();
    let states = sensed.states();
    let mut sealer = Sealer::new(spool, identity.record.agent, facts.boot, Arc::clone(&clock));
    for (lane, committed) in sensed.committed() {
        sealer.release(lane, committed);
    }
    let memory = sealer.memory();
    let enricher = Enricher::new(enrich::Settings {
        proc: PathBuf::from("/proc"),
        passwd: PathBuf::from("/etc/passwd"),
        scope: sensed.scope(),
        clock: Arc::clone(&clock),
    });
    let now = clock.boottime();
    let begun = blind_since
        .into_iter()
        .flat_map(|since| sensed.begun().into_iter().map(move |it| blind::gap(it, since, now)));
    let gaps: Vec<_> = begun.map(|it| enricher.stamp(now, it)).collect();
    sealer.begin(&gaps);
    let (ending, scope) = (sensed.ending(), sensed.scope());
    let sensing = stop.child_token();
    let (queues, sensors) = sensed.start(&clock, &sensing)?;
    let (road, handle) =
        Road::new(enricher, sealer, Arc::clone(&clock), Arc::clone(&entropy), queues);
    let road = Thread::start_async("road", road.run())?;

    let tasks = Tasks::new();
    let scoped = (identity.record.agent, scope);
    let kit = obey::kit(config, identity.receipt_key, scoped, &facts, &clock)?;
    let (shelf, sealed) = (kit.shelf.clone(), Arc::new(Notify::new()));
    let containment = obey::containment(config, identity.record, (kit, memory), &facts, &clock)?;
    let (requests, inbox) = mpsc::channel(task::QUEUE_REQUESTS);
    let (answers, answered) = mpsc::channel(ANSWERS_MAX);
    let (safe, reported) = mpsc::channel(ANSWERS_MAX);
    let obeying = task::Ends { inbox, reported, answers, sealed: Arc::clone(&sealed) };
    tasks.spawn("containment", task::run(containment, obeying, tasks.stop_signal()));
    let receipts = obey::receipts(answered, handle.clone(), safe, tasks.stop_signal());
    tasks.spawn("receipts", receipts);
    let ends = Ends { road: handle.clone(), containment: requests, snapshots: (shelf, sealed) };
    connect(config, &tasks, facts, states, ends);
    heap::trim();
    info!("running");
    stop.cancelled().await;
    sensors::join(sensors).await;
    let now = clock.boottime();
    for it in ending {
        handle.ask(road::Request::Own(Box::new(blind::gap(it, now, now)), None)).await;
    }
    drop(handle);
    tasks.stop(STOP_GRACE).await;
    road.join().await;
    info!("stopped");
    Ok(())
}

/// Opens the spool; waits a moment for an agent that was killed just now to be gone.
async fn spool(config: &Config, entropy: &dyn Entropy) -> Result<Spool, SpoolError> {
    let folder = config.spool_dir();
    for _ in 0..GONE_LOOKS {
        let disk = Arc::new(RealDisk);
        let bytes_max = config.spool_bytes_max;
        match Spool::open(&Settings { folder: &folder, bytes_max, disk, entropy }) {
            Err(SpoolError::InUse { .. }) => tokio::time::sleep(GONE_EVERY).await,
            opened => return opened,
        }
    }
    Err(SpoolError::InUse { path: folder })
}

/// Where a session's news go.
struct Ends {
    road: road::Handle,
    containment: mpsc::Sender<task::Request>,
    /// What is to go up beside it, and word of it.
    snapshots: (Shelf, Arc<Notify>),
}

/// Starts what keeps the collector informed.
fn connect(config: &Config, tasks: &Tasks, facts: HostFacts, states: Vec<SensorState>, ends: Ends) {
    let (renewed, watching) = watch::channel(0);
    let renewal = Renewal {
        files: Files::new(config.identity_dir()),
        addresses: config.enrolment.clone(),
        proxy: config.proxy.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        renewed,
    };
    tasks.spawn("renewal", renewal.run(tasks.stop_signal()));
    let mut process_nonce = [0; 16];
    SystemEntropy.fill(&mut process_nonce);
    let dial = Dial { files: Files::new(config.identity_dir()), proxy: config.proxy.clone() };
    let (shelf, wake) = ends.snapshots;
    let uploader = Uploader {
        shelf,
        wake,
        dial: dial.clone(),
        addresses: config.collector.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    tasks.spawn("snapshots", uploader.run(tasks.stop_signal()));
    let session = Session {
        dial,
        addresses: config.collector.clone(),
        facts,
        sensors: states.clone(),
        process_nonce,
        road: ends.road.clone(),
        containment: ends.containment,
        renewed: watching,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    tasks.spawn("session", session.run(tasks.stop_signal()));
    tasks.spawn("health", health::run(states, ends.road, tasks.stop_signal()));
}
