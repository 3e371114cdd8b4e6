//! Composition root: makes every stage and every channel, and owns the order in which they stop.
//!
//! Sensors and the road have a thread each; session, renewal, containment and health are tasks on
//! the program's one runtime. The stop follows the road: sensors, then session and containment, then
//! the road, which ends when nobody holds its handle, after it has sealed and synced all it has.

mod host;
pub mod print;
mod sensors;

use std::{path::PathBuf, sync::Arc, time::Duration};

use cordon_shared::{
    entropy::{Entropy, SystemEntropy},
    error::{Classify, Kind},
    event::Body,
    seglog::RealDisk,
    tasks::Tasks,
    time::{Clock, SystemClock},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::sensors::{Sensed, Thread};
use crate::{
    config::{Config, Policy},
    containment::{
        Answer, Containment, LocalPolicy, Mode, Parts,
        journal::{Journal, JournalError},
        keyring::{Store, StoreError},
        linux::Linux,
        task,
    },
    enrich::{self, Enricher},
    enroll::{
        self, EnrollError, Ground,
        identity::{Files, Identity, IdentityError},
        renew::Renewal,
    },
    health,
    road::{self, Road},
    seal::Sealer,
    sensor::SensorError,
    session::Session,
    spool::{Settings, Spool, SpoolError},
};

/// How long the tasks may take to stop (chosen: well below systemd's 90 s).
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Receipts waiting for the road (chosen: as containment's own queue).
const ANSWERS_MAX: usize = task::QUEUE_REQUESTS;

/// The agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No identity, or a damaged one.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The token did not become an identity.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The journal of commands.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] StoreError),
    /// The configured scope is not there.
    #[error("failed to find the scope")]
    Scope(#[source] SensorError),
    /// The configuration names no collector.
    #[error("`collector` is not set: name at least one `host:port` in the configuration")]
    NoCollector,
    /// The system.
    #[error("failed to {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Classify for StartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Identity(error) => error.kind(),
            Self::Enroll(error) => error.kind(),
            Self::Spool(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
            Self::Scope(error) => error.kind(),
            Self::NoCollector => Kind::BadInput,
            Self::System { .. } => Kind::Unavailable,
        }
    }
}

fn keyring_path(config: &Config) -> PathBuf {
    config.data_dir.join("keyring")
}

/// `enroll`: a token becomes this host's identity.
///
/// # Errors
/// [`StartError::Enroll`].
pub async fn enroll(config: &Config, token: &str) -> Result<(), StartError> {
    let files = Files::new(config.identity_dir());
    let (keyring, facts) = (keyring_path(config), host::facts()?);
    let ground = Ground {
        files: &files,
        keyring: &keyring,
        proxy: config.proxy.as_deref(),
        facts: &facts,
        clock: Arc::new(SystemClock),
        entropy: &SystemEntropy,
    };
    let record = enroll::enroll(token, &ground).await?;
    print::line(&format!("enrolled as agent {}", record.agent));
    print::line("next: cordon-agent run");
    Ok(())
}

/// `check`: which tier each sensor gets, and why.
///
/// # Errors
/// [`StartError::Scope`].
pub fn check(config: &Config) -> Result<(), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let unpinned = Config { pin: false, ..config.clone() };
    let sensed = Sensed::open(&unpinned, &clock, &SystemEntropy, |_| None)?;
    for it in sensed.states() {
        let (sensor, tier) = (it.sensor.as_str(), it.tier.as_str());
        print::line(&format!("{sensor:<8} {tier:<9} {}", it.reason));
    }
    Ok(())
}

