//! The mapping against its schema, and as a person would read it.

use std::fmt::Display;

use expect_test::expect_file;

use super::{Context, Sink, class, column, json, map};
use crate::{
    arrival::Host,
    id::{Epoch, EventId, EventSeq, HostId},
    test_support::{agent, origin, samples},
    time::Timestamp,
};

fn host() -> Host {
    let id = HostId::from_slice(&[0x40; 16]).expect("16 bytes, not all zero");
    Host { id, name: "web-1".to_owned(), os: "Debian GNU/Linux 12".to_owned() }
}

fn context(host: &Host, index: usize) -> Context<'_> {
    let event = &samples()[index];
    let seq = EventSeq::from_u64(index as u64 + 1).expect("at least 1");
    let epoch = Epoch::from_u64(17).expect("not zero");
    let id = EventId { agent: agent(), epoch, lane: event.body.lane(), seq };
    let received = Some(Timestamp::from_ns(1_764_001_001_000_000_000));
    let (agent, boot) = (agent(), origin().boot);
    Context { id: Some(id), agent, host, boot, time: event.realtime, received }
}

/// Follows a row through the table of its class and notes what does not fit.
struct Strict {
    /// The fields of what is open, and how many were passed.
    open: Vec<(Vec<&'static column::Field>, usize)>,
    wrong: Vec<String>,
}

impl Strict {
    fn step(
        &mut self,
        field: &'static str,
        fits: impl Fn(&column::Kind) -> bool,
    ) -> &'static [column::Field] {
        let (fields, passed) = self.open.last_mut().expect("the row itself is open");
        let Some(ahead) = fields.iter().skip(*passed).position(|it| it.name == field) else {
            self.wrong.push(format!("`{field}` is not in the table, or out of order"));
            return &[];
        };
        let found = fields[*passed + ahead];
        *passed += ahead + 1;
        if !fits(&found.kind) {
            self.wrong.push(format!("`{field}` is {:?} in the table", found.kind));
        }
        match found.kind {
            column::Kind::Object(inner) | column::Kind::List(inner) => inner,
            column::Kind::Text | column::Kind::Long | column::Kind::Flag => &[],
        }
    }
}

impl Sink for Strict {
    fn text(&mut self, field: &'static str, _value: &dyn Display) {
        self.step(field, |it| *it == column::Kind::Text);
    }
    fn long(&mut self, field: &'static str, _value: i64) {
        self.step(field, |it| *it == column::Kind::Long);
    }
    fn flag(&mut self, field: &'static str, _value: bool) {
        self.step(field, |it| *it == column::Kind::Flag);
    }
    fn open(&mut self, field: &'static str) {
        let inner = self.step(field, |it| matches!(it, column::Kind::Object(_)));
        self.open.push((inner.iter().collect(), 0));
    }
    fn list(&mut self, field: &'static str) {
        let inner = self.step(field, |it| matches!(it, column::Kind::List(_)));
        self.open.push((inner.iter().collect(), 0));
    }
    fn item(&mut self) {
        let (fields, _) = self.open.last().expect("a list is open").clone();
        self.open.push((fields, 0));
    }
    fn close(&mut self) {
        self.open.pop();
    }
}

#[test]
fn every_event_fits_the_table_of_its_class() {
    let host = host();
    for (index, event) in samples().iter().enumerate() {
        let uid = class::of(&event.body).uid;
        assert!(class::UIDS.contains(&uid));
        let mut strict = Strict { open: vec![(column::all(uid).collect(), 0)], wrong: Vec::new() };
        map(event, &context(&host, index), &mut strict);
        assert_eq!(strict.wrong, Vec::<String>::new(), "{}", event.body.name());
        assert_eq!(strict.open.len(), 1, "{} leaves something open", event.body.name());
    }
}

#[test]
fn the_rows_are_these() {
    let host = host();
    let mut text = String::new();
    for (index, event) in samples().iter().enumerate() {
        let line = json::to_string(event, &context(&host, index));
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        text.push_str(&serde_json::to_string_pretty(&value).expect("it was JSON"));
        text.push('\n');
    }
    expect_file!["golden/rows.json"].assert_eq(&text);
}
