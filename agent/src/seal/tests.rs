//! Sealing over a disk that fills and an agent that is killed: every event is stored or declared.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    entropy::SeededEntropy,
    event::{Body, Event, health::Loss},
    id::{Epoch, Lane},
    limit,
    seglog::SimDisk,
    test_support::{agent, origin, samples},
    time::{Clock as _, FakeClock},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

use super::Sealer;
use crate::{
    sensor::{Committed, Position},
    spool::{Alive, Before, Fate, Settings, Spool},
};

const RING: u64 = 77;

/// An agent between a pinned ring and a disk.
struct Bench {
    disk: SimDisk,
    entropy: SeededEntropy,
    clock: Arc<FakeClock>,
    sealer: Option<Sealer>,
    committed: Arc<Committed>,
    /// What the ring was released to: survives the agent.
    released: u64,
    /// What was read of the ring by this life of the agent.
    read: u64,
    /// What was written to the ring: its events are numbered by position, from 1.
    written: u64,
    /// Under which number each position was sealed last.
    sealed: BTreeMap<(Epoch, u64), u64>,
}

impl Bench {
    fn new() -> Self {
        let mut it = Self {
            disk: SimDisk::default(),
            entropy: SeededEntropy::new(7),
            clock: Arc::new(FakeClock::at(origin().clock)),
            sealer: None,
            committed: Arc::new(Committed::new(Position { epoch: RING, offset: 0 })),
            released: 0,
            read: 0,
            written: 0,
            sealed: BTreeMap::new(),
        };
        it.start();
        it
    }

    fn start(&mut self) {
        let disk = Arc::new(self.disk.clone());
        let folder = Path::new("/spool");
        let entropy = &self.entropy;
        let spool = Spool::open(&Settings { folder, bytes_max: 4 << 20, disk, entropy });
        let spool = spool.expect("opens");
        let resumed = spool.resume(Lane::Critical).map_or(0, |it| it.position);
        self.read = resumed.max(self.released);
        let at = Position { epoch: RING, offset: self.read };
        self.committed = Arc::new(Committed::new(at));
        self.released = self.read;
        let clock = Arc::clone(&self.clock);
        let mut sealer = Sealer::new(spool, agent(), origin().boot, clock);
        sealer.release(Lane::Critical, Arc::clone(&self.committed));
        self.sealer = Some(sealer);
    }

    fn sealer(&mut self) -> &mut Sealer {
        self.sealer.as_mut().expect("it runs")
    }

    /// As after `kill -9`; the ring lives on.
    fn kill(&mut self) {
        self.sealer = None;
        self.start();
    }

    /// The ring's next events are read and sealed.
    fn sense(&mut self, count: u64) {
        self.written += count;
        while self.read < self.written {
            self.read += 1;
            let mut event: Event = samples().remove(0);
            event.boottime = self.clock.boottime();
            let (epoch, seq) = self.sealer().next(Lane::Critical);
            self.sealed.insert((epoch, seq.as_u64()), self.read);
            let position = Position { epoch: RING, offset: self.read };
            self.sealer().push(&event, Some((Lane::Critical, position)));
        }
    }

    fn tick(&mut self) {
        self.clock.advance(Duration::from_secs(2));
        self.sealer().tick();
        self.sealer().declare();
        self.sealer().spool().sync();
        // The sensor's thread releases at its own pace: sometimes not before a kill.
        if self.written.is_multiple_of(3) {
            self.released = self.committed.position().offset;
        }
    }

    fn bound(&self, bytes_more: usize) {
        let bytes = self.disk.paths().into_iter().filter_map(|it| self.disk.bytes_of(&it));
        let used: usize = bytes.map(|it| it.len()).sum();
        self.disk.set_bytes_max(Some(used + bytes_more));
    }

    /// Positions that are stored and positions that are declared lost, each as often as it is.
    fn account(&mut self) -> (Vec<u64>, Vec<u64>) {
        let (mut stored, mut ranges) = (Vec::new(), Vec::new());
        for batch in
            self.sealer().spool().lease(Lane::Critical, usize::MAX, usize::MAX).expect("reads")
        {
            for (index, event) in batch.open().expect("ours").events.iter().enumerate() {
                let id = batch.header().event_id(agent(), index).expect("within");
                if let Body::Loss(Loss { range, count, .. }) = &event.body {
                    let range = range.expect("all numbers are known");
                    let last = range.last.as_u64();
                    assert_eq!(*count, last + 1 - range.first.as_u64());
                    ranges.push((range.epoch, range.first.as_u64(), last));
                } else {
                    stored.push(self.sealed[&(id.epoch, id.seq.as_u64())]);
                }
            }
        }
        let lost = ranges.iter().flat_map(|(epoch, first, last)| {
            (*first..=*last).filter_map(|seq| self.sealed.get(&(*epoch, seq)).copied())
        });
        (stored, lost.collect())
    }
}

