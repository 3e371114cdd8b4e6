//! A fleet's worth of sessions against a real collector, open loop: what is due is due, whether the
//! collector keeps up or not.
//!
//! Each agent is enrolled and holds a session of its own over mutual TLS. All send the same sealed
//! batches, made beforehand, so that the generator costs the machine little: whose they are the
//! certificate says. Credit is obeyed. A batch's latency counts from the moment it was due, so a
//! stall shows in every batch that it held up.

mod disk;
mod report;
mod sender;

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use bytes::Bytes;
use cordon_shared::{
    id::Epoch,
    limit,
    time::{Clock, SystemClock},
};
use tokio::task::JoinSet;

pub use self::report::Report;
use self::sender::{Schedule, Sent};
use crate::{
    child::cpu_ns_by_thread,
    histogram::Histogram,
    lake,
    peer::{Link, Peer},
    synth,
    testbed::Testbed,
};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Agents, each with a session.
    pub agents: u32,
    /// Events a second of all agents together.
    pub rate: u32,
    /// How long.
    pub duration: Duration,
    /// Encoded bytes of an event, before compression.
    pub event_bytes: usize,
    /// Events of a batch, 1..=256; what one agent has in a quarter of a second when not given.
    pub batch_events: Option<usize>,
    /// Where the collector's data lie; a temporary folder otherwise.
    pub folder: Option<PathBuf>,
}

impl Plan {
    fn batch_events(&self) -> usize {
        let quarter = self.rate / self.agents / 4;
        let quarter = usize::try_from(quarter).unwrap_or(limit::BATCH_EVENTS_MAX);
        self.batch_events.unwrap_or(quarter.clamp(1, limit::BATCH_EVENTS_MAX))
    }

    /// Between two batches of one agent.
    fn interval(&self) -> Duration {
        let events = self.batch_events() as u64 * u64::from(self.agents);
        Duration::from_nanos(events * 1_000_000_000 / u64::from(self.rate))
    }
}

/// Handshakes under way (chosen: what a collector takes at once).
const OPENING: usize = 32;

/// Starts a collector, loads it, and says how it went.
///
/// # Errors
/// When the load cannot be set up, or an agent's session ends.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    ensure!(plan.agents > 0 && plan.rate > 0, "at least one agent and one event a second");
    let per_batch = plan.batch_events();
    ensure!((1..=limit::BATCH_EVENTS_MAX).contains(&per_batch), "1..=256 events a batch");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("loadgen")
        .enable_all()
        .build()
        .context("start a runtime")?;
    let data = plan.folder.as_ref().map(|it| it.join(format!("loadgen-{}", std::process::id())));
    let mut testbed = Testbed::start_on(data.as_deref())?;
    let measured = runtime.block_on(measure(plan, &testbed));
    testbed.collector_mut().stop()?;
    let mut report = measured?;
    report.stored = lake::count(&testbed.collector().lake())?;
    report.lake_bytes = lake::bytes(&testbed.collector().lake())?;
    drop(testbed);
    if let Some(data) = data {
        std::fs::remove_dir_all(data).context("remove the collector's data")?;
    }
    Ok(report)
}

