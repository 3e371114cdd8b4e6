//! Rows of ours against the events that they were made of: rules see the same.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use cordon_shared::{
    arrival::Host,
    event::{Body, Event, network},
    id::HostId,
    ocsf::{self, Context},
    test_support::{agent, origin, samples},
    text::Text,
};
use expect_test::expect;
use serde_json::Value as Json;

use crate::detect::{
    field::{Fields, NAMES, sources},
    row::Row,
};

/// An event as `cordon event search` prints it.
fn printed(event: &Event) -> BTreeMap<String, Json> {
    let id = HostId::from_slice(&[0x40; 16]).unwrap();
    let host = Host { id, name: "web-1".to_owned(), os: "Debian GNU/Linux 12".to_owned() };
    let context = Context {
        id: None,
        agent: agent(),
        host: &host,
        boot: origin().boot,
        time: event.realtime,
        received: None,
    };
    serde_json::from_str(&ocsf::json::to_string(event, &context)).unwrap()
}

/// Every field that rules can name, and what keywords look at.
fn seen(fields: &dyn Fields) -> String {
    let names = NAMES.iter().chain(&["message", "unit", "method", "Hashes"]);
    let named = names.filter_map(|it| Some(format!("{it}={}", fields.get(it)?)));
    let each = RefCell::new(Vec::new());
    fields.each(&mut |it| each.borrow_mut().push(it.to_owned()));
    named.chain(each.into_inner()).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_see_the_same_in_a_row_as_in_its_event() {
    let mut events = samples();
    // Bytes that are no text, and what a row escapes.
    for event in &mut events {
        if let Body::ProcessLaunch(it) = &mut event.body {
            Arc::make_mut(&mut it.process).argv =
                [&b"a\\x5cb"[..], b"\xff\\", b"c"].map(Text::from).to_vec();
        }
        if let Body::Connection(it) = &mut event.body {
            it.action = network::Action::Connect;
        }
    }
    // The same seen from the other end.
    for event in events.clone() {
        if let Body::Connection(mut it) = event.body {
            it.direction = Some(network::Direction::Inbound);
            events.push(Event { body: Body::Connection(it), ..event });
        }
    }
    let mut kinds = Vec::new();
    for event in samples().iter().chain(&events) {
        let printed = printed(event);
        let row = Row::recognise(&printed).unwrap();
        assert_eq!(row.sources(), sources(event), "{event:?}");
        if !row.sources().is_empty() {
            assert_eq!(seen(&row), seen(event), "{event:?}");
            kinds.push(event.body.name());
        }
    }
    kinds.dedup();
    expect!["process_launch file_change log_record process_launch file_change connection log_record connection"]
        .assert_eq(&kinds.join(" "));
}

#[test]
fn what_is_no_row_of_ours_is_not_taken_for_one() {
    let rows = [
        r#"{"Image": "/bin/sh"}"#,
        r#"{"class_uid": 1007, "metadata": {}}"#,
        r#"{"cordon_kind": "process_launch"}"#,
        r#"{"class_uid": 1007, "metadata": {}, "cordon_kind": 7}"#,
    ];
    for it in rows {
        let row: BTreeMap<String, Json> = serde_json::from_str(it).unwrap();
        assert!(Row::recognise(&row).is_none(), "{it}");
    }
}
