//! The mapping against its schema, the schema against the standard, and rows as a person would
//! read them.

mod standard;

use std::{collections::HashSet, fmt::Display};

use expect_test::expect_file;

use super::{Context, Mapper, Sink, class, column, json, map};
use crate::{
    arrival::Host,
    crypto::signing::SigningKey,
    digest::Sha256,
    event::{
        Body, Event, file, kernel, login, network,
        process::{Ending, ExecutableKind, HashState},
        receipt::{Receipt, Refusal, StepOutcome, StepReport, Verdict},
    },
    id::{BootId, CommandId, Epoch, EventId, EventSeq, HostId, IncidentId, LedgerId},
    test_support::{Random, agent, event, origin, samples},
    text::Text,
    time::{Boottime, Timestamp},
    wire,
};

fn host() -> Host {
    let id = HostId::from_slice(&[0x40; 16]).expect("16 bytes, not all zero");
    Host { id, name: "web-1".to_owned(), os: "Debian GNU/Linux 12".to_owned() }
}

fn context<'a>(host: &'a Host, event: &Event, index: usize) -> Context<'a> {
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
    /// What was told at all.
    told: HashSet<&'static str>,
}

impl Strict {
    fn new(class_uid: i64) -> Self {
        let open = vec![(column::all(class_uid).collect(), 0)];
        Self { open, wrong: Vec::new(), told: HashSet::new() }
    }

    fn step(
        &mut self,
        field: &'static str,
        fits: impl Fn(&column::Kind) -> bool,
    ) -> &'static [column::Field] {
        self.told.insert(field);
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

/// The samples, and what else an event can be where the row depends on it.
fn all_kinds() -> Vec<Event> {
    let mut events = Vec::new();
    for sample in samples() {
        let more: Vec<Body> = match &sample.body {
            Body::ProcessLaunch(it) => {
                let mut bare = it.clone();
                (bare.parent, bare.exe_file, bare.descriptors) = (None, None, None);
                bare.ancestry.clear();
                (bare.exe_kind, bare.hash_state) = (ExecutableKind::Memfd, HashState::NotTried);
                vec![Body::ProcessLaunch(bare)]
            }
            Body::ProcessExit(it) => [Ending::Code(3), Ending::Unknown]
                .map(|ending| {
                    Body::ProcessExit(crate::event::process::Exit { ending, ..it.clone() })
                })
                .to_vec(),
            Body::FileChange(it) => {
                let bare = file::Change {
                    action: file::Action::Delete,
                    path_before: Text::EMPTY,
                    actor: None,
                    file: None,
                    sha256: None,
                    ..(**it).clone()
                };
                let mut folder = (**it).clone();
                (folder.is_directory, folder.file) = (true, None);
                [bare, folder].map(|it| Body::FileChange(Box::new(it))).to_vec()
            }
            Body::Mount(it) => {
                vec![Body::Mount(file::Mount { is_unmount: true, ..it.clone() })]
            }
            Body::Connection(it) => {
                let mut accept = it.clone();
                accept.action = network::Action::Accept;
                accept.direction = Some(network::Direction::Inbound);
                let mut fail = it.clone();
                (fail.action, fail.direction) = (network::Action::Fail, None);
                vec![Body::Connection(accept), Body::Connection(fail)]
            }
            Body::DnsQuery(it) => {
                vec![Body::DnsQuery(network::DnsQuery { kind: 31_337, ..it.clone() })]
            }
            Body::KernelLoad(it) => vec![Body::KernelLoad(kernel::Load {
                object: kernel::Object::BpfProgram,
                path: Text::EMPTY,
                sha256: None,
                ..it.clone()
            })],
            Body::LoginSession(it) => vec![Body::LoginSession(login::Session {
                action: login::Action::Fail,
                remote: None,
                ..it.clone()
            })],
            Body::Receipt(_) => [Verdict::Partial, Verdict::Refused, Verdict::Planned]
                .map(|verdict| Body::Receipt(wire::receipt::sign(&receipt(verdict), &key())))
                .to_vec(),
            Body::CredentialChange(_)
            | Body::Ptrace(_)
            | Body::Listen(_)
            | Body::LogRecord(_)
            | Body::Health(_)
            | Body::Loss(_) => Vec::new(),
        };
        events.push(sample);
        events.extend(more.into_iter().map(event));
    }
    events
}

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

fn receipt(verdict: Verdict) -> Receipt {
    let clock = origin().clock;
    Receipt {
        command: CommandId::from_slice(&[0xc0; 16]).expect("16 bytes"),
        agent: agent(),
        incident: IncidentId::from_slice(&[0x1c; 16]),
        verdict,
        refusal: (verdict == Verdict::Refused).then_some(Refusal::TooEarly),
        detail: "one process is left".to_owned(),
        steps: vec![StepReport {
            step: "kill 4711".to_owned(),
            outcome: StepOutcome::Done,
            detail: String::new(),
        }],
        open: vec!["4712".to_owned()],
        findings: Vec::new(),
        ledger: LedgerId::from_slice(&[0x1e; 16]).into_iter().collect(),
        received: clock,
        began: clock,
        ended: clock,
        command_sha256: Sha256::of(b"command"),
    }
}

#[test]
fn every_event_fits_the_table_of_its_class() {
    let host = host();
    for (index, event) in all_kinds().iter().enumerate() {
        let uid = class::of(&event.body).uid;
        assert!(class::UIDS.contains(&uid));
        let mut strict = Strict::new(uid);
        map(event, &context(&host, event, index), &mut strict);
        assert_eq!(strict.wrong, Vec::<String>::new(), "{}", event.body.name());
        assert_eq!(strict.open.len(), 1, "{} leaves something open", event.body.name());
    }
}

#[test]
fn every_column_is_filled_by_some_event() {
    let host = host();
    let mut told = HashSet::new();
    for (index, event) in all_kinds().iter().enumerate() {
        let mut strict = Strict::new(class::of(&event.body).uid);
        map(event, &context(&host, event, index), &mut strict);
        told.extend(strict.told);
    }
    let columns = class::UIDS.iter().flat_map(|uid| column::of(*uid).iter());
    let columns = columns.chain(column::HEAD).chain(column::FLAT);
    let dead: Vec<_> = columns.filter(|it| !told.contains(it.name)).map(|it| it.name).collect();
    assert_eq!(dead, Vec::<&str>::new());
}

#[test]
fn the_rows_are_these() {
    let host = host();
    let mut text = String::new();
    for (index, event) in all_kinds().iter().enumerate() {
        let line = json::to_string(event, &context(&host, event, index));
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        text.push_str(&serde_json::to_string_pretty(&value).expect("it was JSON"));
        text.push('\n');
    }
    expect_file!["golden/rows.json"].assert_eq(&text);
}

/// Keeps what it is told as text.
#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn text(&mut self, field: &'static str, value: &dyn Display) {
        self.0.push(format!("{field} {value}"));
    }
    fn long(&mut self, field: &'static str, value: i64) {
        self.0.push(format!("{field} {value}"));
    }
    fn flag(&mut self, field: &'static str, value: bool) {
        self.0.push(format!("{field} {value}"));
    }
    fn open(&mut self, field: &'static str) {
        self.0.push(format!("{field} {{"));
    }
    fn list(&mut self, field: &'static str) {
        self.0.push(format!("{field} ["));
    }
    fn item(&mut self) {
        self.0.push("{".to_owned());
    }
    fn close(&mut self) {
        self.0.push("}".to_owned());
    }
}

