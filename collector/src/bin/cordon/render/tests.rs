use cordon_collector::api::view;
use expect_test::expect;
use serde_json::json;

use super::{Row as _, fields, safe, table, time};

#[test]
fn a_terminal_obeys_nothing_that_a_host_wrote() {
    assert_eq!(safe("plain ü"), "plain ü");
    assert_eq!(safe("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
    assert_eq!(safe("txt.\u{202e}exe"), "txt.\\u{202e}exe");
}

#[test]
fn times_are_shown_to_the_millisecond() {
    assert_eq!(time("2026-11-24T07:15:44.123456789Z"), "2026-11-24 07:15:44.123");
    assert_eq!(time("2026-11-24T07:15:44Z"), "2026-11-24 07:15:44.000");
    assert_eq!(time("never"), "never");
}

#[test]
fn columns_align_and_ids_stay_whole() {
    let incident = |title: &str| view::Incident {
        incident_id: "01a20c7b-4988-78f6-90c9-f3f591449498".to_owned(),
        title: title.to_owned(),
        severity: "high".to_owned(),
        state: "open".to_owned(),
        host_id: String::new(),
        agent_id: String::new(),
        opened: "2026-11-24T07:15:44.5Z".to_owned(),
        updated: String::new(),
        phases: Vec::new(),
    };
    let rows = ["Shell with a socket", "x"].map(|it| incident(it).cells()).to_vec();
    expect![[r"
        INCIDENT                              OPENED                   SEVERITY  STATE  TITLE
        01a20c7b-4988-78f6-90c9-f3f591449498  2026-11-24 07:15:44.500  high      open   Shell with a socket
        01a20c7b-4988-78f6-90c9-f3f591449498  2026-11-24 07:15:44.500  high      open   x"]]
    .assert_eq(&table(view::Incident::HEAD, rows));
}

#[test]
fn one_thing_is_shown_field_by_field() {
    let value = json!({ "agent_id": "a", "labels": ["x=1", "y=2"], "empty": "", "is_held": false,
        "nothing": null, "nested": {} });
    expect![[r"
        agent id  a
        is held   no
        labels    x=1, y=2"]]
    .assert_eq(&fields(&value));
}
