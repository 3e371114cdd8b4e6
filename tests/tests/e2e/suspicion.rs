//! What people report, and what they keep from becoming an incident, by the responders' own tool.

use std::time::Duration;

use cordon_tests::{
    activity::Deed,
    child::{Output, degraded},
    testbed::{SHELL_RULE, SOON, Testbed},
    wait,
};
use serde_json::Value;

const A_WHILE: Duration = Duration::from_secs(60);

fn run(testbed: &Testbed, arguments: &[&str]) -> Output {
    let cordon = testbed.cordon().unwrap().args(["--output", "json"]);
    cordon.args(arguments).run(SOON).unwrap()
}

fn json(testbed: &Testbed, arguments: &[&str]) -> Vec<Value> {
    let said = run(testbed, arguments).expect_success().unwrap();
    serde_json::from_str(&said).unwrap()
}

#[test]
fn what_a_person_reports_is_a_detection_in_an_incident() {
    let testbed = Testbed::start().unwrap();
    let token = json(&testbed, &["token", "create"]);
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    agent.enroll(token[0]["token"].as_str().unwrap()).unwrap();
    let host = agent.id();
    let report = ["report-suspicion", "--host", host, "--file", "/tmp/x", "--time", "2h"];
    let made = json(&testbed, &[&report[..], &["a window opened"]].concat());
    assert_eq!(made[0]["rule_id"], "staff-report");
    assert_eq!(made[0]["severity"], "medium");
    assert_eq!(made[0]["reported_by"], "admin");
    assert_eq!(made[0]["summary"], "a window opened (file /tmp/x)");
    let id = made[0]["detection_id"].as_str().unwrap();
    assert_eq!(json(&testbed, &["detection", "list"])[0]["detection_id"], id);
    assert_eq!(json(&testbed, &["detection", "show", id])[0]["event_id"], Value::Null);
    let incidents = json(&testbed, &["incident", "list"]);
    assert_eq!(incidents[0]["incident_id"], made[0]["incident_id"]);
    let acts = json(&testbed, &["audit", "list"]);
    assert!(acts.iter().any(|it| it["action"] == "suspicion.report"), "{acts:?}");
    let nowhere = run(&testbed, &["report-suspicion", "--host", "nowhere", "odd"]);
    assert_eq!(nowhere.code(), 5, "{}", nowhere.stderr);
    let empty = run(&testbed, &["report-suspicion", "--host", host, " "]);
    assert_eq!(empty.code(), 2, "{}", empty.stderr);
}

#[test]
fn what_is_suppressed_is_counted_and_opens_no_incident() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a staged attack on a host of its own", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    let suppress = ["detection", "suppress", SHELL_RULE, "--host", agent.id(), "--owner", "bob"];
    let more = ["--until", "1h", "--reason", "a test"];
    let made = json(&testbed, &[&suppress[..], &more[..]].concat());
    assert_eq!(made[0]["is_active"], true);
    agent.does(Deed::SocketShell, "shell", 2, A_WHILE).unwrap();
    wait::until_so("the shells are counted", SOON, || {
        json(&testbed, &["detection", "suppressions"])[0]["count"] == 2
    })
    .unwrap();
    let found = json(&testbed, &["detection", "list"]);
    let id = &made[0]["suppression_id"];
    assert!(found.iter().all(|it| it["suppression_id"] == *id), "{found:?}");
    assert!(json(&testbed, &["incident", "list"]).is_empty());

    json(&testbed, &["detection", "unsuppress", id.as_str().unwrap(), "--reason", "done"]);
    agent.does(Deed::SocketShell, "again", 1, A_WHILE).unwrap();
    wait::until_so("the next opens an incident", SOON, || {
        json(&testbed, &["incident", "list"]).len() == 1
    })
    .unwrap();
    let unknown = ["detection", "suppress", "no-such-rule", "--owner", "bob"];
    let unknown = run(&testbed, &[&unknown[..], &more[..]].concat());
    assert_eq!(unknown.code(), 5, "{}", unknown.stderr);
}
