//! A staged attack becomes one detection, one incident, one kill, one receipt.

use std::time::Duration;

use cordon_tests::{
    activity::{self, Deed},
    child::degraded,
    oracle::Generated,
    testbed::{Agent, SHELL_RULE, SOON, Testbed},
    wait,
};
use serde_json::Value;

const A_WHILE: Duration = Duration::from_secs(60);

/// The one thing of a list, once it is as it should be.
fn only(testbed: &Testbed, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let found = wait::until(&format!("`{path}` has the one"), SOON, || {
        let all = testbed.items(path).unwrap();
        match all.as_slice() {
            [one] if is_it(one) => Ok(one.clone()),
            other => Err(format!("{other:?}")),
        }
    });
    found.unwrap()
}

/// A host whose collector may kill on it: the rule is armed, and the agent knows.
fn armed() -> (Testbed, Agent) {
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    testbed.arm_shell_rule(&agent).unwrap();
    (testbed, agent)
}

/// One detection, one incident, one kill that is complete, one receipt; all of one another.
fn judge(mut testbed: Testbed, mut agent: Agent) {
    let detection = only(&testbed, "/api/v1/detections", |it| it["rule_id"] == SHELL_RULE);
    assert_eq!(detection["agent_id"], agent.id());
    let incident = only(&testbed, "/api/v1/incidents", |it| it["state"] == "open");
    assert_eq!(incident["incident_id"], detection["incident_id"]);
    let command = only(&testbed, "/api/v1/commands", |it| it["state"] == "closed");
    assert_eq!(command["action"], "kill");
    assert_eq!(command["verdict"], "complete", "{command}");
    assert_eq!(command["incident_id"], incident["incident_id"]);
    assert_eq!(command["detection_id"], detection["detection_id"]);

    let id = incident["incident_id"].as_str().unwrap();
    let timeline = testbed.items(&format!("/api/v1/incidents/{id}/timeline")).unwrap();
    for kind in ["detection", "command", "receipt"] {
        let count = timeline.iter().filter(|it| it["kind"] == kind).count();
        assert_eq!(count, 1, "`{kind}` in {timeline:?}");
    }
    let rows = testbed.settle([&mut agent], &Generated::new(), A_WHILE).unwrap();
    rows.numbers().must_hold().unwrap();
    let receipts: Vec<_> = rows.0.iter().filter(|it| it.kind == "receipt").collect();
    assert_eq!(receipts.len(), 1);
    assert_eq!(command["receipt_event_id"], receipts[0].event_id.as_str());
}

#[test]
fn a_shell_on_a_socket_is_detected_and_killed_once_and_answered_for() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a staged attack on a host of its own", why);
    }
    let (testbed, agent) = armed();
    // The doer fails unless its shell was killed.
    agent.does(Deed::CaughtShell, "shell", 1, A_WHILE).unwrap();
    judge(testbed, agent);
}

#[test]
fn a_shell_that_comes_while_both_sides_are_dead_is_killed_once_they_are_back() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a staged attack beside kill -9", why);
    }
    let (mut testbed, mut agent) = armed();
    agent.kill().unwrap();
    testbed.collector_mut().kill().unwrap();
    let doer = agent.deed(Deed::CaughtShell, "shell", 1).unwrap();
    let mut doer = doer.start(testbed.logs()).unwrap();
    testbed.collector_mut().start_again().unwrap();
    agent.start().unwrap();
    activity::finish(&mut doer, A_WHILE).unwrap();
    judge(testbed, agent);
}
