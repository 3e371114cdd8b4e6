use cordon_collector::api::view;
use expect_test::{Expect, expect};
use serde_json::json;

use super::{Row, escape_json, fields, instant, json, rows, safe, time};

#[track_caller]
fn check<T: Row>(items: &[T], width: Option<usize>, want: &Expect) {
    let shown = rows(items, width);
    if let Some(width) = width {
        let widest = shown.lines().map(console::measure_text_width).max().unwrap_or(0);
        assert!(widest <= width, "{widest} columns in {width}:\n{shown}");
    }
    want.assert_eq(&shown);
}

fn id(number: u8) -> String {
    format!("019a20c7-4988-78f6-90c9-f3f5914494{number:02}")
}

fn host(name: &str, standing: &str, is_connected: bool) -> view::Host {
    view::Host {
        agent_id: id(1),
        host_id: id(2),
        name: name.to_owned(),
        os: "Debian GNU/Linux 13".to_owned(),
        kernel: "6.12.0".to_owned(),
        architecture: "x86_64".to_owned(),
        tier: "standard".to_owned(),
        labels: vec!["site=north".to_owned()],
        standing: standing.to_owned(),
        is_connected,
        enrolled: "2026-11-24T07:15:44.123Z".to_owned(),
        last_seen: is_connected.then(|| "2026-11-24T07:16:44.123Z".to_owned()),
        agent_version: "0.1.0".to_owned(),
        receipt_key_id: "k".to_owned(),
        sensors: Vec::new(),
    }
}

fn incident(title: &str) -> view::Incident {
    view::Incident {
        incident_id: id(3),
        title: title.to_owned(),
        severity: "high".to_owned(),
        state: "open".to_owned(),
        host_id: String::new(),
        agent_id: String::new(),
        opened: "2026-11-24T07:15:44.5Z".to_owned(),
        updated: String::new(),
        phases: Vec::new(),
        ..view::Incident::default()
    }
}