#[test]
fn a_mapper_that_remembers_says_what_one_that_does_not_says() {
    let (host, random) = (host(), Random::new(7));
    let mut mapper = Mapper::default();
    for index in 0..200 {
        let event = random.event(crate::id::Lane::Critical);
        let mut context = context(&host, &event, index);
        // Another boot now and then: the same keys are other processes.
        context.boot = BootId([u8::try_from(random.below(2)).unwrap(); 16]);
        let (mut once, mut remembered) = (Told::default(), Told::default());
        map(&event, &context, &mut once);
        mapper.map(&event, &context, &mut remembered);
        assert_eq!(once.0, remembered.0);
    }
}

#[test]
fn times_of_a_loss_follow_the_clock_that_the_row_is_told_by() {
    let host = host();
    let loss = samples().into_iter().find(|it| matches!(it.body, Body::Loss(_))).unwrap();
    let mut context = context(&host, &loss, 0);
    // The host's clock is a day off; the row says when it was.
    context.time = Timestamp::from_ns(2_000_000_000_000_000_000);
    let line = json::to_string(&loss, &context);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let Body::Loss(it) = &loss.body else { unreachable!() };
    let before = |at: Boottime| i64::try_from((loss.boottime.as_ns() - at.as_ns()) / 1_000_000);
    assert_eq!(value["start_time"], 2_000_000_000_000 - before(it.from).unwrap() - 1);
    assert_eq!(value["time"], 2_000_000_000_000_i64);
    assert_ne!(value["cordon_host_time"], value["time"]);
}
