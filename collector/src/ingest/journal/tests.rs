//! The journal on a disk that fails: what is acknowledged is there, once, whatever happens.

mod model;
mod privileged;

use std::{collections::HashSet, time::Duration};

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
    Outcome, Repeat,
    fanout::{Feed, Sight},
    validate::validate,
};

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
            offer: Offer::Checked(validate(sealed.bytes().clone()).unwrap()),
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

/// What a consumer is told to be lost, from the disk alone.
fn gaps(bench: &Bench) -> Vec<(u64, u64)> {
    let mut feed = bench.fanout.feed("gaps", Sight::Durable, 0);
    let (mut gaps, mut position) = (Vec::new(), 0);
    while let Some(page) = next(&mut feed, position) {
        gaps.extend(page.gaps.iter().map(|it| (it.from.as_u64(), it.until.as_u64())));
        position = page.next;
    }
    gaps
}

#[test]
fn f_8_what_was_lost_and_written_again_is_told_to_nobody_as_lost() {
    let seeds = (0..64).map(|it| Some(Random::new(it)));
    for power in seeds.chain([None]) {
        let mut bench = Bench::new();
        bench.submit(agent(0), &sealed(1, 7, 1, 10));
        bench.journal.commit();
        // The sync fails, and what was written does not read back.
        let failing = |op, times| Fault { op: Some(op), skip: 0, times, errno: Errno::Io };
        bench.disk.fail(failing(Op::Sync, 1));
        bench.disk.fail(failing(Op::Read, 9));
        bench.submit(agent(0), &sealed(2, 7, 11, 10));
        bench.submit(agent(0), &sealed(3, 7, 21, 10));
        bench.journal.commit();
        bench.disk.heal();
        bench.journal.commit();
        assert_eq!(bench.outcomes().last(), Some(&stored(7, 30, Repeat::First)));
        bench.fanout.forget();
        assert_eq!((gaps(&bench), bench.stored().len()), (vec![], 30));
        let bench = bench.crash(power.as_ref());
        assert_eq!((gaps(&bench), bench.stored().len()), (vec![], 30), "{power:?}");
    }
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
    assert_eq!(kept(&bench).len(), 1);
}

fn kept(bench: &Bench) -> Vec<std::path::PathBuf> {
    let mut paths = bench.disk.paths();
    paths.retain(|it| it.extension().is_some_and(|end| end == "batch"));
    paths
}

/// What a session submits when a batch breaks a rule.
fn refused(bench: &Bench, sealed: &Sealed) -> Submission {
    let offer = Offer::Refused {
        header: *sealed.header(),
        bytes: sealed.bytes().clone(),
        reason: "`lane` must be the one that its events take".to_owned(),
    };
    Submission { offer, ..bench.submission(agent(0), sealed) }
}

#[test]
fn st_1_a_refusal_waits_for_what_was_sent_before_it() {
    let mut bench = Bench::new();
    let (first, second) = (sealed(1, 7, 1, 10), sealed(2, 7, 11, 10));
    bench.disk.fail(Fault { op: Some(Op::Sync), skip: 1, times: 1_000, errno: Errno::Io });
    bench.submit(agent(0), &first);
    bench.ingest.queue.try_send(refused(&bench, &second)).unwrap();
    bench.journal.commit();
    // The agent would let go of both.
    assert_eq!(bench.outcomes(), []);
    bench.disk.heal();
    bench.journal.commit();
    bench.journal.commit();
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[0], stored(7, 10, Repeat::First));
    assert!(matches!(&outcomes[1], Outcome::Refused { header, .. } if header == second.header()));
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn an_answer_does_not_reach_past_a_refusal_of_its_group() {
    let mut bench = Bench::new();
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.ingest.queue.try_send(refused(&bench, &sealed(2, 7, 11, 10))).unwrap();
    bench.submit(agent(0), &sealed(3, 7, 21, 10));
    bench.journal.commit();
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[0], stored(7, 10, Repeat::First));
    assert!(matches!(outcomes[1], Outcome::Refused { .. }));
    assert_eq!(outcomes[2], stored(7, 30, Repeat::First));
}

