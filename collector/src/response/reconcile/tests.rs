use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cordon_shared::{
    command::target::Target,
    crypto::signing::SigningKey,
    event::receipt::{Receipt, Refusal, Verdict},
    id::{AgentId, Epoch, EventId, EventSeq, Lane},
    test_support::order,
    time::Clock,
    wire::{self, command as words},
};
use expect_test::expect;
use proptest::prelude::{Strategy, prop, proptest};
use tokio_util::sync::CancellationToken;

use super::{Claim, RECEIPT_GRACE, close, expire};
use crate::{
    notice::Board,
    response::sign::{Order, Signer},
    store::{CommandRow, CommandState, NewCommand, tests::Bed},
};

/// The receipt key of the bed's agents.
fn receipt_key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

/// A command that was issued to an agent.
async fn issued(bed: &Bed, agent: AgentId) -> CommandRow {
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
    let signer = Signer::new(order::key(6));
    let signed = signer.sign(&order, &*bed.clock, &bed.entropy).unwrap();
    let new = NewCommand {
        id: signed.command,
        incident: None,
        detection: None,
        agent,
        host: bed.store.agent(agent).await.unwrap().host.id,
        action: "kill",
        summary: "kill".to_owned(),
        releases: None,
        delivery: words::encode_delivery(&signed.deliveries[0].1),
        expires: signed.expires,
    };
    bed.store.add_command(&new, &bed.by(), |_| None).await.unwrap();
    bed.store.command(new.id).await.unwrap()
}

/// What an agent answers to a command.
fn receipt(command: &CommandRow, verdict: Verdict) -> Receipt {
    let delivery = words::decode_delivery(&command.delivery).unwrap();
    let (_, _, command_sha256) = words::peek(&delivery.signed).unwrap();
    Receipt {
        command: command.id,
        agent: command.agent,
        incident: None,
        verdict,
        refusal: (verdict == Verdict::Refused).then_some(Refusal::Protected),
        detail: "as it was".to_owned(),
        steps: Vec::new(),
        open: if verdict == Verdict::Partial { vec!["4712 lives".to_owned()] } else { Vec::new() },
        findings: Vec::new(),
        ledger: Vec::new(),
        command_sha256,
        ..order::receipts().remove(0)
    }
}

fn claim(bed: &Bed, from: AgentId, receipt: &Receipt, key: &SigningKey) -> Claim {
    let event = EventId {
        agent: from,
        epoch: Epoch::from_u64(5).unwrap(),
        lane: Lane::Critical,
        seq: EventSeq::FIRST,
    };
    Claim { event, at: bed.clock.now(), signed: wire::receipt::sign(receipt, key) }
}

/// Hands a claim in, and says whether it closed its command, and what the command is then.
async fn handed_in(bed: &Bed, claim: &Claim, id: &CommandRow) -> String {
    let closed = close(&bed.store, claim, bed.clock.now()).await.unwrap();
    let row = bed.store.command(id.id).await.unwrap();
    let (state, detail) = (row.state.as_str(), row.detail.unwrap_or_default());
    format!("{} {state} {} {detail}", closed.is_some(), row.verdict.unwrap_or_default())
}

