//! `run --stdout`: events as OCSF JSON lines, with no collector, no spool and no enrolment.

use std::{io::Write, path::PathBuf, sync::Arc};

use cordon_shared::{
    arrival::Host,
    entropy::SystemEntropy,
    id::{AgentId, HostId},
    ocsf::{Context, json},
    time::{Clock, SystemClock},
};
use tokio_util::sync::CancellationToken;

use super::{
    StartError, heap, host,
    sensors::{self, Sensed},
};
use crate::{
    config::Config,
    enrich::{self, Enricher},
};

/// Prints what is sensed until `stop`, or until nobody reads it.
///
/// # Errors
/// [`StartError`].
pub async fn run(config: &Config, stop: CancellationToken) -> Result<(), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let facts = host::facts()?;
    // Without an enrolment these name nobody; they differ from run to run.
    let agent = AgentId::random(clock.as_ref(), &SystemEntropy);
    let machine = Host {
        id: HostId::random(clock.as_ref(), &SystemEntropy),
        name: facts.host_name.clone(),
        os: facts.os.clone(),
    };
    let unpinned = Config { pin: false, ..config.clone() };
    let sensed = Sensed::open(&unpinned, &clock, &SystemEntropy, |_| None)?;
    sensed.tell();
    heap::trim();
    let mut enricher = Enricher::new(enrich::Settings {
        proc: PathBuf::from("/proc"),
        passwd: PathBuf::from("/etc/passwd"),
        scope: sensed.scope(),
        clock: Arc::clone(&clock),
    });
    let committed = sensed.committed();
    let (queues, threads) = sensed.start(&clock, &stop)?;
    let (sender, mut merged) = tokio::sync::mpsc::channel(1);
    let merging = cordon_shared::tasks::Tasks::new();
    for (kind, queue) in queues {
        let Some(mut queue) = queue else { continue };
        let sender = sender.clone();
        merging.spawn(kind.as_str(), async move {
            while let Some(batch) = queue.recv().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut out = std::io::stdout();
    while let Some(batch) = merged.recv().await {
        enricher.tick();
        for observation in batch {
            let position = observation.source;
            if let Some(event) = enricher.event(observation) {
                let context = Context {
                    id: None,
                    agent,
                    host: &machine,
                    boot: facts.boot,
                    time: event.realtime,
                    received: None,
                };
                if writeln!(out, "{}", json::to_string(&event, &context)).is_err() {
                    stop.cancel();
                }
            }
            // What was printed is as safe as it gets: a source knows its own making and ignores
            // the others'.
            committed.iter().for_each(|(_, it)| it.advance(position));
        }
    }
    sensors::join(threads).await;
    Ok(())
}

/// Tells a person something. One who has stopped reading is told nothing.
pub(super) fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