#[test]
fn what_is_refused_is_kept_before_it_is_answered_and_once() {
    let mut bench = Bench::new();
    let batch = sealed(1, 7, 1, 10);
    bench.disk.fail(Fault { op: Some(Op::Rename), skip: 0, times: 1, errno: Errno::NoSpace });
    bench.ingest.queue.try_send(refused(&bench, &batch)).unwrap();
    bench.journal.commit();
    assert_eq!((bench.outcomes(), kept(&bench).len()), (vec![], 0));
    for _ in 0..3 {
        bench.journal.commit();
        assert_eq!(bench.outcomes().len(), 1);
        bench = bench.crash(Some(&Random::new(1)));
        let [path] = &kept(&bench)[..] else { panic!("{:?}", kept(&bench)) };
        let (head, again) = record::decode(&bench.disk.bytes_of(path).unwrap().into()).unwrap();
        assert_eq!((head.agent, again), (agent(0), batch.clone()));
        bench.ingest.queue.try_send(refused(&bench, &batch)).unwrap();
    }
}

#[test]
fn f_8_what_was_lost_is_not_vouched_for_by_the_next_segment() {
    // The sync fails, and what was written does not read back: it is lost. The next segment begins,
    // and after so many more writes the process ends.
    for writes in 0..8 {
        let mut bench = Bench::new();
        bench.submit(agent(0), &sealed(1, 7, 1, 10));
        bench.journal.commit();
        bench.submit(agent(0), &sealed(2, 7, 11, 10));
        let failing = |op, skip| Fault { op: Some(op), skip, times: 99, errno: Errno::Io };
        bench.disk.fail(Fault { times: 1, ..failing(Op::Sync, 0) });
        bench.disk.fail(Fault { times: 9, ..failing(Op::Read, 0) });
        bench.disk.fail(failing(Op::Write, writes));
        bench.journal.commit();
        let mut bench = bench.crash(None);
        bench.submit(agent(0), &sealed(2, 7, 11, 10));
        bench.journal.commit();
        let last = bench.outcomes().pop();
        assert!(matches!(last, Some(Outcome::Stored { seq: 20, .. })), "{writes}: {last:?}");
        assert_eq!(bench.stored().len(), 20, "after {writes} writes");
    }
}

#[test]
fn f_7_a_journal_whose_disk_refuses_ends_all_the_same_when_the_collector_stops() {
    let bench = Bench::new();
    for first in [1, 11, 21] {
        assert!(bench.submit(agent(0), &sealed(first, 7, first, 10)));
    }
    let fault = Fault { op: Some(Op::Open), skip: 0, times: u64::MAX, errno: Errno::NoSpace };
    bench.disk.fail(fault);
    let journal = bench.journal.start().unwrap();
    drop((bench.ingest, bench.reply));
    let (sender, ended) = std::sync::mpsc::channel();
    let wait = move || {
        journal.join().unwrap();
        sender.send(()).unwrap();
    };
    thread::Builder::new().spawn(wait).unwrap();
    ended.recv_timeout(Duration::from_secs(30)).expect("it ends");
}

/// A clock with a defect.
#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        panic!("a defect")
    }

    fn boottime(&self) -> cordon_shared::time::Boottime {
        panic!("a defect")
    }
}

#[test]
fn a_journal_that_panics_leaves_nobody_waiting_for_it() {
    let mut bench = Bench::new();
    bench.submit(agent(0), &sealed(1, 7, 1, 10));
    bench.journal.clock = Arc::new(Broken);
    let feed = bench.fanout.feed("lake", Sight::Durable, 0);
    assert!(bench.journal.start().unwrap().join().is_err());
    assert!(feed.is_closed());
}
