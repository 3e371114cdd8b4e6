//! Batches accepted per second: validate → journal with fsync → fanout → acknowledgement, and the
//! CPU that an event costs on that road, beside the machine's own `fdatasync`.
//!
//! `cargo bench -p cordon-collector --bench ingest` prints one line per figure. What the road costs
//! before (TLS, HTTP/2) and after it (Parquet) is not in it. Each agent keeps as many batches under
//! way as it is granted, from memory; both consumers read all that comes. The disk is the one that
//! the target folder is on.
//!
//! `INGEST_AGENTS` (8), `INGEST_BATCHES` per agent (150) and `INGEST_EVENTS` per batch (256) change
//! the load.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "the figures are what a bench is for")]

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cordon_collector::ingest::{
    Ingest, Offer, Outcome, Submission,
    fanout::{Fanout, Feed, Sight},
    journal::{Journal, Opening},
    validate::validate,
};
use cordon_shared::{
    entropy::SystemEntropy,
    id::{AgentId, Epoch, EventSeq, Lane},
    limit,
    seglog::{Disk, Mode, RealDisk},
    test_support::Random,
    time::{Clock, SystemClock},
};
use tokio::sync::mpsc;

/// Syncs of the baseline.
const SYNCS: usize = 300;

fn main() {
    let (agents, batches) = (setting("INGEST_AGENTS", 8), setting("INGEST_BATCHES", 150));
    let events = setting("INGEST_EVENTS", 256);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let loads: Vec<_> = (0..agents).map(|agent| load(agent, batches, events)).collect();
    let sealed: usize = loads.iter().flatten().map(Bytes::len).sum();
    let count = agents * batches * events;
    println!("events                      {count}, sealed {:.0} bytes each", per(sealed, count));
    validation(&loads, count);
    baseline(dir.path(), sealed / (agents * batches));
    road(dir.path(), loads, count);
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(sum: usize, count: usize) -> f64 {
    sum as f64 / count as f64
}

/// What one agent sends.
fn load(agent: usize, batches: usize, events: usize) -> Vec<Bytes> {
    let random = Random::new(agent as u64);
    let mut first = EventSeq::FIRST;
    let mut load = Vec::with_capacity(batches);
    for _ in 0..batches {
        let epoch = Epoch::from_u64(7).unwrap();
        load.push(random.batch(Lane::Critical, epoch, first, events).bytes().clone());
        first = first.checked_add(events as u64).unwrap();
    }
    load
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// What the border alone costs.
fn validation(loads: &[Vec<Bytes>], count: usize) {
    let began = cpu();
    let mut raw = 0;
    for sealed in loads.iter().flatten() {
        raw += validate(sealed.clone()).unwrap().header().body_raw_bytes();
    }
    println!("  raw                       {:.0} bytes each", per(raw, count));
    println!("validate, CPU per event     {}", micros(cpu() - began, count));
}

fn micros(time: Duration, count: usize) -> String {
    format!("{:.2} µs", per(usize::try_from(time.as_nanos()).unwrap(), count) / 1_000.0)
}

/// The machine's own: an append of one batch's size, then `fdatasync`.
fn baseline(dir: &Path, bytes: usize) {
    let file = RealDisk.open(&dir.join("baseline"), Mode::New).unwrap();
    let block = vec![0x5a; bytes];
    let mut times = Vec::with_capacity(SYNCS);
    for at in 0..SYNCS {
        file.write_at(&block, (at * bytes) as u64).unwrap();
        let began = now();
        file.sync().unwrap();
        times.push(began.elapsed());
    }
    println!("fdatasync, p50 and p99      {}", spread(times));
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{:.2?}, {:.2?}", at(50), at(99))
}

/// The whole of it.
fn road(dir: &Path, loads: Vec<Vec<Bytes>>, count: usize) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opening = Opening {
        disk: Arc::new(RealDisk),
        dir: &dir.join("journal"),
        consumers: &[],
        clock: Arc::clone(&clock),
        entropy: &SystemEntropy,
    };
    let (journal, ingest, fanout) = Journal::open(opening).unwrap();
    let journal = journal.start().unwrap();
    let consumers = [("lake", Sight::Durable), ("detect", Sight::Appended)].map(|(name, sight)| {
        let feed = Fanout::feed(&fanout, name, sight, 0);
        thread::spawn(move || consume(feed))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (began, began_cpu) = (now(), cpu());
    let times = runtime.block_on(async {
        let agents = loads.into_iter().enumerate().map(|(agent, load)| {
            let (ingest, clock) = (ingest.clone(), Arc::clone(&clock));
            #[expect(clippy::disallowed_methods, reason = "waited for below")]
            tokio::spawn(send(agent, load, ingest, clock))
        });
        let mut times = Vec::new();
        for agent in agents.collect::<Vec<_>>() {
            times.append(&mut agent.await.unwrap());
        }
        times
    });
    let (took, took_cpu) = (began.elapsed(), cpu() - began_cpu);
    drop(ingest);
    journal.join().unwrap();
    let read: Vec<usize> = consumers.map(|it| it.join().unwrap()).to_vec();
    assert_eq!(read, [count, count], "both consumers saw every event");
    println!("batch to ack, p50 and p99   {}", spread(times));
    println!("events durable per second   {:.0}", per(count, 1) / took.as_secs_f64());
    println!("CPU per event to the ack    {}", micros(took_cpu, count));
}

/// One session: checks, submits, and waits when it has all under way that it may have.
async fn send(
    agent: usize,
    load: Vec<Bytes>,
    ingest: Ingest,
    clock: Arc<dyn Clock>,
) -> Vec<Duration> {
    let agent = AgentId::from_slice(&[u8::try_from(agent).unwrap() + 1; 16]).unwrap();
    let granted = limit::CREDIT_BATCHES as usize;
    let (reply, mut outcomes) = mpsc::channel(granted + 1);
    let mut sent = std::collections::VecDeque::new();
    let mut times = Vec::with_capacity(load.len());
    for sealed in load {
        while sent.len() >= granted {
            answered(&mut outcomes, &mut sent, &mut times).await;
        }
        sent.push_back(now());
        let offer = Offer::Checked(validate(sealed).unwrap());
        let received = clock.now();
        let (boot_epoch, is_corrected, reply) = (received, true, reply.clone());
        let submission = Submission { agent, offer, received, boot_epoch, is_corrected, reply };
        ingest.reserve().await.unwrap().send(submission);
    }
    while !sent.is_empty() {
        answered(&mut outcomes, &mut sent, &mut times).await;
    }
    times
}

async fn answered(
    outcomes: &mut mpsc::Receiver<Outcome>,
    sent: &mut std::collections::VecDeque<Instant>,
    times: &mut Vec<Duration>,
) {
    let outcome = outcomes.recv().await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    times.push(sent.pop_front().unwrap().elapsed());
}

/// Reads as lake and detection do, without what they then do.
fn consume(mut feed: Feed) -> usize {
    let (mut position, mut events) = (0, 0);
    while !feed.is_done(position) {
        let page = feed.next(position, 64, Duration::from_millis(100)).unwrap();
        events += page.arrivals.iter().map(|it| it.contents.events.len()).sum::<usize>();
        position = page.next;
        feed.release(position);
    }
    events
}
