//! The journal on a disk that fails: what is acknowledged is there, once, whatever happens.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use cordon_shared::{
    batch::Sealed,
    entropy::SeededEntropy,
    id::{AgentId, Epoch, EventId, EventSeq, Lane},
    seglog::{Errno, Fault, Op, SimDisk},
    test_support::Random,
    time::{ClockSample, FakeClock, Timestamp},
};

use super::*;
use crate::ingest::{
    fanout::{Feed, Sight},
    validate::validate,
};

/// Batches that each agent of the model has to send.
const BATCHES: usize = 60;

fn agent(number: u8) -> AgentId {
    AgentId::from_slice(&[number + 1; 16]).unwrap()
}

/// A journal that a test drives itself, without its thread.
struct Bench {
    disk: SimDisk,
    journal: Journal,
    ingest: Ingest,
    fanout: Arc<Fanout>,
    reply: mpsc::Sender<Outcome>,
    outcomes: mpsc::Receiver<Outcome>,
}

fn open(disk: &SimDisk) -> (Journal, Ingest, Arc<Fanout>) {
    let clock = Arc::new(FakeClock::at(ClockSample::default()));
    let entropy = SeededEntropy::new(1);
    let opening = Opening {
        disk: Arc::new(disk.clone()),
        dir: Path::new("/journal"),
        consumers: &[],
        clock,
        entropy: &entropy,
    };
    Journal::open(opening).unwrap()
}

impl Bench {
    fn new() -> Self {
        let disk = SimDisk::default();
        let (journal, ingest, fanout) = open(&disk);
        let (reply, outcomes) = mpsc::channel(4_096);
        Self { disk, journal, ingest, fanout, reply, outcomes }
    }

    fn submission(&self, agent: AgentId, sealed: &Sealed) -> Submission {
        Submission {
            agent,
            batch: validate(sealed.bytes().clone()).unwrap(),
            received: Timestamp::from_ns(5),
            boot_epoch: Timestamp::from_ns(3),
            is_corrected: true,
            reply: self.reply.clone(),
        }
    }

    /// Queues a batch, if there is room.
    fn submit(&self, agent: AgentId, sealed: &Sealed) -> bool {
        self.ingest.queue.try_send(self.submission(agent, sealed)).is_ok()
    }

    fn outcomes(&mut self) -> Vec<Outcome> {
        std::iter::from_fn(|| self.outcomes.try_recv().ok()).collect()
    }

    /// `kill -9`, and with `power` a loss of power, then a new start.
    fn crash(self, power: Option<&Random>) -> Self {
        let Self { disk, journal, ingest, fanout, .. } = self;
        drop((journal, ingest, fanout));
        disk.heal();
        if let Some(random) = power {
            disk.power_loss(|| random.below(u64::MAX));
        }
        let (journal, ingest, fanout) = open(&disk);
        let (reply, outcomes) = mpsc::channel(4_096);
        Self { disk, journal, ingest, fanout, reply, outcomes }
    }

    /// All that is durable, by name; fails where a name comes twice (IG-1).
    fn stored(&self) -> HashSet<EventId> {
        let mut feed = self.fanout.feed("test", Sight::Durable, 0);
        let (mut stored, mut position) = (HashSet::new(), 0);
        while let Some(page) = next(&mut feed, position) {
            for arrival in &page.arrivals {
                for (id, _) in arrival.events() {
                    assert!(stored.insert(id), "{id} comes twice");
                }
            }
            position = page.next;
        }
        stored
    }
}

fn next(feed: &mut Feed, position: u64) -> Option<crate::ingest::fanout::Page> {
    let page = feed.next(position, 16, Duration::ZERO).unwrap();
    (page.next > position).then_some(page)
}

fn sealed(seed: u64, epoch: u64, first: u64, count: usize) -> Sealed {
    let (epoch, first) = (Epoch::from_u64(epoch).unwrap(), EventSeq::from_u64(first).unwrap());
    Random::new(seed).batch(Lane::Critical, epoch, first, count)
}

fn stored(epoch: u64, seq: u64, repeat: Repeat) -> Outcome {
    Outcome::Stored { lane: Lane::Critical, epoch: Epoch::from_u64(epoch).unwrap(), seq, repeat }
}

