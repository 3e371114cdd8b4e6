//! Wires that fall silent, and batches that come again and again.

use std::time::Duration;

use cordon_shared::{
    id::{Epoch, EventSeq},
    limit,
    time::{Clock, SystemClock},
};
use cordon_tests::{
    activity::Deed,
    child::degraded,
    network::Namespace,
    oracle,
    peer::Peer,
    proxy::{Link, Proxy},
    synth,
    testbed::{Agent, Testbed},
    wait,
};

use crate::crash::connected;

const A_WHILE: Duration = Duration::from_secs(60);

/// Memory that a thousand repeats may cost: buffers of the transport, no copy of each.
const REPEAT_BYTES_MAX: u64 = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_batch_that_comes_a_thousand_times_is_stored_once() {
    let mut testbed = Testbed::start().unwrap();
    let token = testbed.api().token(1).unwrap();
    let sessions = testbed.collector().addresses().sessions;
    let peer = Peer::enrol(&token, sessions).await.unwrap();
    let epoch = Epoch::from_u64(7).unwrap();
    let mut stream = synth::Stream::new("again", epoch, 300);
    let (mut link, _) = peer.session().await.unwrap();
    let batch = stream.batch(256).unwrap();
    link.send(batch.bytes().clone()).await;
    link.acked(epoch, batch.header().last_seq()).await.unwrap();
    let before = testbed.collector().process().memory_bytes_peak().unwrap();
    let after = stream.batch(1).unwrap();
    // The acknowledgements of repeats must be heard, or the collector reads no more.
    let repeats = async {
        for _ in 0..1_000 {
            link.send(batch.bytes().clone()).await;
            link.hear().await.unwrap();
        }
        link.send(after.bytes().clone()).await;
        link.acked(epoch, after.header().last_seq()).await.unwrap();
    };
    repeats.await;
    let grown = testbed.collector().process().memory_bytes_peak().unwrap() - before;
    assert!(grown < REPEAT_BYTES_MAX, "{grown} bytes more");
    let markers = (1..=257).filter_map(EventSeq::from_u64).map(|it| stream.marker(it));
    let generated = oracle::generated(markers);
    let rows = testbed.settle([], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn f_21_a_half_open_connection_is_noticed_and_nothing_is_lost() {
    let mut testbed = Testbed::start().unwrap();
    let proxy = Proxy::start(testbed.collector().addresses().sessions).unwrap();
    let agent = testbed.agent_as("web-1", |plan| plan.sessions = proxy.address());
    let mut agent = agent.unwrap();
    connected(&testbed, &agent);
    // As when the other side lost power: what is sent is taken by nobody, and no reset comes back.
    proxy.set_both(Link::BlackHole);
    let began = SystemClock.boottime();
    let generated = match Testbed::degraded() {
        None => agent.does(Deed::Launch, "half", 500, A_WHILE).unwrap().launches().unwrap(),
        Some(why) => {
            degraded("launches over a half-open connection", why);
            oracle::Generated::new()
        }
    };
    wait::until_so("the agent notices", limit::HEARTBEAT_DEAD * 2, || {
        agent.log().is_ok_and(|it| it.contains("no session; trying again"))
    })
    .unwrap();
    let noticed = SystemClock.boottime().since(began);
    // Dead after so long without a word, looked at with each heartbeat.
    let late = limit::HEARTBEAT_DEAD + limit::HEARTBEAT_EVERY;
    assert!(noticed <= late, "noticed after {noticed:?}");
    wait::until_so("the collector notices", limit::HEARTBEAT_DEAD * 2, || {
        testbed.api().host(agent.id()).is_ok_and(|it| it["is_connected"] == false)
    })
    .unwrap();
    proxy.cut();
    proxy.set_both(Link::Passing);
    connected(&testbed, &agent);
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn f_21_a_wire_that_is_pulled_is_noticed_by_both_and_nothing_is_lost() {
    if let Some(why) = Namespace::unavailable().or(Testbed::degraded()) {
        return degraded("a host with a network of its own", why);
    }
    let mut testbed = Testbed::networked().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let other = testbed.agent("web-2").unwrap();
    connected(&testbed, &agent);
    connected(&testbed, &other);
    testbed.unplug(&agent).unwrap();
    let began = SystemClock.boottime();
    let done = agent.does(Deed::Launch, "wire", 500, A_WHILE).unwrap();
    wait::until_so("the agent notices", limit::HEARTBEAT_DEAD * 2, || {
        agent.log().is_ok_and(|it| it.contains("no session; trying again"))
    })
    .unwrap();
    let noticed = SystemClock.boottime().since(began);
    let late = limit::HEARTBEAT_DEAD + limit::HEARTBEAT_EVERY;
    assert!(noticed <= late, "noticed after {noticed:?}");
    let is_connected =
        |it: &Agent| testbed.api().host(it.id()).is_ok_and(|it| it["is_connected"] == true);
    wait::until_so("the collector notices", limit::HEARTBEAT_DEAD * 2, || !is_connected(&agent))
        .unwrap();
    assert!(is_connected(&other), "another host's wire was not pulled");
    testbed.plug(&agent).unwrap();
    connected(&testbed, &agent);
    let generated = done.launches().unwrap();
    drop(other);
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}
