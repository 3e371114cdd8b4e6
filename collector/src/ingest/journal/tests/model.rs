//! Random deeds of three agents and failures of the disk, judged by what was acknowledged.

use std::collections::HashMap;

use cordon_shared::{
    batch::Sealed,
    id::{AgentId, Epoch, EventSeq, Lane},
    seglog::{Errno, Fault, Op},
    test_support::Random,
};

use super::{Bench, agent};
use crate::ingest::{Outcome, Repeat};

/// What the model's disk refuses.
const OPS: [Op; 7] =
    [Op::Sync, Op::Write, Op::SyncDir, Op::Rename, Op::SetBytes, Op::Open, Op::Read];

/// Batches that each agent of the model has to send.
const BATCHES: usize = 60;

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
        // Every other run is rough: the disk fails and the process dies three times as often.
        match random.below(if seed.is_multiple_of(2) { 20 } else { 26 }) {
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
            16 | 20..=23 => {
                let op = OPS[usize::try_from(random.below(OPS.len() as u64)).unwrap()];
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
    // A longer run: MODEL_SEEDS=60..5000.
    let seeds = std::env::var("MODEL_SEEDS").unwrap_or_else(|_unset| "0..60".to_owned());
    let (from, until) = seeds.split_once("..").unwrap();
    let failed = |seed: &u64| std::panic::catch_unwind(|| model(*seed)).is_err();
    let failed: Vec<u64> = (from.parse().unwrap()..until.parse().unwrap()).filter(failed).collect();
    assert_eq!(failed, Vec::<u64>::new(), "seeds that failed");
}