async fn measure(plan: &Plan, testbed: &Testbed) -> anyhow::Result<Report> {
    let (batches, raw_bytes) = batches(plan)?;
    let links = connect(plan, testbed).await?;
    let idle = disk::probe(testbed.collector().data(), 200)?;

    let collector = testbed.collector().process().pid();
    let (cpu, own_cpu) = (cpu_ns_by_thread(collector)?, cpu_ns_by_thread(std::process::id())?);
    let schedule = Arc::new(Schedule {
        start: SystemClock.boottime().saturating_add(Duration::from_millis(200)),
        end: plan.duration,
        interval: plan.interval(),
        sealed_bytes: batches.iter().map(|it| it.bytes.len() as u64).sum(),
        batches,
    });
    let busy = disk::during(testbed.collector().data(), plan.duration)?;
    let mut running = JoinSet::new();
    for (index, link) in (0..plan.agents).zip(links) {
        let offset = schedule.interval * index / plan.agents;
        running.spawn(sender::run(link, Arc::clone(&schedule), offset));
    }
    let mut all = Sent::default();
    while let Some(sent) = running.join_next().await {
        all.add(&sent.context("join an agent")??);
    }
    let busy =
        tokio::task::spawn_blocking(move || busy.finish()).await.context("join a probe")??;
    let grown =
        |before: &[(String, u64)], pid| anyhow::Ok(report::grown(before, &cpu_ns_by_thread(pid)?));
    Ok(Report {
        agents: plan.agents,
        duration: plan.duration,
        offered: u64::from(plan.agents) * schedule.events(),
        late: all.acked - all.acked_in_time,
        acked: all.acked,
        acked_in_time: all.acked_in_time,
        raw_bytes_per_event: raw_bytes,
        sealed_bytes_per_event: schedule.sealed_bytes / schedule.events().max(1),
        from_due: all.from_due,
        from_sent: all.from_sent,
        fdatasync_idle: idle,
        fdatasync_busy: busy,
        cpu: grown(&cpu, collector)?,
        own_cpu_ns: grown(&own_cpu, std::process::id())?.iter().map(|it| it.1).sum(),
        memory_bytes_peak: testbed.collector().process().memory_bytes_peak()?,
        stored: 0,
        lake_bytes: 0,
    })
}

/// The batches that each agent sends, and what an event of them weighs before compression.
fn batches(plan: &Plan) -> anyhow::Result<(Vec<sender::Batch>, u64)> {
    let epoch = Epoch::from_u64(1).context("an epoch")?;
    // A first try shows what an event weighs without its filler.
    let per_batch = plan.batch_events();
    let weight = |argument_bytes| {
        let sealed = synth::Stream::new("load", epoch, argument_bytes).batch(per_batch)?;
        anyhow::Ok(sealed.header().body_raw_bytes() / per_batch)
    };
    let bare = weight(1)?;
    let filler = plan.event_bytes.saturating_sub(bare).max(1);
    let count = (plan.duration.as_nanos() / plan.interval().as_nanos().max(1)).max(1);
    let mut stream = synth::Stream::new("load", epoch, filler);
    let mut batches = Vec::new();
    for _ in 0..count {
        let sealed = stream.batch(per_batch)?;
        let last_seq = sealed.header().last_seq().as_u64();
        let bytes = Bytes::clone(sealed.bytes());
        batches.push(sender::Batch { bytes, last_seq, events: per_batch as u64 });
    }
    Ok((batches, weight(filler)? as u64))
}

/// Enrols every agent, and opens its session. Each comes from an address of its own, as hosts do:
/// what comes too fast from one address is turned away.
async fn connect(plan: &Plan, testbed: &Testbed) -> anyhow::Result<Vec<(Link, u32, u64)>> {
    let token = testbed.api().token(u64::from(plan.agents))?;
    let sessions = testbed.collector().addresses().sessions;
    let mut links = Vec::new();
    let mut opening = JoinSet::new();
    for index in 0..plan.agents {
        let [_, high, middle, low] = (index / 4).to_be_bytes();
        let source = Ipv4Addr::new(127, high.wrapping_add(1), middle, low.max(1));
        let token = token.clone();
        opening.spawn(async move {
            let peer = Peer::enrol_from(&token, sessions, Some(source.into())).await?;
            let (link, welcome) = peer.session().await?;
            let credit = welcome.credit.unwrap_or_default();
            anyhow::Ok((link, credit.batches_max, credit.bytes_max))
        });
        if opening.len() >= OPENING {
            links.extend(opening.join_next().await.transpose().context("join")?.transpose()?);
        }
    }
    while let Some(opened) = opening.join_next().await {
        links.push(opened.context("join")??);
    }
    Ok(links)
}

/// Adds what one agent saw to what all saw.
impl Sent {
    fn add(&mut self, other: &Self) {
        self.acked += other.acked;
        self.acked_in_time += other.acked_in_time;
        self.from_due.merge(&other.from_due);
        self.from_sent.merge(&other.from_sent);
    }
}

/// Percentiles of a histogram, for people.
fn percentiles(histogram: &Histogram) -> String {
    let of = |share| {
        let found = histogram.per_mille(share).unwrap_or_default();
        format!("{:.2} ms", found.as_secs_f64() * 1_000.0)
    };
    format!("p50 {}, p99 {}, p99.9 {}", of(500), of(990), of(999))
}
