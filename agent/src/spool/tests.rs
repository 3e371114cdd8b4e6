//! A spool on a simulated disk against a plain model of it.

mod damage;
mod disk;

use std::{collections::VecDeque, path::Path, sync::Arc};

use cordon_shared::{
    batch::{Builder, Sealed, Source},
    entropy::SeededEntropy,
    event::health::LossCause,
    id::{EventSeq, Lane},
    seglog::SimDisk,
    test_support::{Random, origin},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

use super::{Fate, Settings, Shed, Spool};

const FOLDER: &str = "/spool";

/// A spool in memory.
struct Bench {
    disk: SimDisk,
    entropy: SeededEntropy,
    random: Random,
    bytes_max: u64,
    /// `None` while it is down.
    spool: Option<Spool>,
}

impl Bench {
    fn new(bytes_max: u64) -> Self {
        let disk = SimDisk::default();
        let (entropy, random) = (SeededEntropy::new(7), Random::new(7));
        let spool = Some(open(&disk, &entropy, bytes_max));
        Self { disk, entropy, random, bytes_max, spool }
    }

    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().expect("it is open")
    }

    /// As after `kill -9`: what was written is there, what was in memory is not.
    fn reopen(&mut self) {
        self.spool = None;
        self.spool = Some(open(&self.disk, &self.entropy, self.bytes_max));
    }

    /// Seals and pushes a batch.
    fn push(&mut self, lane: Lane, count: usize) -> (Sealed, Fate) {
        let (epoch, seq) = self.spool().lane(lane).next();
        let batch = self.random.batch(lane, epoch, seq, count);
        let fate = self.spool().push(&batch);
        (batch, fate)
    }

    /// Pushes a batch that has room.
    fn keep(&mut self, lane: Lane, count: usize) -> Sealed {
        let (batch, fate) = self.push(lane, count);
        assert_eq!(fate, Fate::Spooled);
        batch
    }

    fn lease(&mut self, lane: Lane, batches_max: usize) -> Vec<Sealed> {
        self.spool().lease(lane, batches_max, usize::MAX).expect("reads")
    }

    fn ack(&mut self, batch: &Sealed) {
        let header = *batch.header();
        self.spool().ack(header.lane(), header.epoch(), header.last_seq());
    }
}

fn open(disk: &SimDisk, entropy: &SeededEntropy, bytes_max: u64) -> Spool {
    let disk = Arc::new(disk.clone());
    Spool::open(&Settings { folder: Path::new(FOLDER), bytes_max, disk, entropy }).expect("opens")
}

#[test]
fn sp_1_what_was_not_acknowledged_comes_again_after_a_crash_and_nothing_else() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..6).map(|_| bench.push(Lane::Critical, 3).0).collect();
    assert_eq!(bench.lease(Lane::Critical, 4), batches[..4]);
    bench.ack(&batches[1]);
    bench.spool().sync();
    bench.reopen();
    assert_eq!(bench.lease(Lane::Critical, 99), batches[2..]);
}

#[test]
fn sp_2_an_older_epoch_drains_before_the_present_one() {
    let mut bench = Bench::new(1 << 20);
    let (first, _) = bench.push(Lane::File, 2);
    bench.reopen();
    let (second, _) = bench.push(Lane::File, 2);
    assert_ne!(first.header().epoch(), second.header().epoch());
    assert_eq!(second.header().first_seq(), EventSeq::FIRST);
    assert_eq!(bench.lease(Lane::File, 99), [first, second]);
}

#[test]
fn sp_1_a_lost_connection_brings_the_same_lease_again() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..3).map(|_| bench.push(Lane::Network, 1).0).collect();
    assert_eq!(bench.lease(Lane::Network, 99), batches);
    assert_eq!(bench.lease(Lane::Network, 99), []);
    bench.spool().rewind();
    assert_eq!(bench.lease(Lane::Network, 99), batches);
}

#[test]
fn sp_1_an_acknowledgement_of_another_epoch_deletes_nothing() {
    let mut bench = Bench::new(1 << 20);
    let (batch, _) = bench.push(Lane::Network, 5);
    bench.lease(Lane::Network, 99);
    let (other, _) = bench.push(Lane::Critical, 5);
    let header = *other.header();
    bench.spool().ack(Lane::Network, header.epoch(), header.last_seq());
    bench.spool().rewind();
    assert_eq!(bench.lease(Lane::Network, 99), [batch]);
}

