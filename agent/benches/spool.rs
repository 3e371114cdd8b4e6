//! Events appended to the spool and leased from it per second, on the disk of the temporary folder.
//! `cargo bench -p cordon-agent --bench spool`; a figure is worth something only with the machine's
//! name and its disk beside it.

use std::sync::Arc;

use cordon_agent::spool::{Fate, Settings, Spool};
use cordon_shared::{
    batch::{Builder, Sealed, Source},
    entropy::SeededEntropy,
    event::Event,
    id::{EventSeq, Lane},
    limit,
    seglog::RealDisk,
    test_support::{Random, origin},
};
use divan::{Bencher, counter::ItemsCount};
use tempfile::TempDir;

/// Batches of the most events in one round.
const BATCHES: usize = 40;

fn main() {
    divan::main();
}

struct Bench {
    spool: Spool,
    events: Vec<Event>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let spool = Spool::open(&Settings {
            folder: &folder.path().join("spool"),
            bytes_max: 1 << 30,
            disk: Arc::new(RealDisk),
            entropy: &SeededEntropy::new(7),
        });
        let random = Random::new(7);
        let events = (0..limit::BATCH_EVENTS_MAX).map(|_| random.event(Lane::File)).collect();
        Self { spool: spool.expect("opens"), events, _folder: folder }
    }

    fn seal(&self, first_seq: EventSeq) -> Sealed {
        let (epoch, _) = self.spool.lane(Lane::File).next();
        let mut builder = Builder::new(Lane::File, epoch, first_seq, origin());
        self.events.iter().for_each(|it| builder.push(it, Source::default()));
        builder.seal().expect("it has events")
    }

    /// The batches that come next.
    fn batches(&self) -> Vec<Sealed> {
        let (_, mut seq) = self.spool.lane(Lane::File).next();
        let batches = (0..BATCHES).map(|_| {
            let batch = self.seal(seq);
            seq = batch.header().last_seq().checked_add(1).expect("few");
            batch
        });
        batches.collect()
    }

    fn append(&mut self, batches: &[Sealed], is_synced: bool) {
        for batch in batches {
            assert_eq!(self.spool.push(batch), Fate::Spooled);
            if is_synced {
                self.spool.sync();
            }
        }
    }

    fn drain(&mut self) {
        loop {
            let leased = self.spool.lease(Lane::File, 4, 1 << 20).expect("reads");
            let Some(last) = leased.last().map(|it| *it.header()) else { return };
            self.spool.ack(Lane::File, last.epoch(), last.last_seq());
        }
    }
}

fn events() -> ItemsCount {
    ItemsCount::new(BATCHES * limit::BATCH_EVENTS_MAX)
}

/// Encoded, compressed and sealed: what the road does before the spool.
#[divan::bench]
fn seal(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    bencher.counter(events()).bench_local(|| bench.batches());
}

/// Written, so that they survive `kill -9`.
#[divan::bench(sample_count = 20)]
fn append(bencher: Bencher<'_, '_>) {
    rounds(bencher, false);
}

/// Each batch synced, so that it survives a loss of power.
#[divan::bench(sample_count = 10)]
fn append_with_fsync(bencher: Bencher<'_, '_>) {
    rounds(bencher, true);
}

fn rounds(bencher: Bencher<'_, '_>, is_synced: bool) {
    let bench = std::cell::RefCell::new(Bench::new());
    bencher
        .counter(events())
        .with_inputs(|| {
            bench.borrow_mut().drain();
            bench.borrow().batches()
        })
        .bench_local_values(|batches| bench.borrow_mut().append(&batches, is_synced));
}

/// Leased and acknowledged.
#[divan::bench(sample_count = 20)]
fn lease_and_ack(bencher: Bencher<'_, '_>) {
    let bench = std::cell::RefCell::new(Bench::new());
    bencher
        .counter(events())
        .with_inputs(|| {
            let batches = bench.borrow().batches();
            bench.borrow_mut().append(&batches, false);
        })
        .bench_local_values(|()| bench.borrow_mut().drain());
}
