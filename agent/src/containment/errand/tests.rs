//! Snapshots as commands: they never stand before a kill, and are answered once, whatever happens.

use cordon_shared::{
    command::{
        Delivery,
        action::{Action, ProcessTarget, SnapshotProfile},
        scope::Precondition,
        target::Tree,
    },
    digest::Sha256,
    event::receipt::{Refusal, Verdict},
    id::{CommandId, ProcessKey},
    test_support::order,
    wire,
};
use expect_test::expect;
use tokio_util::sync::CancellationToken;

use super::ERRANDS_MAX;
use crate::containment::{
    host::Host,
    linux::Linux,
    tests::{Bed, opened},
};

fn signed(number: u8, action: Action, preconditions: Vec<Precondition>) -> Delivery {
    let mut command = order::command(action);
    command.id = CommandId::from_slice(&[number; 16]).unwrap();
    command.preconditions = preconditions;
    command.is_dry_run = false;
    command.lease = None;
    let tree = Tree::new(vec![order::target()]).unwrap();
    let proof = tree.proofs().next().unwrap().1;
    Delivery { signed: wire::command::sign(&command, &order::key(5)), proof }
}

fn snapshot(number: u8) -> Delivery {
    let action = Action::Snapshot {
        profile: SnapshotProfile::Triage,
        processes: Vec::new(),
        bytes_max: 1 << 20,
    };
    signed(number, action, Vec::new())
}

fn own() -> ProcessKey {
    Linux.facts().unwrap().processes[&std::process::id()].key
}

#[test]
fn a_command_is_answered_while_a_snapshot_is_under_way_and_the_snapshot_when_it_is_sealed() {
    let bed = Bed::new(own());
    let mut containment = bed.start();
    assert!(containment.handle(&snapshot(1)).is_none());
    let errand = containment.errands().remove(0);
    // The agent is never touched: an answer all the same, and at once.
    let kill = Action::Kill(ProcessTarget { process: own(), is_tree: false });
    let answer = containment.handle(&signed(2, kill, Vec::new())).unwrap();
    assert_eq!(opened(&answer).refusal, Some(Refusal::Protected));
    // Sent again, it is neither begun twice nor answered yet.
    assert!(containment.handle(&snapshot(1)).is_none());
    assert!(containment.errands().is_empty());

    let done = errand.run(&CancellationToken::new());
    let receipt = opened(&containment.settle_errand(done).unwrap());
    assert!(matches!(receipt.verdict, Verdict::Complete | Verdict::Partial), "{receipt:?}");
    let last = receipt.steps.last().unwrap();
    let waiting = containment.parts.kit.shelf.waiting();
    assert_eq!(last.step, format!("seal snapshot {}", waiting[0].manifest.snapshot));
    let steps: Vec<_> = receipt.steps.iter().take(3).map(|it| it.step.as_str()).collect();
    expect!["take agent.json, take processes.jsonl, take open_files.jsonl"]
        .assert_eq(&steps.join(", "));
}

#[test]
fn one_more_than_there_is_room_for_is_answered_at_once() {
    let mut containment = Bed::new(own()).start();
    for number in 1..=u8::try_from(ERRANDS_MAX).unwrap() {
        assert!(containment.handle(&snapshot(number)).is_none());
    }
    let receipt = opened(&containment.handle(&snapshot(9)).unwrap());
    assert_eq!(receipt.verdict, Verdict::Failed);
    expect!["this agent does two long works already; order it again"]
        .assert_eq(&receipt.open.join(""));
}

#[test]
fn conditions_are_judged_before_it_begins() {
    let mut containment = Bed::new(own()).start();
    let other = Precondition::ProcessIs { process: own(), exe_sha256: Some(Sha256::of(b"other")) };
    let action = Action::Snapshot {
        profile: SnapshotProfile::Triage,
        processes: vec![own()],
        bytes_max: 1 << 20,
    };
    let receipt = opened(&containment.handle(&signed(1, action, vec![other])).unwrap());
    assert_eq!(receipt.refusal, Some(Refusal::IdentityMismatch), "{receipt:?}");
    assert!(containment.errands().is_empty());
}

#[test]
fn f_37_after_a_crash_the_receipt_says_what_is_on_disk() {
    let bed = Bed::new(own());
    let mut containment = bed.start();
    assert!(containment.handle(&snapshot(1)).is_none());
    assert!(containment.handle(&snapshot(2)).is_none());
    // The first is sealed, the second only begun; then the agent is gone.
    let first = containment.errands().remove(0);
    drop(first.run(&CancellationToken::new()));
    drop(containment);

    let answers = bed.start().recover();
    let receipts: Vec<_> = answers.iter().map(opened).collect();
    assert_eq!(receipts.len(), 2);
    assert!(matches!(receipts[0].verdict, Verdict::Complete | Verdict::Partial), "{receipts:?}");
    assert!(receipts[0].steps.last().unwrap().step.starts_with("seal snapshot"));
    assert_eq!(receipts[1].verdict, Verdict::Unknown);
}