#[test]
fn a_refused_batch_is_owed_and_let_go_and_never_said_to_be_acknowledged() {
    let mut bench = Bench::new(1 << 20);
    let batches: Vec<_> = (0..3).map(|_| bench.keep(Lane::Network, 5)).collect();
    assert_eq!(bench.lease(Lane::Network, 99), batches);
    bench.ack(&batches[0]);
    let shed = Shed::of(batches[1].header(), LossCause::Corrupt);
    bench.spool().refuse(shed);
    assert_eq!(bench.spool().owed(), [shed]);
    // The collector has the first: said more, it would take us for one that lost its memory.
    let acked = |bench: &mut Bench| {
        let epoch = batches[0].header().epoch();
        let it = bench.spool().positions().into_iter().find(|it| it.epoch == epoch);
        it.and_then(|it| it.at).map(|(seq, _)| seq)
    };
    assert_eq!(acked(&mut bench), Some(batches[0].header().last_seq()));
    bench.spool().rewind();
    assert_eq!(bench.lease(Lane::Network, 99), batches[2..]);
    bench.ack(&batches[2]);
    assert_eq!(acked(&mut bench), Some(batches[2].header().last_seq()));
}

#[test]
fn a_full_lane_sheds_its_oldest_and_says_exactly_what() {
    let mut bench = Bench::new(1 << 20);
    let mut pushed = 0;
    let critical = bench.keep(Lane::Critical, 9);
    while pushed < 60_000 {
        pushed += bench.keep(Lane::File, 200).header().count();
    }
    let kept = bench.lease(Lane::File, usize::MAX);
    let first_kept = kept[0].header().first_seq();
    let last_lost = EventSeq::from_u64(first_kept.as_u64() - 1).expect("some were lost");
    let (lane, cause) = (Lane::File, LossCause::Quota);
    let range = Some((kept[0].header().epoch(), EventSeq::FIRST, last_lost));
    assert_eq!(bench.spool().owed(), [Shed { lane, cause, range, count: last_lost.as_u64() }]);
    let kept: usize = kept.iter().map(|it| it.header().count()).sum();
    assert_eq!(kept as u64 + last_lost.as_u64(), pushed as u64);
    assert_eq!(bench.lease(Lane::Critical, 99), [critical], "the flood of one lane cost another");
}

#[test]
fn the_source_goes_on_where_the_newest_batch_says() {
    let mut bench = Bench::new(1 << 20);
    assert_eq!(bench.spool().resume(Lane::Critical), None);
    for position in [10, 20] {
        let (epoch, seq) = bench.spool().lane(Lane::Critical).next();
        let mut builder = Builder::new(Lane::Critical, epoch, seq, origin());
        builder.push(&bench.random.event(Lane::Critical), Source { epoch: 3, position });
        let batch = builder.seal().expect("one event");
        assert_eq!(bench.spool().push(&batch), Fate::Spooled);
    }
    // A batch of the agent's own events says nothing of the source.
    bench.push(Lane::Critical, 1);
    bench.reopen();
    let resume = bench.spool().resume(Lane::Critical);
    assert_eq!(resume, Some(Source { epoch: 3, position: 20 }));
}

/// What can happen to a lane.
#[derive(Clone, Debug)]
enum Act {
    Push(usize),
    Lease(usize),
    AckLeased(usize),
    Rewind,
    Sync,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_usize..20).prop_map(Act::Push),
        3 => (1_usize..5).prop_map(Act::Lease),
        3 => (0_usize..5).prop_map(Act::AckLeased),
        1 => Just(Act::Rewind),
        1 => Just(Act::Sync),
        1 => Just(Act::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Everything that was pushed and not acknowledged is leased in order, whatever happens; what is
    /// acknowledged may come again only after a kill, and then as the collector knows it.
    #[test]
    fn sp_1_and_sp_2_hold_whatever_happens(acts in proptest::collection::vec(act(), 1..60)) {
        let mut bench = Bench::new(64 << 20);
        let mut kept: VecDeque<Sealed> = VecDeque::new();
        let mut leased = 0;
        let mut may_repeat: Vec<Sealed> = Vec::new();
        for act in acts {
            match act {
                Act::Push(count) => kept.push_back(bench.push(Lane::File, count).0),
                Act::Lease(count) => {
                    let got = bench.lease(Lane::File, count);
                    let mut wanted = kept.iter().skip(leased);
                    for batch in got {
                        if leased == 0 && may_repeat.contains(&batch) {
                            bench.ack(&batch);
                            continue;
                        }
                        assert_eq!(Some(&batch), wanted.next());
                        leased += 1;

                    }
                }
                Act::AckLeased(count) => {
                    for _ in 0..count.min(leased) {
                        let batch = kept.pop_front().expect("leased ones are kept");
                        bench.ack(&batch);
                        may_repeat.push(batch);
                        leased -= 1;
                    }
                }
                Act::Rewind => {
                    bench.spool().rewind();
                    leased = 0;
                }
                Act::Sync => bench.spool().sync(),
                Act::Kill => {
                    bench.reopen();
                    leased = 0;
                }
            }
        }
        bench.spool().rewind();
        let rest = bench.lease(Lane::File, usize::MAX);
        let rest: Vec<_> = rest.into_iter().skip_while(|it| may_repeat.contains(it)).collect();
        assert_eq!(rest, Vec::from(kept));
    }
}
