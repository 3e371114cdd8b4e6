//! What is remembered, for how long, and over a restart.

use std::{path::Path, sync::Arc, time::Duration};

use cordon_shared::{
    batch::{Builder, Origin, Source},
    entropy::SeededEntropy,
    event::Event,
    id::{BootId, Epoch, EventId, EventSeq, Lane},
    limit,
    seglog::SimDisk,
    test_support::{agent, origin, samples},
};

use super::{EVENTS_MAX, Memory, Own};
use crate::{
    containment::citation::Witness as _,
    spool::{Settings, Spool},
};

fn id(lane: Lane, seq: usize) -> EventId {
    let epoch = Epoch::from_u64(1).expect("not zero");
    let seq = EventSeq::from_u64(seq as u64 + 1).expect("at least 1");
    EventId { agent: agent(), epoch, lane, seq }
}

fn sample(name: &str) -> Event {
    let found = samples().into_iter().find(|it| it.body.name() == name);
    found.expect("there is a sample of every kind")
}

#[test]
fn a_launch_is_remembered_until_newer_ones_push_it_out() {
    let launch = samples().remove(0);
    let memory = Memory::default();
    for seq in 0..=EVENTS_MAX {
        memory.remember(id(Lane::Critical, seq), &launch);
    }
    assert_eq!(memory.event(id(Lane::Critical, 0)), None);
    let newest = memory.event(id(Lane::Critical, EVENTS_MAX)).expect("it is the newest");
    assert_eq!((newest.process.pid, newest.boottime), (4711, launch.boottime));
}

#[test]
fn a_flood_of_files_pushes_no_launch_out() {
    let memory = Memory::default();
    memory.remember(id(Lane::Critical, 0), &samples().remove(0));
    let change = sample("file_change");
    for seq in 0..=EVENTS_MAX {
        memory.remember(id(Lane::File, seq), &change);
    }
    assert!(memory.event(id(Lane::Critical, 0)).is_some());
}

#[test]
fn what_is_about_no_process_is_not_remembered() {
    let memory = Memory::default();
    memory.remember(id(Lane::Critical, 0), &sample("health"));
    assert_eq!(memory.event(id(Lane::Critical, 0)), None);
}

/// Spools a launch that is so old, has it acknowledged or not, and looks for it after a restart.
#[track_caller]
fn check(age: Duration, boot: BootId, is_acknowledged: bool, is_known: bool) {
    let disk = SimDisk::default();
    let entropy = SeededEntropy::new(7);
    let open = || {
        let disk = Arc::new(disk.clone());
        let folder = Path::new("/spool");
        let settings = Settings { folder, bytes_max: 1 << 20, disk, entropy: &entropy };
        Spool::open(&settings).expect("opens")
    };
    let mut spool = open();
    let (epoch, seq) = spool.lane(Lane::Critical).next();
    let launch = samples().remove(0);
    let mut builder = Builder::new(Lane::Critical, epoch, seq, Origin { boot, ..origin() });
    builder.push(&launch, Source::default());
    spool.push(&builder.seal().expect("one event"));
    if is_acknowledged {
        spool.lease(Lane::Critical, 9, usize::MAX).expect("reads");
        spool.ack(Lane::Critical, epoch, seq);
        spool.sync();
    }
    drop(spool);
    let memory = Memory::default();
    let now = launch.boottime.saturating_add(age);
    memory.refill(&open(), Own { agent: agent(), boot: origin().boot, now });
    let cited = memory.event(EventId { agent: agent(), epoch, lane: Lane::Critical, seq });
    assert_eq!(cited.map(|it| it.process.pid), is_known.then_some(4711));
}

#[test]
fn an_event_from_just_before_a_restart_is_remembered() {
    check(Duration::from_secs(1), origin().boot, false, true);
    check(limit::CITATION_AGE_MAX, origin().boot, true, true);
}

#[test]
fn what_is_too_old_or_of_another_boot_is_forgotten() {
    check(limit::CITATION_AGE_MAX + Duration::from_millis(1), origin().boot, false, false);
    check(Duration::from_secs(1), BootId([9; 16]), false, false);
}
