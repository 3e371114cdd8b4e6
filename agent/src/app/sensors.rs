//! The sensors' threads: chosen by what the host offers, started, and joined at the end.

use std::{
    future::Future,
    io,
    path::PathBuf,
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use cordon_shared::{
    batch::Source,
    entropy::Entropy,
    event::health::{self, SensorState},
    id::Lane,
    time::Clock,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::StartError;
use crate::{
    config::{self, Config},
    road::Queues,
    sensor::{
        Committed, Position, Sensor, ebpf, file, network,
        outbox::{self, lane_of},
        process,
        scope::Scope,
        select::Chosen,
    },
};

/// A named thread.
#[derive(Debug)]
pub(super) struct Thread {
    name: &'static str,
    handle: JoinHandle<()>,
}

impl Thread {
    fn start(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<Self, StartError> {
        let started = Builder::new().name(name.to_owned()).spawn(work);
        let failed = |source| StartError::System { doing: "start a thread", source };
        Ok(Self { name, handle: started.map_err(failed)? })
    }

    /// A thread with a small runtime of its own.
    pub(super) fn start_async(
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let failed = |source: io::Error| StartError::System { doing: "start a runtime", source };
        let runtime = runtime.map_err(failed)?;
        Self::start(name, move || runtime.block_on(work))
    }

    /// Waits for its end.
    pub(super) async fn join(self) {
        let name = self.name;
        let joined = tokio::task::spawn_blocking(move || self.handle.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            error!("thread `{name}` ended by a panic");
        }
    }
}

/// Waits for all of them.
pub(super) async fn join(threads: Vec<Thread>) {
    for it in threads {
        it.join().await;
    }
}

/// The sensors that this host offers, not started yet.
#[derive(Debug)]
pub(super) struct Sensed {
    scope: Scope,
    chosen: [Chosen; 3],
}

impl Sensed {
    /// Tries the tiers of each sensor, best first. `resume` says where a lane's source stood.
    pub(super) fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        entropy: &dyn Entropy,
        resume: impl Fn(Lane) -> Option<Source>,
    ) -> Result<Self, StartError> {
        let scope = match &config.scope {
            config::Scope::Host => Scope::Host,
            config::Scope::Cgroup(path) => Scope::cgroup(path).map_err(StartError::Scope)?,
        };
        let pins = if config.pin { pins(config) } else { None };
        let start = |lane| ebpf::Start {
            scope: &scope,
            pins: pins.as_deref(),
            resume: resume(lane).map(|it| Position { epoch: it.epoch, offset: it.position }),
            ring_bytes: None,
            clock: Arc::clone(clock),
            entropy,
        };
        let process = process::choose(config.process, &start(Lane::Critical));
        let network = network::choose(config.network, &start(Lane::Network));
        // Our own files change because others do: watching them would never end.
        let watch = file::Watch {
            include: config.file_paths.clone(),
            exclude: vec![config.data_dir.clone()],
        };
        let file = file::choose(&watch, config.file, clock);
        Ok(Self { scope, chosen: [process, network, file] })
    }

    /// Logs what was chosen.
    pub(super) fn tell(&self) {
        for it in &self.chosen {
            let (sensor, tier) = (it.state.sensor.as_str(), it.state.tier.as_str());
            info!(sensor, tier, reason = it.state.reason, "chose a sensor's tier");
        }
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    pub(super) fn states(&self) -> Vec<SensorState> {
        self.chosen.iter().map(|it| it.state.clone()).collect()
    }

    /// Those that see only from now on.
    pub(super) fn begun(&self) -> Vec<health::Sensor> {
        self.those(|it| !it.is_resumed())
    }

    /// Those that see nothing any more when the agent ends.
    pub(super) fn ending(&self) -> Vec<health::Sensor> {
        self.those(|it| !it.outlives_agent())
    }

    fn those(&self, is: impl Fn(&dyn Sensor) -> bool) -> Vec<health::Sensor> {
        let those = self.chosen.iter().filter(|it| it.sensor.as_deref().is_some_and(&is));
        those.map(|it| it.state.sensor).collect()
    }

    /// The handles of sensors that can resume, by lane.
    pub(super) fn committed(&self) -> Vec<(Lane, Arc<Committed>)> {
        let of = |it: &Chosen| Some((lane_of(it.state.sensor), it.sensor.as_ref()?.committed()?));
        self.chosen.iter().filter_map(of).collect()
    }

    /// Starts a thread for each sensor.
    pub(super) fn start(
        self,
        clock: &Arc<dyn Clock>,
        stop: &CancellationToken,
    ) -> Result<(Queues, Vec<Thread>), StartError> {
        let mut threads = Vec::new();
        let mut queue = |it: Chosen| {
            let kind = it.state.sensor;
            let Some(sensor) = it.sensor else { return Ok((kind, None)) };
            let (sender, receiver) = outbox::channel();
            let (clock, stop) = (Arc::clone(clock), stop.clone());
            let work = move || sense(sensor, sender, clock.as_ref(), &stop);
            threads.push(Thread::start(kind.as_str(), work)?);
            Ok::<_, StartError>((kind, Some(receiver)))
        };
        let [process, network, file] = self.chosen;
        let queues = [queue(process)?, queue(network)?, queue(file)?];
        Ok((queues, threads))
    }
}

fn sense(
    mut sensor: Box<dyn Sensor>,
    sender: tokio::sync::mpsc::Sender<Vec<crate::sensor::Observation>>,
    clock: &dyn Clock,
    stop: &CancellationToken,
) {
    let kind: health::Sensor = sensor.kind();
    if let Err(error) = outbox::run(sensor.as_mut(), sender, clock, stop) {
        let error = &error as &dyn std::error::Error;
        error!(error, "the {} sensor broke: this host is blind there", kind.as_str());
    }
}

pub(super) fn pins(config: &Config) -> Option<PathBuf> {
    match ebpf::pins::folder(&config.pin_name()) {
        Ok(folder) => Some(folder),
        Err(error) => {
            warn!("kernel programs cannot be pinned and end with the agent: {error}");
            None
        }
    }
}
