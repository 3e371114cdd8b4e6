//! From an event to a closed command: a shell with a socket for a terminal, and what becomes of it.

use std::{sync::Arc, time::Duration};

use cordon_collector::{
    detect::{SHIPPED, parse},
    store::{CommandRow, CommandState, Page},
};
use cordon_proto::v1::{self, agent_message::Message as Up, collector_message::Message as Down};
use cordon_shared::{
    batch::{Builder, Origin, Sealed, Source},
    command::{Command, action::Action},
    crypto::signing::SigningKey,
    event::{
        Body, Event,
        receipt::{Receipt, Verdict},
    },
    id::{AgentId, BootId, Epoch, EventSeq, Lane, ProcessKey},
    keyring::{Keyring, author},
    test_support,
    time::{Clock, SystemClock},
    wire,
};

use crate::{
    agent::{Agent, Link},
    collector::{Collector, by},
    session::enrolled,
};

const BOOT: BootId = BootId([1; 16]);

/// The key that [`crate::agent::enrol`] registers.
fn receipt_key() -> SigningKey {
    SigningKey::from_seed([4; 32])
}

/// Installs the keyring that `init` drafted, with the shipped rule armed or not.
async fn sign_keyring(collector: &Collector, is_armed: bool) -> Keyring {
    let mut text = std::fs::read_to_string(collector.dir().join("data/keyring/draft")).unwrap();
    if is_armed {
        let is_it = |(file, _): &&(&str, &str)| *file == "shell_with_socket_stdio.yaml";
        let (_, rule) = SHIPPED.iter().find(is_it).unwrap();
        let rule = parse::rule(rule).unwrap().summary;
        let (id, sha256) = (rule.id, rule.sha256);
        text.push_str(&format!("\n[[members.armed]]\nrule = \"{id}\"\nsha256 = \"{sha256}\"\n"));
    }
    let draft = author::Draft::parse(&text, SystemClock.now()).unwrap();
    let root = SigningKey::from_seed([9; 32]);
    let bundle = author::sign(&draft, &[root]);
    let keyring = author::check(&bundle, &draft.policy.roots, None).unwrap();
    let signed = wire::keyring::encode(&bundle);
    collector.store.install_keyring(&signed, "a test's", &by()).await.unwrap();
    keyring
}

/// A batch of one event that happened now.
fn batch(seq: u64, body: Body) -> Sealed {
    let clock = SystemClock.sample();
    let (epoch, first) = (Epoch::from_u64(7).unwrap(), EventSeq::from_u64(seq).unwrap());
    let mut builder = Builder::new(Lane::Critical, epoch, first, Origin { boot: BOOT, clock });
    let (boottime, realtime) = (clock.boottime, clock.realtime);
    builder.push(&Event { boottime, realtime, exercise: None, body }, Source::default());
    builder.seal().unwrap()
}

/// A shell whose descriptors 0 and 1 are sockets.
fn shell(pid: u32) -> Body {
    let Body::ProcessLaunch(mut launch) = test_support::samples().remove(0).body else {
        panic!("the first sample is a launch")
    };
    let mut process = (*launch.process).clone();
    process.key = ProcessKey { pid, start_ticks: 90_000 };
    launch.process = Arc::new(process);
    Body::ProcessLaunch(launch)
}

/// The next command, opened as an agent opens it.
async fn command(link: &mut Link, agent: AgentId, keyring: &Keyring) -> (Command, v1::Signed) {
    loop {
        match link.hear().await {
            Ok(Down::Command(delivery)) => {
                let read = wire::command::delivery_from(&delivery).unwrap();
                let now = SystemClock.now();
                let keys: Vec<_> = keyring.keys(now).iter().map(|it| it.public).collect();
                let command = wire::command::open(&read.signed, &keys).unwrap().command;
                assert!(read.proof.holds(agent, &command.targets));
                assert_eq!((&*read.proof.host_name, &*read.proof.host_tier), ("web-1", "standard"));
                assert!(command.not_before < now && now < command.expires);
                return (command, delivery.command.unwrap());
            }
            Ok(Down::Ack(_)) => (),
            other => panic!("expected a command, not {other:?}"),
        }
    }
}

fn receipt(agent: AgentId, command: &Command, signed: &v1::Signed) -> Body {
    let now = SystemClock.sample();
    let receipt = Receipt {
        command: command.id,
        agent,
        incident: command.incident,
        verdict: Verdict::Complete,
        refusal: None,
        detail: "1 process is gone".to_owned(),
        steps: Vec::new(),
        open: Vec::new(),
        findings: Vec::new(),
        ledger: Vec::new(),
        received: now,
        began: now,
        ended: now,
        command_sha256: cordon_shared::digest::Sha256::of(&signed.payload),
    };
    Body::Receipt(wire::receipt::sign(&receipt, &receipt_key()))
}

/// Waits until what is looked at is there.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    waited.await.unwrap_or_else(|_late| panic!("{what} did not come within 20 s"))
}

async fn commands(collector: &Collector) -> Vec<CommandRow> {
    collector.store.commands(None, &Page::default()).await.unwrap()
}

async fn closed(collector: &Collector) -> CommandRow {
    let look = async || commands(collector).await.into_iter().find(|it| it.closed.is_some());
    until("a closed command", look).await
}

