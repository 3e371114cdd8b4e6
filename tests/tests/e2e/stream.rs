//! A deed on the host becomes a row in the lake, once, whole.

use std::time::Duration;

use cordon_tests::{
    activity::Deed,
    child::degraded,
    testbed::{SOON, Testbed},
    wait,
};

#[test]
fn deeds_of_a_host_are_acknowledged() {
    let testbed = Testbed::start().unwrap();
    if let Some(why) = Testbed::degraded() {
        degraded("short-lived processes are not seen by the portable tier", why);
    }
    let mut agent = testbed.agent("web-1").unwrap();
    let done = agent.does(Deed::Launch, "ack", 200, Duration::from_secs(60)).unwrap();
    let expected = if Testbed::degraded().is_some() { 1.0 } else { 2.0 * done.count as f64 };
    wait::until("the collector has them on disk", SOON, || {
        let events = testbed.api().metric("cordon_ingest_events_total").unwrap_or(0.0);
        if events >= expected { Ok(()) } else { Err(events) }
    })
    .unwrap();
    agent.stop().unwrap();
}