/// `status`: who this agent is.
///
/// # Errors
/// [`StartError::Identity`] when this host is not enrolled.
pub fn status(config: &Config) -> Result<(), StartError> {
    let identity = Identity::read(&Files::new(config.identity_dir()))?;
    let record = &identity.record;
    print::line(&format!("agent    {}", record.agent));
    print::line(&format!("host     {}", record.host));
    print::line(&format!("tier     {}", record.host_tier));
    print::line(&format!("held     {}", if record.is_held { "yes" } else { "no" }));
    let validity = enroll::renew::validity(&identity)?;
    print::line(&format!("until    {}", validity.until));
    Ok(())
}

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
    let spool = Spool::open(&Settings {
        folder: &config.spool_dir(),
        bytes_max: config.spool_bytes_max,
        disk: Arc::new(RealDisk),
        entropy: entropy.as_ref(),
    })?;
    let sensed = Sensed::open(config, &clock, entropy.as_ref(), |lane| spool.resume(lane))?;
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
    let sensing = stop.child_token();
    let (queues, sensors) = sensed.start(&clock, &sensing)?;
    let (road, handle) =
        Road::new(enricher, sealer, Arc::clone(&clock), Arc::clone(&entropy), queues);
    let road = Thread::start_async("road", road.run())?;

    let tasks = Tasks::new();
    let containment = Containment::new(Parts {
        agent: identity.record.agent,
        host_name: facts.host_name.clone(),
        host_tier: identity.record.host_tier.clone(),
        is_held: identity.record.is_held,
        boot: facts.boot,
        receipt_key: identity.receipt_key,
        policy: LocalPolicy { mode: mode(config.policy), protected: Vec::new() },
        keyring: Some(Store::open(keyring_path(config))?),
        journal: Journal::open(&config.data_dir.join("journal"), clock.now())?,
        host: Box::new(Linux),
        witness: memory,
        clock: Arc::clone(&clock),
    });
    let (requests, inbox) = mpsc::channel(task::QUEUE_REQUESTS);
    let (answers, answered) = mpsc::channel(ANSWERS_MAX);
    tasks.spawn("containment", task::run(containment, inbox, answers, tasks.stop_signal()));
    tasks.spawn("receipts", receipts(answered, handle.clone(), requests.clone()));
    let (renewed, watching) = watch::channel(0);
    let renewal = Renewal {
        files: Files::new(config.identity_dir()),
        addresses: config.enrolment.clone(),
        proxy: config.proxy.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        renewed,
    };
    tasks.spawn("renewal", renewal.run(tasks.stop_signal()));
    let mut process_nonce = [0; 16];
    entropy.fill(&mut process_nonce);
    let session = Session {
        files: Files::new(config.identity_dir()),
        addresses: config.collector.clone(),
        proxy: config.proxy.clone(),
        facts,
        sensors: states.clone(),
        process_nonce,
        road: handle.clone(),
        containment: requests,
        renewed: watching,
        clock,
        entropy,
    };
    tasks.spawn("session", session.run(tasks.stop_signal()));
    tasks.spawn("health", health::run(states, handle, tasks.stop_signal()));
    info!("running");
    stop.cancelled().await;
    sensors::join(sensors).await;
    tasks.stop(STOP_GRACE).await;
    road.join().await;
    info!("stopped");
    Ok(())
}

fn mode(policy: Policy) -> Mode {
    match policy {
        Policy::Enforce => Mode::Enforce,
        Policy::Observe => Mode::Observe,
    }
}

/// Receipts join the upper road; containment is told when each is safe. Ends with containment.
async fn receipts(
    mut answers: mpsc::Receiver<Answer>,
    road: road::Handle,
    containment: mpsc::Sender<task::Request>,
) {
    // Weak, or containment's queue would stay open for as long as this task waits for its end.
    let containment = containment.downgrade();
    while let Some(Answer { command, event }) = answers.recv().await {
        let body: Box<Body> = Box::new(event.body);
        let told = road.query(|reply| road::Request::Own(body, Some(reply))).await;
        if let (Some(()), Some(containment)) = (told, containment.upgrade()) {
            drop(containment.send(task::Request::Reported(command)).await);
        }
    }
}
