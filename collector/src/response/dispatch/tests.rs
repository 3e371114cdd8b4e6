use std::{sync::Arc, time::Duration};

use cordon_shared::{
    command::target::Target,
    id::{AgentId, BootId, CommandId},
    test_support::order,
    time::{Clock, Timestamp},
    wire::{self, command as words},
};
use expect_test::{Expect, expect};
use tokio::sync::{Notify, mpsc};

use super::{Dispatch, Due, RESEND_AFTER, fit};
use crate::{
    gateway::{
        registry::{Connected, Entry, Order as Handed, Registry},
        seen::CommandSeen,
    },
    notice::InForce,
    response::{
        ring::Ring,
        sign::{Order, Signed, Signer},
    },
    store::{CommandState, NewCommand, tests::Bed},
};

/// A keyring that holds automation's key for as long as the bed's clock stands where it does.
async fn ring(bed: &Bed) -> Ring {
    let keys = [1, 3, 4].map(order::key);
    let bundle = cordon_shared::keyring::author::sign(&order::draft(), &keys);
    let signed = wire::keyring::encode(&bundle);
    bed.store.install_keyring(&signed, "", &bed.by()).await.unwrap();
    Ring::new(bed.store.clone(), order::roots(), InForce::of(u64::MAX))
}

fn signed(bed: &Bed, seed: u8, agent: AgentId) -> Signed {
    let sample = order::command(order::actions().remove(0));
    let order = Order {
        incident: None,
        targets: vec![Target { agent, ..order::target() }],
        action: sample.action,
        preconditions: Vec::new(),
        citation: sample.citation.unwrap(),
        lease: None,
        lifetime: Duration::from_secs(60),
        is_dry_run: false,
        reason: "test".to_owned(),
    };
    Signer::new(order::key(seed)).sign(&order, &*bed.clock, &bed.entropy).unwrap()
}

fn due(signed: &Signed, agent: AgentId) -> Due {
    let delivery = words::encode_delivery(&signed.deliveries[0].1);
    Due { id: signed.command, agent, delivery, attempts: 0 }
}

async fn add(bed: &Bed, signed: &Signed, agent: AgentId) {
    let row = bed.store.agent(agent).await.unwrap();
    let new = NewCommand {
        id: signed.command,
        incident: None,
        detection: None,
        agent,
        host: row.host.id,
        action: "kill",
        summary: "kill".to_owned(),
        releases: None,
        delivery: due(signed, agent).delivery,
        expires: signed.expires,
    };
    bed.store.add_command(&new, &bed.by(), |_| None).await.unwrap();
}

fn enter(registry: &Registry, agent: AgentId, since: Timestamp) -> Entry {
    let connected = Connected {
        agent,
        boot: BootId([1; 16]),
        source: std::net::IpAddr::from([127, 0, 0, 1]),
        since,
        last_seen: since,
    };
    registry.enter(connected).unwrap()
}

/// What a session was handed.
fn handed(entry: &mut Entry) -> Vec<CommandId> {
    let mut ids = Vec::new();
    while let Ok(Handed::Command(delivery)) = entry.orders.try_recv() {
        let delivery = words::delivery_from(&delivery).unwrap();
        ids.push(words::peek(&delivery.signed).unwrap().0);
    }
    ids
}

struct Desk {
    bed: Bed,
    agent: AgentId,
    registry: Arc<Registry>,
    dispatch: Dispatch,
    _seen: mpsc::Sender<CommandSeen>,
}

impl Desk {
    async fn new() -> Self {
        let bed = Bed::new().await;
        let agent = bed.agent("web-1").await;
        let registry = Arc::new(Registry::default());
        let (sender, seen) = mpsc::channel(8);
        let clock: Arc<dyn Clock> = bed.clock.clone();
        let parts = (bed.store.clone(), ring(&bed).await);
        let wake = Arc::new(Notify::new());
        let dispatch = Dispatch::new(parts, Arc::clone(&registry), seen, wake, clock);
        Self { bed, agent, registry, dispatch, _seen: sender }
    }
}

