mod disk;
mod engine;
mod filer;
mod merge;
mod model;
mod road;
mod seek;

use std::time::Duration;

use cordon_shared::{
    arrival::{Arrival, Host},
    batch::{Builder, Sealed, Source},
    entropy::SeededEntropy,
    event::Event,
    id::{AgentId, Epoch, EventSeq, HostId, Lane},
    ocsf,
    seglog::SimDisk,
    test_support::{Random, origin},
    time::{ClockSample, FakeClock, Timestamp},
};

use super::{
    search::{Found, Query},
    *,
};

/// When the samples were received: two seconds after the first of them was sent.
const RECEIVED_NS: i64 = 1_764_001_002_000_000_000;

fn opening(disk: Arc<dyn Disk>, dir: &Path) -> Result<Lake, LakeError> {
    Lake::open(Opening {
        disk,
        dir,
        collector: CollectorId::from_slice(&[0xc0; 16]).unwrap(),
        clock: Arc::new(FakeClock::at(ClockSample::default())),
        entropy: &SeededEntropy::new(1),
        is_used: false,
    })
}

fn open(disk: &SimDisk) -> Result<Lake, LakeError> {
    opening(Arc::new(disk.clone()), Path::new("/lake"))
}

fn agent(number: u8) -> AgentId {
    AgentId::from_slice(&[number + 1; 16]).unwrap()
}

/// A batch as the journal hands it out.
fn arrival(position: u64, agent: AgentId, sealed: &Sealed) -> Arc<Arrival> {
    let host = HostId::from_slice(agent.as_bytes()).unwrap();
    let name = format!("web-{}", agent.as_bytes()[0]);
    Arc::new(Arrival {
        position,
        agent,
        host: Arc::new(Host { id: host, name, os: "Debian GNU/Linux 12".to_owned() }),
        received: Timestamp::from_ns(RECEIVED_NS),
        boot_epoch: origin().clock.realtime.saturating_sub(Duration::from_secs(1_000)),
        is_corrected: true,
        header: *sealed.header(),
        contents: Arc::new(sealed.open().unwrap()),
    })
}

fn sealed(lane: Lane, epoch: u64, first: u64, events: &[Event]) -> Sealed {
    let (epoch, first) = (Epoch::from_u64(epoch).unwrap(), EventSeq::from_u64(first).unwrap());
    let mut builder = Builder::new(lane, epoch, first, origin());
    events.iter().for_each(|it| builder.push(it, Source::default()));
    builder.seal().unwrap()
}

/// Random batches of all lanes and a few agents, `count` events each, at rising positions.
fn arrivals(seed: u64, positions: std::ops::Range<u64>, count: usize) -> Vec<Arc<Arrival>> {
    let random = Random::new(seed);
    positions
        .map(|position| {
            let lane = [Lane::Critical, Lane::Network, Lane::File][(position % 3) as usize];
            let (epoch, first) = (Epoch::from_u64(7).unwrap(), position * 300 + 1);
            let first = EventSeq::from_u64(first).unwrap();
            let sealed = random.batch(lane, epoch, first, count);
            arrival(position, agent((position % 4) as u8), &sealed)
        })
        .collect()
}

/// What a search should give for these arrivals, newest first.
fn expected(arrivals: &[Arc<Arrival>]) -> Vec<Row> {
    let mut rows: Vec<_> = arrivals
        .iter()
        .flat_map(|arrival| {
            arrival.events().map(move |(id, event)| {
                let context = commit::context(arrival, id, event);
                let row = ocsf::json::to_string(event, &context);
                ((context.time.as_ms(), id), serde_json::from_str(&row).unwrap())
            })
        })
        .collect();
    rows.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// All rows, page by page.
fn all(lake: &Lake, query: &Query) -> Vec<Row> {
    let (mut rows, mut query) = (Vec::new(), query.clone());
    loop {
        let Found { rows: page, next, is_partial } = lake.search(&query).unwrap();
        assert!(!is_partial);
        rows.extend(page);
        query.after = next;
        if next.is_none() {
            return rows;
        }
    }
}

fn everything() -> Query {
    Query { limit: 100, ..Query::default() }
}
