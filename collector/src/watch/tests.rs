use std::{borrow::Cow, sync::Arc, time::Duration};

use cordon_shared::{
    arrival::{Arrival, Host},
    batch::{self, Builder},
    detection::RuleSummary,
    event::Body,
    id::{AgentId, Epoch, EventId, EventSeq, IncidentId, Lane, ProcessKey},
    incident::{Phase, PhaseState},
    keyring::{ArmedRule, author},
    test_support::{order, origin, samples},
    time::Clock,
    wire,
};
use expect_test::expect;
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::sync::CancellationToken;

use super::{CONSUMER, Failure, Parts, Watch, page, rules::Rules};
use crate::{
    detect::{SHIPPED, field::Fields, parse, rule::Source},
    notice::{Board, InForce, Trouble},
    response::{ring::Ring, sign::Signer},
    store::{CommandRow, Page, tests::Bed},
};

/// A watch over a store of its own, whose one agent saw a shell with a socket for a terminal.
struct Desk {
    bed: Bed,
    agent: AgentId,
    watch: Watch,
}

/// The rule that is armed.
fn shipped() -> RuleSummary {
    let is_it = |(file, _): &&(&str, &str)| *file == "shell_with_socket_stdio.yaml";
    let (_, text) = SHIPPED.iter().find(is_it).unwrap();
    parse::rule(text).unwrap().summary
}

impl Desk {
    async fn new(is_armed: bool) -> Self {
        let bed = Bed::new().await;
        let agent = bed.agent("web-1").await;
        let mut draft = order::draft();
        if is_armed {
            let rule = shipped();
            draft.members.armed.push(ArmedRule { rule: rule.id, sha256: rule.sha256 });
        }
        let bundle = author::sign(&draft, &[1, 3, 4].map(order::key));
        let signed = wire::keyring::encode(&bundle);
        bed.store.install_keyring(&signed, "", &bed.by()).await.unwrap();
        let watch = watch(&bed, 0);
        Self { bed, agent, watch }
    }

    /// The batch in which process `pid` is launched as event `seq`, at the bed's present.
    async fn arrival(&self, seq: u64, pid: u32) -> Arc<Arrival> {
        let mut event = samples().remove(0);
        event.exercise = None;
        if let Body::ProcessLaunch(launch) = &mut event.body {
            let mut process = (*launch.process).clone();
            process.key = ProcessKey { pid, start_ticks: 1 };
            launch.process = Arc::new(process);
        }
        let (epoch, first) = (Epoch::from_u64(7).unwrap(), EventSeq::from_u64(seq).unwrap());
        let mut builder = Builder::new(Lane::Critical, epoch, first, origin());
        builder.push(&event, batch::Source::default());
        let sealed = builder.seal().unwrap();
        let now = self.bed.clock.now();
        let row = self.bed.store.agent(self.agent).await.unwrap();
        Arc::new(Arrival {
            position: seq,
            agent: self.agent,
            host: Arc::new(Host { id: row.host.id, name: "web-1".to_owned(), os: String::new() }),
            received: now,
            boot_epoch: now.saturating_sub(Duration::from_nanos(event.boottime.as_ns())),
            is_corrected: true,
            header: *sealed.header(),
            contents: Arc::new(sealed.open().unwrap()),
        })
    }

    /// What the watch does with a page of these, up to and with the store.
    async fn take(&mut self, arrivals: &[Arc<Arrival>], safe: u64) {
        let engine = self.watch.parts.rules.engine();
        let judge = |arrival: &_, id, event: &_| engine.judge(arrival, id, event);
        let found = page::read(arrivals, judge, &*self.bed.clock);
        self.watch.handle(&found, safe, false).await.unwrap();
    }

    async fn commands(&self) -> Vec<CommandRow> {
        self.bed.store.commands(None, &Page::default()).await.unwrap()
    }

    async fn timeline(&self, incident: IncidentId) -> String {
        let entries = self.bed.store.timeline(incident, 0).await.unwrap();
        let shown: Vec<_> = entries.iter().map(|it| format!("{}: {}", it.kind, it.text)).collect();
        shown.join("\n")
    }
}

fn watch(bed: &Bed, position: u64) -> Watch {
    let parts = Parts {
        store: bed.store.clone(),
        rules: Arc::new(Rules::load(None)),
        ring: Ring::new(bed.store.clone(), order::roots(), InForce::of(u64::MAX)),
        signer: Signer::new(order::key(6)),
        board: Board::default(),
        wake: Arc::new(Notify::new()),
        clock: bed.clock.clone(),
        entropy: Arc::new(cordon_shared::entropy::SeededEntropy::new(2)),
    };
    Watch::new(parts, position, Handle::current(), CancellationToken::new())
}