#[test]
fn st_1_nothing_is_acknowledged_before_the_sync() {
    let mut bench = Bench::new();
    bench.disk.fail(Fault { op: Some(Op::Sync), skip: 0, times: 1_000, errno: Errno::Io });
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.journal.commit();
    assert_eq!(bench.outcomes(), []);
    assert_eq!(*bench.ingest.pressure().borrow(), Pressure::Stalled);
    assert!(bench.ingest.board().positions(agent(0)).is_empty());
    bench.disk.heal();
    bench.journal.commit();
    assert_eq!(bench.outcomes(), [stored(7, 10, Repeat::First)]);
    assert_eq!(*bench.ingest.pressure().borrow(), Pressure::Open);
    assert_eq!(bench.ingest.board().positions(agent(0))[0].seq, 10);
    assert_eq!(bench.stored().len(), 10);
}

#[test]
fn f_8_a_sync_that_failed_once_costs_nothing() {
    let mut bench = Bench::new();
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.journal.commit();
    bench.disk.fail(Fault { op: Some(Op::Sync), skip: 0, times: 1, errno: Errno::Io });
    bench.submit(agent(0), &sealed(2, 7, 11, 10));
    bench.journal.commit();
    bench.journal.commit();
    let last = bench.outcomes().pop();
    assert_eq!(last, Some(stored(7, 20, Repeat::First)));
    let random = Random::new(1);
    let bench = bench.crash(Some(&random));
    assert_eq!(bench.stored().len(), 20);
}

#[test]
fn f_7_a_full_disk_stalls_and_goes_on_by_itself() {
    let mut bench = Bench::new();
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.journal.commit();
    assert_eq!(bench.outcomes().len(), 1);
    bench.disk.set_bytes_max(Some(1_000));
    for first in [11, 21, 31] {
        bench.submit(agent(0), &sealed(first, 7, first, 10));
        bench.journal.commit();
    }
    assert_eq!(bench.outcomes(), []);
    assert_eq!(*bench.ingest.pressure().borrow(), Pressure::Stalled);
    // Detection goes on with what was appended.
    let mut feed = bench.fanout.feed("detect", Sight::Appended, 0);
    let seen = feed.next(0, 100, Duration::ZERO).unwrap().arrivals.len();
    assert!(seen >= 1, "{seen}");
    bench.disk.heal();
    bench.journal.commit();
    bench.journal.commit();
    assert_eq!(bench.outcomes().last(), Some(&stored(7, 40, Repeat::First)));
    assert_eq!(bench.stored().len(), 40);
}

#[test]
fn f_18_a_repeat_is_acknowledged_and_not_stored() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        for _ in 0..50 {
            assert!(bench.submit(agent(0), &sealed(1, 7, 1, 10)));
        }
        bench.journal.commit();
    }
    let outcomes = bench.outcomes();
    assert_eq!(outcomes.len(), 1_000);
    assert_eq!(outcomes[0], stored(7, 10, Repeat::First));
    assert!(outcomes[1..].iter().all(|it| *it == stored(7, 10, Repeat::Same)));
    assert_eq!(
        bench.fanout.feed("test", Sight::Durable, 0).next(0, 9, Duration::ZERO).unwrap().next,
        1
    );
}

#[test]
fn ig_1_a_restart_remembers_through_many_segments() {
    let mut bench = Bench::new();
    for round in 0..6 {
        let first = 1 + 10 * round;
        bench.submit(agent(0), &sealed(round, 7, first, 10));
        bench.journal.commit();
        bench = bench.crash(None);
        // The agent did not hear of it, and sends it again.
        bench.submit(agent(0), &sealed(round, 7, first, 10));
        bench.journal.commit();
        assert_eq!(bench.outcomes(), [stored(7, first + 9, Repeat::Same)]);
    }
    assert_eq!(bench.stored().len(), 60);
}