#[test]
fn hosts_show_their_state_in_a_word() {
    let hosts = [
        host("web-1", "approved", true),
        host("web-2", "held", true),
        host("db", "approved", false),
    ];
    check(
        &hosts,
        None,
        &expect![[r#"
        AGENT                                 NAME   STATE    LAST SEEN (UTC)      TIER      VERSION
        019a20c7-4988-78f6-90c9-f3f591449401  web-1  online   2026-11-24 07:16:44  standard  0.1.0
        019a20c7-4988-78f6-90c9-f3f591449401  web-2  held     2026-11-24 07:16:44  standard  0.1.0
        019a20c7-4988-78f6-90c9-f3f591449401  db     offline  -                    standard  0.1.0"#]],
    );
    check(
        &hosts,
        Some(80),
        &expect![[r#"
        AGENT                                 NAME   STATE    LAST SEEN (UTC)
        019a20c7-4988-78f6-90c9-f3f591449401  web-1  online   2026-11-24 07:16:44
        019a20c7-4988-78f6-90c9-f3f591449401  web-2  held     2026-11-24 07:16:44
        019a20c7-4988-78f6-90c9-f3f591449401  db     offline  -"#]],
    );
}

#[test]
fn incidents_keep_their_ids_whole_in_a_narrow_terminal() {
    let title = "Shell with a socket as its standard input and output on web-1";
    let incidents = [incident(title), incident("x")];
    check(
        &incidents,
        None,
        &expect![[r#"
        INCIDENT                              OPENED (UTC)         STATE  SEVERITY  TITLE
        019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  open   high      Shell with a socket as its standard input and output on web-1
        019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  open   high      x"#]],
    );
    check(
        &incidents,
        Some(100),
        &expect![[r#"
        INCIDENT                              OPENED (UTC)         STATE  SEVERITY  TITLE
        019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  open   high      Shell with a socket as
                                                                                    its standard input and
                                                                                    output on web-1
        019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  open   high      x"#]],
    );
    check(
        &incidents,
        Some(80),
        &expect![[r#"
            INCIDENT                              OPENED (UTC)         TITLE
            019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  Shell with a socket
                                                                       as its standard input
                                                                       and output on web-1
            019a20c7-4988-78f6-90c9-f3f591449403  2026-11-24 07:15:44  x"#]],
    );
}

#[test]
fn detections_and_commands_say_what_in_the_last_column() {
    let detection = view::Detection {
        detection_id: id(4),
        rule_id: "r".to_owned(),
        rule_sha256: String::new(),
        title: "Shell with a socket".to_owned(),
        severity: "high".to_owned(),
        techniques: vec!["T1059.004".to_owned()],
        agent_id: id(1),
        host_id: id(2),
        incident_id: Some(id(3)),
        event_id: Some("e".to_owned()),
        reported_by: None,
        suppression_id: None,
        process_uid: None,
        summary: "/usr/bin/dash: sh -i (pid 4711)".to_owned(),
        count: 2,
        first: "2026-11-24T07:15:44.5Z".to_owned(),
        last: "2026-11-24T07:15:45.5Z".to_owned(),
        created: "2026-11-24T07:15:44.6Z".to_owned(),
    };
    check(
        &[detection],
        Some(120),
        &expect![[r#"
        DETECTION                             LAST (UTC)           SEVERITY  COUNT  WHAT
        019a20c7-4988-78f6-90c9-f3f591449404  2026-11-24 07:15:45  high      2      Shell with a socket: /usr/bin/dash: sh -i
                                                                                    (pid 4711)"#]],
    );
    let command = view::Command {
        command_id: id(5),
        incident_id: Some(id(3)),
        detection_id: Some(id(4)),
        agent_id: id(1),
        host_id: id(2),
        action: "kill".to_owned(),
        summary: "sh -i (pid 4711)".to_owned(),
        releases_id: None,
        state: "closed".to_owned(),
        verdict: Some("complete".to_owned()),
        detail: None,
        issued_by: "automation".to_owned(),
        issued: "2026-11-24T07:15:44.5Z".to_owned(),
        expires: "2026-11-24T07:16:44.5Z".to_owned(),
        sent: None,
        seen: None,
        closed: Some("2026-11-24T07:15:44.9Z".to_owned()),
        duration_ms: Some(38),
        receipt_event_id: None,
        refusal: None,
        steps: Vec::new(),
        open: Vec::new(),
        findings: Vec::new(),
        ledger: Vec::new(),
    };
    check(
        &[command],
        Some(140),
        &expect![[r#"
        COMMAND                               ISSUED (UTC)         STATE   VERDICT   MS  BY          WHAT
        019a20c7-4988-78f6-90c9-f3f591449405  2026-11-24 07:15:44  closed  complete  38  automation  kill: sh -i (pid 4711)"#]],
    );
}

#[test]
fn the_audit_log_wraps_its_details() {
    let row = view::Audit {
        number: 12,
        at: "2026-11-24T07:15:44.5Z".to_owned(),
        principal: "admin".to_owned(),
        action: "install keyring".to_owned(),
        object: "keyring 1".to_owned(),
        detail: "policy 2, members 2, 1 rules armed, and a long story about it".to_owned(),
        sha256: String::new(),
    };
    check(
        &[row],
        Some(100),
        &expect![[r#"
            NUMBER  AT (UTC)             WHO    ACTION           OBJECT     DETAIL
            12      2026-11-24 07:15:44  admin  install keyring  keyring 1  policy 2, members 2, 1 rules armed,
                                                                            and a long story about it"#]],
    );
}

#[test]
fn a_script_gets_an_array_of_objects() {
    let token = view::Token {
        token_id: id(6),
        hosts_max: 5,
        hosts: 1,
        tier: "standard".to_owned(),
        labels: Vec::new(),
        created: "2026-11-24T07:15:44.123Z".to_owned(),
        created_by: "admin\u{9b}2J".to_owned(),
        expires: "2026-11-25T07:15:44.123Z".to_owned(),
    };
    expect![[r#"
        [
          {
            "token_id": "019a20c7-4988-78f6-90c9-f3f591449406",
            "hosts_max": 5,
            "hosts": 1,
            "tier": "standard",
            "labels": [],
            "created": "2026-11-24T07:15:44.123Z",
            "created_by": "admin\u009b2J",
            "expires": "2026-11-25T07:15:44.123Z"
          }
        ]"#]]
    .assert_eq(&json(&[token]).unwrap());
}

#[test]
fn a_terminal_obeys_nothing_that_a_host_wrote() {
    assert_eq!(safe("plain ü"), "plain ü");
    assert_eq!(safe("a\u{1b}[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\u{a}c\\u{9b}");
    assert_eq!(safe("txt.\u{202e}exe"), "txt.\\u{202e}exe");
    let shown = rows(&[host("\u{1b}]0;owned\u{7}\n\u{202e}web", "approved", true)], None);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(!shown.contains(|it: char| it.is_control() && it != '\n'), "{shown:?}");
    assert!(!shown.contains('\u{202e}'), "{shown:?}");
}

#[test]
fn escaped_json_means_the_same() {
    let value = json!({ "name": "\u{7f}\u{9b}2J\u{202e}\u{feff}ü\u{1b}" });
    let text = escape_json(&value.to_string());
    assert_eq!(text, r#"{"name":"\u007f\u009b2J\u202e\ufeffü\u001b"}"#);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}

#[test]
fn times_are_shown_in_utc() {
    assert_eq!(instant("2026-11-24T07:15:44.123456789Z"), "2026-11-24 07:15:44.123");
    assert_eq!(instant("2026-11-24T07:15:44Z"), "2026-11-24 07:15:44.000");
    assert_eq!(time("2026-11-24T07:15:44.123Z"), "2026-11-24 07:15:44");
    assert_eq!(time("never"), "never");
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