#[tokio::test]
async fn cm_1_no_command_leaves_without_signature_audience_and_expiry() {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let stranger = bed.agent("web-2").await;
    let trusted = [order::key(6).public()];
    let now = bed.clock.now();
    let good = due(&signed(&bed, 6, agent), agent);
    let check = |due: &Due, now: Timestamp, want: &Expect| {
        let shown = match fit(due, &trusted, now) {
            Ok(_) => "leaves".to_owned(),
            Err(error) => format!("{:#}", anyhow::Error::from(error)),
        };
        let words = shown.split(' ').map(|it| if it.contains('-') { "`ID`" } else { it });
        want.assert_eq(&words.collect::<Vec<_>>().join(" "));
    };
    check(&good, now, &expect!["leaves"]);
    check(
        &due(&signed(&bed, 66, agent), agent),
        now,
        &expect!["failed to open the command: no trusted key has signed this cordon.v1.Command"],
    );
    let mut unsigned = words::decode_delivery(&good.delivery).unwrap();
    unsigned.signed.signatures.clear();
    let unsigned = words::encode_delivery(&unsigned);
    check(
        &Due { delivery: unsigned, ..good.clone() },
        now,
        &expect!["failed to open the command: no trusted key has signed this cordon.v1.Command"],
    );
    check(
        &Due { agent: stranger, ..good.clone() },
        now,
        &expect!["the agent is not among the targets"],
    );
    let late = now.saturating_add(Duration::from_secs(60));
    check(&good, late, &expect!["it expired `ID`"]);
    let other = signed(&bed, 6, agent).command;
    check(&Due { id: other, ..good.clone() }, now, &expect!["the delivery holds command `ID`"]);
    check(
        &Due { delivery: good.delivery.slice(..20), ..good },
        now,
        &expect!["`delivery` must be a message of this type"],
    );
}

#[tokio::test]
async fn a_command_waits_for_its_agent_and_leaves_when_it_connects() {
    let mut desk = Desk::new().await;
    let command = signed(&desk.bed, 6, desk.agent);
    add(&desk.bed, &command, desk.agent).await;
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(state(&desk, command.command).await, CommandState::Issued);
    let mut entry = enter(&desk.registry, desk.agent, desk.bed.clock.now());
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(handed(&mut entry), [command.command]);
    assert_eq!(state(&desk, command.command).await, CommandState::Sent);
}

#[tokio::test]
async fn what_is_not_seen_is_sent_again_and_what_is_seen_waits_for_its_receipt() {
    let mut desk = Desk::new().await;
    let mut entry = enter(&desk.registry, desk.agent, desk.bed.clock.now());
    let command = signed(&desk.bed, 6, desk.agent);
    add(&desk.bed, &command, desk.agent).await;
    desk.dispatch.meet_and_send().await.unwrap();
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(handed(&mut entry), [command.command]);
    desk.bed.clock.advance(RESEND_AFTER);
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(handed(&mut entry), [command.command]);
    let at = desk.bed.clock.now();
    let seen = CommandSeen { agent: desk.agent, command: command.command, at };
    desk.dispatch.note(seen).await.unwrap();
    assert_eq!(state(&desk, command.command).await, CommandState::Seen);
    desk.bed.clock.advance(RESEND_AFTER);
    desk.dispatch.meet_and_send().await.unwrap();
    assert!(handed(&mut entry).is_empty());
}

#[tokio::test]
async fn a_reconnect_gets_at_once_what_the_older_stream_had_not_answered() {
    let mut desk = Desk::new().await;
    let mut older = enter(&desk.registry, desk.agent, desk.bed.clock.now());
    let command = signed(&desk.bed, 6, desk.agent);
    add(&desk.bed, &command, desk.agent).await;
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(handed(&mut older), [command.command]);
    desk.bed.clock.advance(Duration::from_millis(10));
    let mut newer = enter(&desk.registry, desk.agent, desk.bed.clock.now());
    desk.dispatch.meet_and_send().await.unwrap();
    assert_eq!(handed(&mut newer), [command.command]);
}

#[tokio::test]
async fn an_expired_command_stays() {
    let mut desk = Desk::new().await;
    let command = signed(&desk.bed, 6, desk.agent);
    add(&desk.bed, &command, desk.agent).await;
    desk.bed.clock.advance(Duration::from_secs(60));
    let mut entry = enter(&desk.registry, desk.agent, desk.bed.clock.now());
    desk.dispatch.meet_and_send().await.unwrap();
    assert!(handed(&mut entry).is_empty());
}

async fn state(desk: &Desk, id: CommandId) -> CommandState {
    desk.bed.store.command(id).await.unwrap().state
}
