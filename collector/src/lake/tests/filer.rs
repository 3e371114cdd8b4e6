//! The filer's thread behind a journal of its own.

use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use cordon_shared::{
    seglog::{Errno, Fault, Op},
    time::{Boottime, Clock, SystemClock},
};

use super::*;
use crate::{
    ingest::{
        Offer, Submission,
        fanout::{Fanout, Sight},
        journal::{self, Journal},
        record,
        validate::validate,
    },
    lake::filer::{Filer, STOP_GRACE},
    notice::{Trouble, Troubles},
};

/// A journal on this disk: so many batches go into it, and it is closed.
async fn journal(disk: &SimDisk, batches: u64) -> Arc<Fanout> {
    let opening = journal::Opening {
        disk: Arc::new(disk.clone()),
        dir: Path::new("/journal"),
        consumers: &[],
        clock: Arc::new(SystemClock),
        entropy: &SeededEntropy::new(1),
    };
    let (journal, ingest, fanout) = Journal::open(opening).unwrap();
    let thread = journal.start().unwrap();
    let (reply, mut outcomes) = tokio::sync::mpsc::channel(1);
    for at in 0..batches {
        let first = EventSeq::from_u64(at * 9 + 1).unwrap();
        let sealed = Random::new(at).batch(Lane::File, Epoch::from_u64(7).unwrap(), first, 9);
        let submission = Submission {
            agent: agent(0),
            offer: Offer::Checked(validate(sealed.bytes().clone()).unwrap()),
            received: Timestamp::from_ns(RECEIVED_NS),
            boot_epoch: origin().clock.realtime,
            is_corrected: true,
            reply: reply.clone(),
        };
        ingest.reserve().await.unwrap().send(submission);
        outcomes.recv().await.unwrap();
    }
    drop(ingest);
    thread.join().unwrap();
    fanout
}

/// Whether it ends by itself, although nothing works any more.
fn ends(filer: Filer) -> bool {
    let thread = filer.start().unwrap();
    let (sender, ended) = mpsc::channel();
    let wait = move || {
        thread.join().unwrap();
        sender.send(()).unwrap();
    };
    thread::Builder::new().spawn(wait).unwrap();
    ended.recv_timeout(Duration::from_secs(30)).is_ok()
}

#[tokio::test]
async fn f_7_a_filer_that_gets_no_further_ends_when_the_collector_stops() {
    let disk = SimDisk::default();
    drop(journal(&disk, 3).await);
    // Opened anew, so that the batches are on the disk only.
    let fanout = journal(&disk, 0).await;
    let feed = fanout.feed("lake", Sight::Durable, 0);
    let fault = Fault { op: Some(Op::Read), skip: 0, times: u64::MAX, errno: Errno::NoSpace };
    let lake = open(&SimDisk::default()).unwrap();
    disk.fail(fault);
    assert!(ends(Filer::new(lake, feed, Arc::new(SystemClock))));
}

#[tokio::test]
async fn what_is_durable_is_filed_before_the_filer_ends() {
    let disk = SimDisk::default();
    let fanout = journal(&disk, 3).await;
    let lake = open(&disk).unwrap();
    let feed = fanout.feed("lake", Sight::Durable, 0);
    assert!(ends(Filer::new(lake.clone(), feed, Arc::new(SystemClock))));
    assert_eq!((lake.position(), all(&lake, &everything()).len()), (3, 27));
}

/// Files, but for what the encoder breaks on: the second batch and the fourth, each in its own way.
fn poisoned(lake: &Lake, arrivals: &[Arc<Arrival>], position: u64) -> Result<Filed, LakeError> {
    assert!(arrivals.iter().all(|it| it.position != 2), "a defect");
    match arrivals.iter().any(|it| it.position == 4) {
        true => Err(LakeError::Broken),
        false => lake.file(arrivals, position),
    }
}

#[tokio::test]
async fn f_49_a_batch_that_cannot_be_filed_is_set_aside_as_it_came_and_the_others_are_filed() {
    let disk = SimDisk::default();
    let fanout = journal(&disk, 6).await;
    let lake = open(&disk).unwrap();
    let troubles = Troubles::default();
    let feed = fanout.feed("lake", Sight::Durable, 0);
    let filer = Filer::new(lake.clone(), feed, Arc::new(SystemClock));
    let filer = filer.filing(poisoned).telling(troubles.clone());
    assert!(ends(filer));
    let counted: u64 = lake.count_by_class(&everything()).unwrap().classes.values().sum();
    assert_eq!((lake.position(), counted), (6, 36));
    assert_eq!(troubles.all(), [(Trouble::SetAside, 2)]);
    let paths = disk.paths();
    let kept = paths.iter().filter(|it| it.to_string_lossy().ends_with(".unfiled.batch"));
    let heads = kept.map(|it| record::decode(&disk.bytes_of(it).unwrap().into()).unwrap().1);
    let firsts: Vec<_> = heads.map(|it| it.header().first_seq().as_u64()).collect();
    assert_eq!(firsts.len(), 2, "{paths:?}");

    // People hear of it as long as it lies there.
    drop(fanout);
    let fanout = journal(&disk, 0).await;
    assert_eq!(fanout.feed("lake", Sight::Durable, 6).unfiled(), 2);
}

#[tokio::test]
async fn f_7_a_full_disk_sets_nothing_aside() {
    let disk = SimDisk::default();
    let fanout = journal(&disk, 3).await;
    let lake = open(&disk).unwrap();
    let feed = fanout.feed("lake", Sight::Durable, 0);
    let full = |_: &Lake, _: &[Arc<Arrival>], _| {
        let source = std::io::ErrorKind::StorageFull.into();
        Err(LakeError::disk("write", Path::new("/lake"), source))
    };
    let troubles = Troubles::default();
    let filer = Filer::new(lake.clone(), feed, Arc::new(SystemClock));
    assert!(ends(filer.filing(full).telling(troubles.clone())));
    assert_eq!(lake.position(), 0);
    assert_eq!(troubles.all(), [(Trouble::LakeWaits, 1)]);
    assert_eq!(fanout.feed("lake", Sight::Durable, 0).unfiled(), 0);
}

/// A clock on which every look takes longer than a stopping collector waits.
#[derive(Debug, Default)]
struct Leaping(AtomicU64);

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        Timestamp::from_ns(RECEIVED_NS)
    }

    fn boottime(&self) -> Boottime {
        let leap = u64::try_from(STOP_GRACE.as_nanos()).unwrap();
        Boottime::from_ns(self.0.fetch_add(leap, Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_stopping_filer_leaves_a_backlog_to_the_next_start() {
    let disk = SimDisk::default();
    // More than it pulls at once.
    let fanout = journal(&disk, 70).await;
    let lake = open(&disk).unwrap();
    let feed = fanout.feed("lake", Sight::Durable, 0);
    assert!(ends(Filer::new(lake.clone(), feed, Arc::new(Leaping::default()))));
    let left = lake.position();
    assert!(left < 70, "{left} are filed");
    let feed = fanout.feed("lake", Sight::Durable, left);
    assert!(ends(Filer::new(lake.clone(), feed, Arc::new(SystemClock))));
    let counted: u64 = lake.count_by_class(&everything()).unwrap().classes.values().sum();
    assert_eq!((lake.position(), counted), (70, 630));
}