#[tokio::test]
async fn a_receipt_closes_its_command_once() {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let mut lines = Vec::new();
    for verdict in [Verdict::Complete, Verdict::Partial, Verdict::Refused] {
        let command = issued(&bed, agent).await;
        let claim = claim(&bed, agent, &receipt(&command, verdict), &receipt_key());
        lines.push(handed_in(&bed, &claim, &command).await);
        lines.push(handed_in(&bed, &claim, &command).await);
    }
    expect![[r#"
        true closed complete as it was
        false closed complete as it was
        true closed partial as it was; open: 4712 lives
        false closed partial as it was; open: 4712 lives
        true closed refused protected: as it was
        false closed refused protected: as it was"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn what_proves_nothing_closes_nothing() {
    let bed = Bed::new().await;
    let (agent, other) = (bed.agent("web-1").await, bed.agent("web-2").await);
    let command = issued(&bed, agent).await;
    let good = receipt(&command, Verdict::Complete);
    let stranger = SigningKey::from_seed([77; 32]);
    let of_other = Receipt { agent: other, ..good.clone() };
    let of_bytes =
        Receipt { command_sha256: cordon_shared::digest::Sha256::of(b"x"), ..good.clone() };
    let unknown = receipt(&issued(&bed, other).await, Verdict::Complete);
    let unknown = Receipt { agent, ..unknown };
    let claims = [
        claim(&bed, agent, &good, &stranger),
        claim(&bed, other, &good, &receipt_key()),
        claim(&bed, other, &of_other, &receipt_key()),
        claim(&bed, agent, &of_bytes, &receipt_key()),
        claim(&bed, agent, &unknown, &receipt_key()),
        Claim {
            signed: cordon_shared::crypto::signing::SignedBytes {
                payload: Bytes::from_static(b"\xff"),
                ..claim(&bed, agent, &good, &receipt_key()).signed
            },
            ..claim(&bed, agent, &good, &receipt_key())
        },
    ];
    for claim in &claims {
        assert_eq!(handed_in(&bed, claim, &command).await, "false issued  ");
    }
    let good = claim(&bed, agent, &good, &receipt_key());
    assert!(handed_in(&bed, &good, &command).await.starts_with("true closed complete"));
}

#[tokio::test]
async fn cm_3_what_no_receipt_closes_expires_and_a_late_receipt_still_counts() {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let command = issued(&bed, agent).await;
    bed.clock.advance(Duration::from_secs(60) + RECEIPT_GRACE + Duration::from_secs(1));
    let (stop, board) = (CancellationToken::new(), Board::default());
    let mut notices = board.read();
    let clock: Arc<dyn Clock> = bed.clock.clone();
    let expiring = expire(bed.store.clone(), board, clock, stop.clone());
    let (_, notice) = tokio::join!(expiring, async {
        let notice = notices.recv().await.unwrap();
        stop.cancel();
        notice
    });
    assert!(notice.kind == "command" && notice.json.contains("expired"));
    let row = bed.store.command(command.id).await.unwrap();
    assert_eq!((row.state, row.verdict.as_deref()), (CommandState::Expired, Some("expired")));
    let late = claim(&bed, agent, &receipt(&command, Verdict::Complete), &receipt_key());
    assert_eq!(handed_in(&bed, &late, &command).await, "true closed complete as it was");
}

/// What may happen to commands, in any order.
#[derive(Clone, Copy, Debug)]
enum Act {
    Issue,
    Seen(usize),
    Receipt(usize),
    Forge(usize),
    Pass(u64),
    Expire,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0..6_u8, 0..4_usize).prop_map(|(kind, at)| match kind {
        0 => Act::Issue,
        1 => Act::Seen(at),
        2 => Act::Receipt(at),
        3 => Act::Forge(at),
        4 => Act::Pass(u64::try_from(at).unwrap() * 30),
        _ => Act::Expire,
    });
    prop::collection::vec(act, 1..24)
}

/// However things interleave, each command ends closed by its own receipt or expired, once time is
/// over; nothing that is closed changes again; nothing stays in the outbox.
async fn cm_3_holds(acts: Vec<Act>) {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let mut commands = Vec::new();
    let mut answered = Vec::new();
    for act in acts {
        let now = bed.clock.now();
        let at = |at: usize| commands.get(at).cloned();
        match act {
            Act::Issue => commands.push(issued(&bed, agent).await),
            Act::Seen(it) => {
                if let Some(command) = at(it) {
                    bed.store.command_seen(agent, command.id, now, now).await.unwrap();
                }
            }
            Act::Receipt(it) => {
                if let Some(command) = at(it) {
                    let receipt = receipt(&command, Verdict::Complete);
                    let claim = claim(&bed, agent, &receipt, &receipt_key());
                    let closed = close(&bed.store, &claim, now).await.unwrap().is_some();
                    assert_eq!(closed, !answered.contains(&command.id));
                    answered.push(command.id);
                }
            }
            Act::Forge(it) => {
                if let Some(command) = at(it) {
                    let receipt = receipt(&command, Verdict::Complete);
                    let claim = claim(&bed, agent, &receipt, &order::key(9));
                    assert_eq!(close(&bed.store, &claim, now).await.unwrap(), None);
                }
            }
            Act::Pass(seconds) => bed.clock.advance(Duration::from_secs(seconds)),
            Act::Expire => {
                let before = now.saturating_sub(RECEIPT_GRACE);
                bed.store.expire_commands(before, now).await.unwrap();
            }
        }
    }
    bed.clock.advance(Duration::from_secs(60) + RECEIPT_GRACE + Duration::from_secs(1));
    let now = bed.clock.now();
    bed.store.expire_commands(now.saturating_sub(RECEIPT_GRACE), now).await.unwrap();
    for command in &commands {
        let want = match answered.contains(&command.id) {
            true => CommandState::Closed,
            false => CommandState::Expired,
        };
        assert_eq!(bed.store.command(command.id).await.unwrap().state, want);
    }
    assert!(bed.store.due_commands(now, 100).await.unwrap().is_empty());
    assert!(bed.store.waiting_agents(now).await.unwrap().is_empty());
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(12))]

    #[test]
    fn cm_3_every_command_ends_in_one_receipt_or_expires(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(cm_3_holds(acts));
    }
}
