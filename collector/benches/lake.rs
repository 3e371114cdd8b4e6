//! What the lake costs: rows filed and compacted a second, bytes an event, and how long a needle
//! takes. `cargo bench -p cordon-collector --bench lake -- [ROWS]`; it prints one line a figure, with
//! the machine's processors, and writes below the system's folder for temporary files.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what a real clock says, and ends when it cannot be set up"
)]

use std::{path::Path, sync::Arc, time::Instant};

use cordon_collector::lake::{
    Lake, Opening,
    search::{Filter, Query},
};
use cordon_shared::{
    arrival::{Arrival, Host},
    digest::Sha256,
    entropy::SystemEntropy,
    id::{AgentId, CollectorId, Epoch, EventId, EventSeq, HostId, Lane},
    seglog::RealDisk,
    test_support::{Random, origin},
    time::{SystemClock, Timestamp},
};

/// Events of a batch.
const BATCH_EVENTS: u64 = 256;

/// Batches of a commit: as many as the filer gathers under load.
const COMMIT_BATCHES: usize = 256;

fn arrivals(agents: u64, from: u64, count: u64) -> Vec<Arc<Arrival>> {
    let random = Random::new(from);
    let lanes = [Lane::Critical, Lane::Network, Lane::File];
    (from..from + count)
        .map(|position| {
            let agent = u8::try_from(position % agents % 250).unwrap() + 1;
            let agent = AgentId::from_slice(&[agent; 16]).unwrap();
            let first = EventSeq::from_u64(position * BATCH_EVENTS + 1).unwrap();
            let (epoch, lane) =
                (Epoch::from_u64(7).unwrap(), lanes[usize::try_from(position % 3).unwrap()]);
            let sealed = random.batch(lane, epoch, first, usize::try_from(BATCH_EVENTS).unwrap());
            let host = HostId::from_slice(agent.as_bytes()).unwrap();
            let (name, os) = (format!("web-{agent}"), "Debian GNU/Linux 12".to_owned());
            Arc::new(Arrival {
                position,
                agent,
                host: Arc::new(Host { id: host, name, os }),
                received: origin().clock.realtime,
                boot_epoch: Timestamp::from_ns(origin().clock.realtime.as_ns() - 1_000_000_000_000),
                is_corrected: true,
                header: *sealed.header(),
                contents: Arc::new(sealed.open().unwrap()),
            })
        })
        .collect()
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|it| match it.metadata().unwrap() {
            meta if meta.is_dir() => folder_bytes(&it.path()),
            meta => meta.len(),
        })
        .sum()
}

fn timed<T>(what: &str, rows: u64, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = run();
    let took = began.elapsed();
    if rows > 0 {
        let per_row = took.as_secs_f64() * 1e6 / rows as f64;
        println!("{what}: {:.0} rows/s, {per_row:.2} µs/row", rows as f64 / took.as_secs_f64());
    } else {
        println!("{what}: {:.1} ms", took.as_secs_f64() * 1e3);
    }
    done
}

fn main() {
    let asked = std::env::args().filter_map(|it| it.parse::<u64>().ok()).next();
    let batches = asked.unwrap_or(1_000_000).div_ceil(BATCH_EVENTS);
    let rows = batches * BATCH_EVENTS;
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(Opening {
        disk: Arc::new(RealDisk),
        dir: dir.path(),
        collector: CollectorId::from_slice(&[1; 16]).unwrap(),
        clock: Arc::new(SystemClock),
        entropy: &SystemEntropy,
        is_used: false,
    })
    .unwrap();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{rows} rows, {cores} processors, one thread");

    let arrivals = arrivals(200, 0, batches);
    timed("filed", rows, || {
        for page in arrivals.chunks(COMMIT_BATCHES) {
            lake.file(page, page.last().unwrap().position + 1).unwrap();
        }
    });
    println!("as filed: {:.1} bytes/event", folder_bytes(dir.path()) as f64 / rows as f64);
    let mut refused = std::collections::BTreeSet::new();
    timed("compacted", rows, || while lake.compact(&mut refused).unwrap() {});
    println!("compacted: {:.1} bytes/event", folder_bytes(dir.path()) as f64 / rows as f64);

    let query = |filters| Query { filters, limit: 100, ..Query::default() };
    let needle = |filter| lake.search(&query(vec![filter])).unwrap().rows.len();
    let absent = Filter::Sha256(Sha256::of(b"not there"));
    timed("a digest that is not there", 0, || assert_eq!(needle(absent), 0));
    let last = arrivals.last().unwrap();
    let id: EventId = last.header.event_id(last.agent, 0).unwrap();
    timed("one event by name", 0, || assert!(lake.get(id).unwrap().is_some()));
    timed("a name that many rows hold", 0, || {
        assert!(needle(Filter::Name("c2.example".into())) > 0);
    });
    timed("the newest 100", 0, || assert_eq!(lake.search(&query(vec![])).unwrap().rows.len(), 100));
    timed("counted by class", 0, || lake.count_by_class(&query(vec![])).unwrap());
}