#[test]
fn a_batch_that_is_half_stored_is_refused() {
    let mut bench = Bench::new();
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.submit(agent(0), &sealed(2, 7, 5, 10));
    bench.journal.commit();
    let refused = bench.outcomes().into_iter().find(|it| matches!(it, Outcome::Refused { .. }));
    let reason = "some of its numbers are stored already";
    assert!(matches!(refused, Some(Outcome::Refused { reason: it, .. }) if it == reason));
    assert_eq!(bench.stored().len(), 10);
}

/// One agent of the model: what it has to send, and how far it was acknowledged.
struct Sender {
    agent: AgentId,
    batches: Vec<Sealed>,
    sent: usize,
    acked: u64,
}

impl Sender {
    fn new(number: u8, random: &Random) -> Self {
        let epoch = Epoch::from_u64(100 + u64::from(number)).unwrap();
        let mut first = EventSeq::FIRST;
        let mut batches = Vec::with_capacity(BATCHES);
        for _ in 0..BATCHES {
            let count = 1 + random.below(20);
            batches.push(random.batch(
                Lane::Critical,
                epoch,
                first,
                usize::try_from(count).unwrap(),
            ));
            // Now and then numbers that were shed and will never come.
            first = first.checked_add(count + random.below(8) / 7 * 3).unwrap();
        }
        Self { agent: agent(number), batches, sent: 0, acked: 0 }
    }

    /// Begins again behind what was acknowledged, as after a reconnect.
    fn rewind(&mut self) {
        let acked = self.acked;
        let is_new = |it: &Sealed| it.header().last_seq().as_u64() > acked;
        self.sent = self.batches.iter().position(is_new).unwrap_or(BATCHES);
    }
}

fn model(seed: u64) {
    let random = Random::new(seed);
    let mut bench = Bench::new();
    let mut senders: Vec<_> = (0..3).map(|number| Sender::new(number, &random)).collect();
    let mut acked: HashMap<Epoch, u64> = HashMap::new();
    for _ in 0..600 {
        let sender = &mut senders[usize::try_from(random.below(3)).unwrap()];
        match random.below(20) {
            0..=8 => {
                if let Some(batch) = sender.batches.get(sender.sent)
                    && bench.submit(sender.agent, batch)
                {
                    sender.sent += 1;
                }
            }
            9 | 10 => {
                let any = random.below(sender.sent as u64 + 1).min(sender.sent as u64);
                if let Some(batch) = sender.batches.get(usize::try_from(any).unwrap())
                    && any < sender.sent as u64
                {
                    bench.submit(sender.agent, batch);
                }
            }
            11..=15 => bench.journal.commit(),
            16 => {
                let op = Op::Sync;
                let (skip, times) = (random.below(2), 1 + random.below(3));
                bench.disk.fail(Fault { op: Some(op), skip, times, errno: Errno::Io });
            }
            17 => bench.disk.heal(),
            18 => {
                bench.disk.set_bytes_max(Some(usize::try_from(random.below(200_000)).unwrap()));
            }
            _ => {
                let power = random.below(2) == 0;
                bench = bench.crash(power.then_some(&random));
                senders.iter_mut().for_each(Sender::rewind);
            }
        }
        for outcome in bench.outcomes() {
            let Outcome::Stored { epoch, seq, repeat, .. } = outcome else {
                panic!("seed {seed}: refused: {outcome:?}")
            };
            assert_ne!(repeat, Repeat::Differs, "seed {seed}");
            let known = acked.entry(epoch).or_default();
            *known = seq.max(*known);
            let sender = senders.iter_mut().find(|it| it.batches[0].header().epoch() == epoch);
            let sender = sender.unwrap();
            sender.acked = sender.acked.max(seq);
        }
    }
    let bench = bench.crash(Some(&random));
    let stored = bench.stored();
    for sender in &senders {
        for batch in &sender.batches {
            let header = batch.header();
            if header.last_seq().as_u64() > sender.acked {
                continue;
            }
            for index in 0..header.count() {
                let id = header.event_id(sender.agent, index).unwrap();
                assert!(stored.contains(&id), "seed {seed}: {id} was acknowledged and is gone");
            }
        }
    }
}

#[test]
fn st_1_ig_1_whatever_fails_what_is_acknowledged_is_there_once() {
    for seed in 0..60 {
        model(seed);
    }
}
