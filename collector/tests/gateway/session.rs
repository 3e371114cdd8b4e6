//! Batches in, acknowledgements out; restarts, repeats, rivals, revocation.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use cordon_collector::lake::search::Query;
use cordon_proto::v1::{agent_message::Message as Up, collector_message::Message as Down};
use cordon_shared::{
    batch::Sealed,
    digest::Sha256,
    id::{BootId, Epoch, EventSeq, Lane},
    test_support::Random,
};

use crate::{
    agent::{self, Agent, enrol, hello},
    collector::{Collector, by},
};

const BOOT: BootId = BootId([1; 16]);

pub(crate) fn batch(seed: u64, epoch: u64, first: u64, count: usize) -> Sealed {
    let (epoch, first) = (Epoch::from_u64(epoch).unwrap(), EventSeq::from_u64(first).unwrap());
    Random::new(seed).batch(Lane::Critical, epoch, first, count)
}

pub(crate) async fn enrolled() -> (Collector, Agent) {
    let collector = Collector::start().await;
    let bearer = collector.token(|_| ()).await;
    let agent = enrol(collector.addresses.enrolment, &bearer).await.unwrap();
    (collector, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn st_1_batches_are_acknowledged_and_known_after_a_restart() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, welcome) = agent.session(collector.sessions(), BOOT).await;
    assert!(welcome.positions.is_empty() && welcome.disagreed.is_empty() && !welcome.is_held);
    for first in [1, 11, 21] {
        link.send(batch(first, 7, first, 10).bytes().clone()).await;
    }
    link.acked(7, 30).await;
    collector.restart().await;
    assert!(link.end().await.starts_with("GOODBYE_REASON_STOPPING"));

    let (_link, welcome) = agent.session(collector.sessions(), BOOT).await;
    let position = &welcome.positions[0];
    assert_eq!((position.lane, position.epoch, position.seq), (1, 7, 30));
    let last = Sha256::of(batch(21, 7, 21, 10).bytes());
    assert_eq!(position.digest, last.as_bytes().as_slice());
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ig_1_what_was_acknowledged_is_in_the_lake_once_over_a_restart() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(batch(1, 7, 1, 10).bytes().clone()).await;
    link.send(batch(2, 7, 11, 10).bytes().clone()).await;
    link.acked(7, 20).await;
    collector.restart().await;

    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(batch(2, 7, 11, 10).bytes().clone()).await;
    link.send(batch(3, 7, 21, 1).bytes().clone()).await;
    link.acked(7, 21).await;
    collector.stop().await;

    let lake = collector.lake();
    let counted = lake.count_by_class(&Query::default()).unwrap();
    assert_eq!(counted.classes.values().sum::<u64>(), 21);
    assert_eq!(lake.position(), 3);
    let found = lake.search(&Query { limit: 100, ..Query::default() }).unwrap();
    let names: BTreeSet<_> =
        found.rows.iter().map(|it| it["metadata"]["uid"].to_string()).collect();
    assert_eq!(names.len(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_batch_that_comes_a_thousand_times_is_stored_once() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    let sealed = batch(1, 7, 1, 10);
    for _ in 0..1_000 {
        link.send(sealed.bytes().clone()).await;
    }
    link.send(batch(2, 7, 11, 1).bytes().clone()).await;
    link.acked(7, 11).await;
    collector.stop().await;
    let journal = std::fs::read_dir(collector.dir().join("data/journal")).unwrap();
    let bytes: u64 = journal.map(|it| it.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 5 * sealed.bytes().len() as u64 + 65_536, "{bytes} bytes");
}

/// How long something took, and how much longer than asked a sleeper slept beside it.
async fn timed<T>(deed: impl Future<Output = T>) -> (T, Duration, Duration) {
    const NAP: Duration = Duration::from_millis(10);
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let now = Instant::now;
    let began = now();
    let mut stalled = Duration::ZERO;
    tokio::pin!(deed);
    loop {
        let asleep = now();
        // Both branches are cancel-safe: the deed is pinned, and a nap is a nap.
        tokio::select! {
            biased;
            done = &mut deed => return (done, began.elapsed(), stalled),
            () = tokio::time::sleep(NAP) => stalled += asleep.elapsed().saturating_sub(NAP),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_16_a_revocation_cuts_a_live_stream_within_a_second() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    collector.store.revoke_agent(agent.id, "stolen", &by()).await.unwrap();
    // The second begins when the store has it, and is the collector's: what this machine makes any
    // of its tasks wait meanwhile does not count.
    let (end, took, stalled) = timed(link.end()).await;
    assert!(end.starts_with("GOODBYE_REASON_REVOKED"));
    assert!(took < Duration::from_secs(1) + stalled, "{took:?}, of which {stalled:?} stalled");
    let again = agent::Link::open(collector.sessions(), agent.tls()).await;
    assert_eq!(again.err(), Some(format!("agent {} is revoked", agent.id)));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_boot_takes_over_from_its_older_stream() {
    let (mut collector, agent) = enrolled().await;
    let (mut first, _) = agent.session(collector.sessions(), BOOT).await;
    let (mut second, _) = agent.session(collector.sessions(), BOOT).await;
    assert!(first.end().await.starts_with("GOODBYE_REASON_REPLACED"));
    second.send(batch(1, 7, 1, 1).bytes().clone()).await;
    second.acked(7, 1).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_17_two_boots_with_one_identity_are_reported_and_both_are_heard() {
    let (mut collector, agent) = enrolled().await;
    let (mut first, _) = agent.session(collector.sessions(), BOOT).await;
    let (mut second, _) = agent.session(collector.sessions(), BootId([2; 16])).await;
    first.send(batch(1, 7, 1, 1).bytes().clone()).await;
    first.acked(7, 1).await;
    second.send(batch(2, 8, 1, 1).bytes().clone()).await;
    second.acked(8, 1).await;
    let rows = collector.store.audit_rows(&cordon_collector::store::Page::default()).await.unwrap();
    assert!(rows.iter().any(|it| it.action == "agent.rival_identity"));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_55_an_agent_that_was_acknowledged_more_than_is_here_begins_a_new_epoch() {
    let (mut collector, agent) = enrolled().await;
    let mut link = agent.open(collector.sessions()).await;
    let mut said = hello(BOOT);
    said.positions.push(cordon_proto::v1::LanePosition {
        lane: 1,
        epoch: 7,
        seq: 40,
        digest: vec![1; 32].into(),
    });
    link.say(Up::Hello(said)).await;
    let Ok(Down::Welcome(welcome)) = link.hear().await else { panic!("expected a welcome") };
    assert_eq!(welcome.disagreed, [1]);
    collector.stop().await;
}