#[tokio::test]
async fn a_detection_becomes_an_incident_and_one_signed_command() {
    let mut desk = Desk::new(true).await;
    let page = [desk.arrival(1, 100).await];
    desk.take(&page, 1).await;
    let commands = desk.commands().await;
    assert_eq!(commands.len(), 1);
    let command = &commands[0];
    assert_eq!((command.agent, command.action.as_str()), (desk.agent, "kill"));
    assert_eq!(command.issued_by, "automation");
    let incident = desk.bed.store.incident(command.incident.unwrap()).await.unwrap();
    let state = |phase: Phase| incident.phases[phase.index()].0;
    assert_eq!(state(Phase::Identification), PhaseState::Active);
    assert_eq!(state(Phase::Containment), PhaseState::Active);
    expect![[r#"
        phase: opened: Shell with a socket as its standard input and output
        detection: Shell with a socket as its standard input and output: /usr/bin/dash: sh -c echo \xff\ (pid 100)
        command: kill the tree of pid 100: Shell with a socket as its standard input and output
        phase: containment: pending to active"#]].assert_eq(&desk.timeline(incident.id).await);
    assert_eq!(desk.bed.store.position(CONSUMER).await.unwrap(), 1);
}

#[tokio::test]
async fn a_page_that_is_read_again_after_a_crash_changes_nothing() {
    let mut desk = Desk::new(true).await;
    let page = [desk.arrival(1, 100).await, desk.arrival(2, 101).await];
    desk.take(&page, 1).await;
    let (before, incident) = (desk.commands().await, desk.commands().await[0].incident.unwrap());
    let timeline = desk.timeline(incident).await;
    assert_eq!(before.len(), 2);
    desk.watch = watch(&desk.bed, 1);
    desk.take(&page, 3).await;
    let after = desk.commands().await;
    assert_eq!(after.len(), 2);
    assert_eq!(desk.timeline(incident).await, timeline);
    assert_eq!(desk.bed.store.position(CONSUMER).await.unwrap(), 3);
}

#[tokio::test]
async fn a_rule_that_nobody_armed_opens_an_incident_that_says_why_nothing_is_done() {
    let mut desk = Desk::new(false).await;
    let page = [desk.arrival(1, 100).await];
    desk.take(&page, 1).await;
    assert!(desk.commands().await.is_empty());
    let incidents = desk.bed.store.incidents(&Page::default()).await.unwrap();
    assert_eq!(incidents.len(), 1);
    expect![[r#"
        phase: opened: Shell with a socket as its standard input and output
        detection: Shell with a socket as its standard input and output: /usr/bin/dash: sh -c echo \xff\ (pid 100)
        response: automation does nothing: rule `2a4c7d0e-6b51-4f39-9d7a-5c1e8f20b3a6` is not armed"#]]
    .assert_eq(&desk.timeline(incidents[0].id).await);
}

#[tokio::test]
async fn a_late_event_is_not_acted_on_and_a_later_one_of_the_same_process_is() {
    let mut desk = Desk::new(true).await;
    let late = [desk.arrival(1, 100).await];
    desk.bed.clock.advance(Duration::from_secs(61));
    desk.take(&late, 1).await;
    assert!(desk.commands().await.is_empty());
    let fresh = [desk.arrival(2, 100).await];
    desk.take(&fresh, 2).await;
    let again = [desk.arrival(3, 100).await];
    desk.take(&again, 3).await;
    let commands = desk.commands().await;
    assert_eq!(commands.len(), 1);
    let detections = desk.bed.store.detections(None, &Page::default()).await.unwrap();
    assert_eq!((detections.len(), detections[0].count), (1, 3));
    assert_eq!(commands[0].detection, Some(detections[0].id));
}

#[tokio::test]
async fn automation_stops_at_its_total_within_one_page() {
    let mut desk = Desk::new(true).await;
    let mut page = Vec::new();
    for seq in 1..=4 {
        page.push(desk.arrival(seq, 1_000 + u32::try_from(seq).unwrap()).await);
    }
    desk.take(&page, 4).await;
    // The sample keyring permits two in an hour.
    assert_eq!(desk.commands().await.len(), 2);
}

#[tokio::test]
async fn a_detection_of_an_agent_that_the_store_has_forgotten_stops_nothing() {
    let mut desk = Desk::new(true).await;
    let mut forgotten = (*desk.arrival(1, 100).await).clone();
    forgotten.agent = AgentId::from_slice(&[0x77; 16]).unwrap();
    let page = [Arc::new(forgotten), desk.arrival(2, 101).await];
    desk.take(&page, 2).await;
    assert_eq!(desk.commands().await.len(), 1);
}

#[tokio::test]
async fn an_event_that_the_rules_break_on_is_passed_over_and_the_others_are_judged() {
    let desk = Desk::new(true).await;
    let page = [desk.arrival(1, 100).await, desk.arrival(2, 101).await];
    let engine = desk.watch.parts.rules.engine();
    let judge = |arrival: &Arrival, id: EventId, event: &_| {
        assert_ne!(id.seq.as_u64(), 1, "a rule breaks");
        engine.judge(arrival, id, event)
    };
    let found = page::read(&page, judge, &*desk.bed.clock);
    assert_eq!((found.events, found.repeats.len()), (2, 1));
    assert_eq!(found.repeats[0].first.basis.event().unwrap().seq.as_u64(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_49_what_the_state_cannot_keep_is_told_and_the_rest_goes_on() {
    let mut desk = Desk::new(true).await;
    let first = [desk.arrival(1, 100).await];
    desk.take(&first, 1).await;
    // What this agent's detections would join does not read any more.
    desk.bed.spoil("update incident_phase set state = 'x'").await;
    let poison = desk.arrival(2, 101).await;
    desk.agent = desk.bed.agent("web-2").await;
    let page = [poison, desk.arrival(3, 102).await];
    let engine = desk.watch.parts.rules.engine();
    let judge = |arrival: &_, id, event: &_| engine.judge(arrival, id, event);
    let found = page::read(&page, judge, &*desk.bed.clock);
    let Desk { bed, agent, mut watch } = desk;
    let troubles = watch.parts.board.troubles().clone();
    let work = move || {
        assert!(matches!(watch.attempt(&found, 4, false), Err(Failure::Data(_))));
        assert!(watch.salvage(&found, 4).is_ok());
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    let commands = bed.store.commands(None, &Page::default()).await.unwrap();
    assert_eq!(commands.iter().filter(|it| it.agent == agent).count(), 1);
    assert_eq!(bed.store.position(CONSUMER).await.unwrap(), 4);
    assert!(troubles.all().contains(&(Trouble::PassedOver, 1)));
    let rows = bed.store.audit_rows(&Page::default()).await.unwrap();
    assert_eq!(rows.iter().filter(|it| it.action == "watch.passed_over").count(), 1);
}

/// An event that every rule breaks on.
struct Poison;

impl Fields for Poison {
    fn get(&self, _field: &str) -> Option<Cow<'_, str>> {
        panic!("a defect")
    }

    fn each(&self, _: &mut dyn FnMut(&str)) {}
}

#[tokio::test]
async fn f_49_a_rule_that_breaks_is_told_once_until_the_rules_are_loaded_again() {
    let mut desk = Desk::new(true).await;
    let page = [desk.arrival(1, 100).await];
    let (event, _) = page[0].events().next().unwrap();
    let engine = desk.watch.parts.rules.engine();
    assert!(engine.holding(Source::ProcessCreation, &Poison, event).is_empty());
    let off = engine.broken().len();
    assert_ne!(off, 0);
    for _ in 0..3 {
        desk.watch.defects.tell_rules(&desk.watch.parts, &engine).await;
    }
    let troubles = desk.watch.parts.board.troubles().clone();
    assert_eq!(troubles.all(), [(Trouble::RulesOff, u64::try_from(off).unwrap())]);
    assert_eq!(desk.watch.parts.rules.inventory().problems.len(), off);
    let rows = desk.bed.store.audit_rows(&Page::default()).await.unwrap();
    assert_eq!(rows.iter().filter(|it| it.action == "rule.switched_off").count(), off);
    desk.take(&page, 1).await;
    assert!(desk.commands().await.is_empty());

    desk.watch.parts.rules.reload();
    let engine = desk.watch.parts.rules.engine();
    desk.watch.defects.tell_rules(&desk.watch.parts, &engine).await;
    assert!(troubles.all().is_empty());
    desk.take(&page, 2).await;
    assert_eq!(desk.commands().await.len(), 1);
}

#[tokio::test]
async fn repeats_of_one_page_are_one_detection_with_a_count_and_are_counted_once() {
    let mut desk = Desk::new(true).await;
    let mut page = Vec::new();
    for seq in 1..=5 {
        page.push(desk.arrival(seq, 100).await);
    }
    let engine = desk.watch.parts.rules.engine();
    let judge = |arrival: &_, id, event: &_| engine.judge(arrival, id, event);
    assert_eq!(page::read(&page, judge, &*desk.bed.clock).repeats.len(), 1);
    // The same events come again after a crash, in other pages.
    for part in [&page[..3], &page[2..4], &page[1..], &page[..]] {
        desk.take(part, 1).await;
    }
    let rows = desk.bed.store.detections(None, &Page::default()).await.unwrap();
    assert_eq!((rows.len(), rows[0].count), (1, 5));
    assert_eq!(desk.bed.store.detection_events(rows[0].id).await.unwrap().len(), 5);
    assert_eq!(desk.commands().await.len(), 1);
}