/// What can happen.
#[derive(Clone, Debug)]
enum Act {
    Sense(u64),
    Tick,
    Kill,
    Fill(usize),
    MakeRoom,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1_u64..40).prop_map(Act::Sense),
        4 => Just(Act::Tick),
        2 => Just(Act::Kill),
        2 => (0_usize..3_000).prop_map(Act::Fill),
        1 => Just(Act::MakeRoom),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// generated − stored − declared = 0, each exactly once, whatever happens.
    #[test]
    fn f_6_every_event_is_stored_or_declared_over_full_disks_and_kills(
        acts in proptest::collection::vec(act(), 1..40),
    ) {
        let mut bench = Bench::new();
        for act in acts {
            match act {
                Act::Sense(count) => bench.sense(count),
                Act::Tick => bench.tick(),
                Act::Kill => bench.kill(),
                Act::Fill(bytes_more) => bench.bound(bytes_more),
                Act::MakeRoom => bench.disk.set_bytes_max(None),
            }
        }
        bench.disk.set_bytes_max(None);
        bench.sense(1);
        bench.tick();
        bench.tick();
        let (stored, lost) = bench.account();
        let all: BTreeSet<u64> = stored.iter().chain(&lost).copied().collect();
        let missing: Vec<_> = (1..=bench.written).filter(|it| !all.contains(it)).collect();
        assert!(missing.is_empty(), "neither stored nor declared: {missing:?}");
        assert_eq!(stored.len() + lost.len(), all.len(), "an event is counted twice");
    }
}

#[test]
fn f_6_a_source_is_not_let_go_of_a_batch_that_is_only_in_memory() {
    let mut bench = Bench::new();
    bench.sense(1);
    assert_eq!(bench.committed.position().offset, 0, "nothing is sealed yet");
    bench.tick();
    assert_eq!(bench.committed.position().offset, 1);
    bench.bound(0);
    bench.sense(4);
    bench.tick();
    // Let go, since the loss stands in the book: after a kill it is declared.
    assert_eq!(bench.committed.position().offset, 5);
    bench.kill();
    bench.disk.set_bytes_max(None);
    bench.tick();
    assert_eq!(bench.account(), (vec![1], vec![2, 3, 4, 5]));
}

#[test]
fn a_loss_is_spooled_before_the_source_of_another_lane_lets_go_of_it() {
    let mut bench = Bench::new();
    let network = Arc::new(Committed::new(Position { epoch: RING, offset: 0 }));
    bench.sealer().release(Lane::Network, Arc::clone(&network));
    let loss = samples().into_iter().find(|it| matches!(it.body, Body::Loss(_))).expect("one");
    let position = Position { epoch: RING, offset: 5 };
    bench.sealer().push(&loss, Some((Lane::Network, position)));
    assert_eq!(network.position(), position);
    bench.kill();
    let leased = bench.sealer().spool().lease(Lane::Critical, 9, usize::MAX).expect("reads");
    let bodies: Vec<_> = leased.iter().flat_map(|it| it.open().expect("ours").events).collect();
    assert_eq!(bodies.len(), 1, "the loss went with the agent");
}

#[test]
fn f_6_an_event_that_fills_a_batch_is_not_called_spooled_when_the_disk_refuses_it() {
    let mut bench = Bench::new();
    bench.sense(limit::BATCH_EVENTS_MAX as u64 - 1);
    bench.bound(0);
    let mut event: Event = samples().remove(0);
    event.boottime = bench.clock.boottime();
    assert_eq!(bench.sealer().push_now(&event), Fate::Lost);
    bench.disk.set_bytes_max(None);
    assert_eq!(bench.sealer().push_now(&event), Fate::Spooled);
}

#[test]
fn f_47_an_agent_gives_no_sign_of_life_before_its_gap_is_spooled() {
    let mut bench = Bench::new();
    assert_eq!(bench.sealer().spool().before(), Before::Nobody);
    bench.sealer().begin(&[]);
    let at = bench.clock.boottime();
    let alive = |at| Before::Alive(Alive { boot: origin().boot, at });
    bench.kill();
    assert_eq!(bench.sealer().spool().before(), alive(at));
    bench.clock.advance(Duration::from_secs(60));
    bench.sense(1);
    bench.sealer().sync(true);
    let at = bench.clock.boottime();
    bench.kill();
    assert_eq!(bench.sealer().spool().before(), alive(at));
    // What waits before the sealer is not in the spool: no sign of life.
    bench.clock.advance(Duration::from_secs(60));
    bench.sealer().sync(false);
    bench.kill();
    assert_eq!(bench.sealer().spool().before(), alive(at));
    // A gap that finds no room is not told.
    bench.bound(0);
    let gap = samples().into_iter().find(|it| matches!(it.body, Body::Loss(_)));
    bench.sealer().begin(&[gap.expect("there is one")]);
    bench.disk.set_bytes_max(None);
    bench.sealer().sync(true);
    bench.kill();
    assert_eq!(bench.sealer().spool().before(), alive(at));
    // Nothing that is open yet is told to be there.
    bench.sealer().sync(true);
    let now = bench.clock.boottime();
    bench.sense(1);
    bench.clock.advance(Duration::from_secs(60));
    bench.sealer().sync(true);
    bench.kill();
    assert_eq!(bench.sealer().spool().before(), alive(now));
}