async fn armed() -> (Collector, Agent, Keyring) {
    let (collector, agent) = enrolled().await;
    let keyring = sign_keyring(&collector, true).await;
    (collector, agent, keyring)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_becomes_a_detection_an_incident_and_a_command_that_its_receipt_closes() {
    let (mut collector, agent, keyring) = armed().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    let began = SystemClock.boottime();
    link.send(batch(1, shell(4_711)).bytes().clone()).await;
    let (command, signed) = command(&mut link, agent.id, &keyring).await;
    let took = SystemClock.boottime().since(began);
    println!("from the event to its command on the wire: {took:?}");

    let Action::Kill(target) = &command.action else { panic!("expected a kill") };
    assert_eq!((target.process.pid, target.is_tree), (4_711, true));
    let citation = command.citation.as_ref().unwrap();
    assert_eq!((citation.event.agent, citation.event.seq.as_u64()), (agent.id, 1));
    assert!(keyring.is_armed(&citation.rule, citation.rule_sha256));

    let seen = v1::CommandSeen { command_id: command.id.as_bytes().to_vec().into() };
    link.say(Up::CommandSeen(seen)).await;
    link.send(batch(2, receipt(agent.id, &command, &signed)).bytes().clone()).await;
    let row = closed(&collector).await;
    println!("from the event to the closed command: {:?}", SystemClock.boottime().since(began));
    assert_eq!((row.id, row.state), (command.id, CommandState::Closed));
    assert_eq!(row.verdict.as_deref(), Some("complete"));
    assert_eq!(row.detection.is_some(), row.incident.is_some());
    let incident = collector.store.incident(row.incident.unwrap()).await.unwrap();
    let entries = collector.store.timeline(incident.id, 0).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["phase", "detection", "command", "phase", "receipt"]);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_detection_and_delivery_makes_no_second_command() {
    let (mut collector, agent, keyring) = armed().await;
    let (link, _) = agent.session(collector.sessions(), BOOT).await;
    let sealed = batch(1, shell(4_711));
    link.send(sealed.bytes().clone()).await;
    let issued = async || commands(&collector).await.into_iter().next();
    let issued = until("a command", issued).await;
    drop(link);
    collector.restart().await;

    // The agent knows of no acknowledgement, and sends the batch again.
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(sealed.bytes().clone()).await;
    let (command, signed) = command(&mut link, agent.id, &keyring).await;
    assert_eq!(command.id, issued.id);
    link.send(batch(2, receipt(agent.id, &command, &signed)).bytes().clone()).await;
    assert_eq!(closed(&collector).await.id, issued.id);
    collector.restart().await;
    assert_eq!(commands(&collector).await.len(), 1);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_nobody_armed_moves_nothing_and_the_timeline_says_so() {
    let (mut collector, agent) = enrolled().await;
    sign_keyring(&collector, false).await;
    let (link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(batch(1, shell(4_711)).bytes().clone()).await;
    let opened = async || {
        let incidents = collector.store.incidents(&Page::default()).await.unwrap();
        incidents.into_iter().next()
    };
    let incident = until("an incident", opened).await;
    let entries = collector.store.timeline(incident.id, 0).await.unwrap();
    let last = entries.last().unwrap();
    assert_eq!(last.kind, "response");
    assert!(last.text.ends_with("is not armed"), "{}", last.text);
    assert!(commands(&collector).await.is_empty());
    collector.stop().await;
}

/// A batch of as many shells, each another process.
fn shells(first: u64, count: u64) -> Sealed {
    let clock = SystemClock.sample();
    let (epoch, seq) = (Epoch::from_u64(7).unwrap(), EventSeq::from_u64(first).unwrap());
    let mut builder = Builder::new(Lane::Critical, epoch, seq, Origin { boot: BOOT, clock });
    let (boottime, realtime) = (clock.boottime, clock.realtime);
    for pid in first..first + count {
        let body = shell(u32::try_from(pid).unwrap());
        builder.push(&Event { boottime, realtime, exercise: None, body }, Source::default());
    }
    builder.seal().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_backlog_and_the_next_start_reads_on() {
    const BATCHES: u64 = 12;
    const EVENTS: u64 = BATCHES * 100;
    let (mut collector, agent) = enrolled().await;
    sign_keyring(&collector, false).await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    for first in (1..=EVENTS).step_by(100) {
        link.send(shells(first, 100).bytes().clone()).await;
    }
    link.acked(7, EVENTS).await;
    let behind = collector.store.position("detect").await.unwrap();
    let began = SystemClock.boottime();
    collector.stop().await;
    let took = SystemClock.boottime().since(began);
    let left = collector.store.position("detect").await.unwrap();
    println!("stopped in {took:?} at {behind}, then {left} of {BATCHES}");
    assert!(took < Duration::from_secs(5), "the stop took {took:?}");
    assert!(left < BATCHES, "there was no backlog: this shows nothing");
    collector.restart().await;
    let all = async || (collector.store.position("detect").await.unwrap() >= BATCHES).then_some(());
    until("the end of the journal", all).await;
    let (mut found, mut page) = (0, Page::default());
    loop {
        let rows = collector.store.detections(None, &page).await.unwrap();
        let Some(last) = rows.last() else { break };
        page.before = Some(last.cursor());
        assert!(rows.iter().all(|it| it.count == 1));
        found += u64::try_from(rows.len()).unwrap();
    }
    assert_eq!(found, EVENTS);
    collector.stop().await;
}
