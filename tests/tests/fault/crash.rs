//! `kill -9` of either side at awkward moments.

use std::time::Duration;

use cordon_shared::id::{Epoch, EventSeq};
use cordon_tests::{
    activity::Deed,
    child::degraded,
    oracle,
    peer::{Link, Peer},
    proxy::{Direction, Link as Wire, Proxy},
    synth,
    testbed::{Agent, SOON, Testbed},
    wait,
};

use crate::segment;

const A_WHILE: Duration = Duration::from_secs(60);

/// A testbed, a proxy in front of its sessions, and a connected agent behind it; nothing as a plain
/// user, who has no sensor that sees every launch.
fn behind_a_proxy(what: &str) -> Option<(Testbed, Proxy, Agent)> {
    if let Some(why) = Testbed::degraded() {
        degraded(what, why);
        return None;
    }
    let testbed = Testbed::start().unwrap();
    let proxy = Proxy::start(testbed.collector().addresses().sessions).unwrap();
    let agent = testbed.agent_as("web-1", |plan| plan.sessions = proxy.address()).unwrap();
    connected(&testbed, &agent);
    Some((testbed, proxy, agent))
}

pub(crate) fn connected(testbed: &Testbed, agent: &Agent) {
    wait::until_so("the host is connected", SOON, || {
        testbed.api().host(agent.id()).is_ok_and(|it| it["is_connected"] == true)
    })
    .unwrap();
}

/// Waits until the collector has so many events on disk.
fn durable(testbed: &Testbed, events: f64) {
    wait::until("the collector has them on disk", SOON, || {
        let seen = testbed.api().metric("cordon_ingest_events_total").unwrap_or(0.0);
        if seen >= events { Ok(()) } else { Err(seen) }
    })
    .unwrap();
}

#[test]
fn f_1_an_agent_that_is_killed_before_it_sends_sends_after_its_restart() {
    let Some((mut testbed, proxy, mut agent)) = behind_a_proxy("a kill before sending") else {
        return;
    };
    proxy.set(Direction::ToTarget, Wire::BlackHole);
    let done = agent.does(Deed::Launch, "before", 500, A_WHILE).unwrap();
    agent.kill().unwrap();
    proxy.cut();
    proxy.set_both(Wire::Passing);
    agent.start().unwrap();
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn f_1_an_agent_that_is_killed_before_it_hears_of_it_is_stored_once() {
    let Some((mut testbed, proxy, mut agent)) = behind_a_proxy("a kill after sending") else {
        return;
    };
    proxy.set(Direction::ToCaller, Wire::BlackHole);
    let done = agent.does(Deed::Launch, "sent", 500, A_WHILE).unwrap();
    // No more than the credit: nothing is acknowledged.
    durable(&testbed, 50.0);
    agent.kill().unwrap();
    proxy.cut();
    proxy.set_both(Wire::Passing);
    agent.start().unwrap();
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn f_1_an_agent_that_is_killed_before_it_trims_is_stored_once() {
    let Some((mut testbed, _proxy, mut agent)) = behind_a_proxy("a kill before trimming") else {
        return;
    };
    let done = agent.does(Deed::Launch, "acked", 500, A_WHILE).unwrap();
    durable(&testbed, 1_000.0);
    agent.kill().unwrap();
    agent.start().unwrap();
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn f_2_a_torn_tail_of_the_spool_is_cut_and_nothing_before_it_is_lost() {
    let Some((mut testbed, _proxy, mut agent)) = behind_a_proxy("a torn spool") else { return };
    testbed.collector_mut().kill().unwrap();
    let done = agent.does(Deed::Launch, "torn", 500, A_WHILE).unwrap();
    agent.kill().unwrap();
    segment::tear(&agent.spool("critical"));
    testbed.collector_mut().start_again().unwrap();
    agent.start().unwrap();
    assert!(agent.log().unwrap().contains("cut an unfinished batch"), "{}", agent.log().unwrap());
    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

/// When the collector is killed, seen from a batch that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// As soon as the batch is handed to the connection.
    Sent,
    /// As soon as the journal has grown by it.
    Written,
    /// As soon as its acknowledgement is heard.
    Acked,
}

/// Kills the collector in that moment, ten times; sends again what was not acknowledged, as an agent
/// does; judges the lake.
async fn killed(moment: Moment) {
    let mut testbed = Testbed::start().unwrap();
    let token = testbed.api().token(1).unwrap();
    let sessions = testbed.collector().addresses().sessions;
    let peer = Peer::enrol(&token, sessions).await.unwrap();
    let epoch = Epoch::from_u64(7).unwrap();
    let mut stream = synth::Stream::new("kill", epoch, 100);
    let mut last = EventSeq::FIRST;
    for _ in 0..10 {
        let batch = stream.batch(50).unwrap();
        last = batch.header().last_seq();
        let (mut link, _) = peer.session().await.unwrap();
        let before = size_of_journal(&testbed);
        link.send(batch.bytes().clone()).await;
        match moment {
            Moment::Sent => (),
            Moment::Written => {
                wait::until_so("the journal grows", SOON, || size_of_journal(&testbed) > before)
                    .unwrap();
            }
            Moment::Acked => link.acked(epoch, last).await.unwrap(),
        }
        testbed.collector_mut().kill().unwrap();
        testbed.collector_mut().start_again().unwrap();
        let (mut link, welcome) = peer.session().await.unwrap();
        let known = welcome.positions.iter().find(|it| it.epoch == 7).map_or(0, |it| it.seq);
        assert!(moment != Moment::Acked || known >= last.as_u64(), "{known} of {last}");
        resend(&mut link, &batch, last).await;
    }
    let markers = (1..=last.as_u64()).filter_map(EventSeq::from_u64).map(|it| stream.marker(it));
    let generated = oracle::generated(markers);
    let rows = testbed.settle([], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

async fn resend(link: &mut Link, batch: &cordon_shared::batch::Sealed, last: EventSeq) {
    link.send(batch.bytes().clone()).await;
    link.acked(batch.header().epoch(), last).await.unwrap();
}

fn size_of_journal(testbed: &Testbed) -> u64 {
    let entries = std::fs::read_dir(testbed.collector().journal()).unwrap();
    entries.map(|it| it.unwrap().metadata().map_or(0, |it| it.len())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_3_a_collector_that_is_killed_before_the_fsync_is_sent_the_batch_again() {
    killed(Moment::Sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_3_a_collector_that_is_killed_before_the_ack_stores_the_batch_once() {
    killed(Moment::Written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_3_what_a_killed_collector_has_acknowledged_is_there() {
    killed(Moment::Acked).await;
}
