//! Isolated from the command on, through whatever happens, until it is released.

use std::time::Duration;

use cordon_shared::{
    command::{
        Command, Delivery,
        scope::{Lease, LeaseEnd},
        target::Tree,
    },
    digest::Sha256,
    event::receipt::{Receipt, Refusal},
    id::ProcessKey,
    test_support::order,
    text::Text,
    time::Clock,
    wire,
};

use super::*;
use crate::containment::{
    Beacon,
    tests::{Bed, opened},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn bed() -> Bed {
    Bed::new(ProcessKey { pid: 1, start_ticks: 1 })
}

fn id(number: u8) -> CommandId {
    CommandId::from_slice(&[number; 16]).unwrap()
}

/// A command, and the seeds of the keys that sign it.
fn deliver(action: Action, number: u8, by: &[u8], change: impl FnOnce(&mut Command)) -> Delivery {
    let mut command = order::command(action);
    (command.id, command.is_dry_run) = (id(number), false);
    (command.preconditions, command.overrides) = (Vec::new(), Vec::new());
    change(&mut command);
    let tree = Tree::new(vec![order::target()]).unwrap();
    let proof = tree.proofs().next().unwrap().1;
    let mut signed = wire::command::sign(&command, &order::key(by[0]));
    by.iter().skip(1).for_each(|it| order::key(*it).add_to(&mut signed));
    Delivery { signed, proof }
}

fn isolation() -> Action {
    Action::Isolate { allowed: Vec::new(), container: Text::EMPTY }
}

fn isolate(containment: &mut Containment, number: u8) -> Receipt {
    let delivery = deliver(isolation(), number, &[5], |_| ());
    opened(&containment.handle(&delivery).unwrap())
}

fn release(containment: &mut Containment, number: u8, hold: u8) -> Receipt {
    let delivery = deliver(Action::Release { hold: id(hold) }, number, &[5], |_| ());
    opened(&containment.handle(&delivery).unwrap())
}

/// The collector is heard, at this very moment.
fn hear(containment: &mut Containment, bed: &Bed) {
    let (realtime, boottime) = (bed.clock.now(), bed.clock.boottime());
    containment.hear(Beacon { realtime, boottime });
}

#[test]
fn one_person_isolates_and_releases() {
    let bed = bed();
    let mut containment = bed.start();
    let receipt = isolate(&mut containment, 1);
    assert_eq!(receipt.verdict, Verdict::Complete, "{receipt:?}");
    assert_eq!(bed.link.done(), "look, close, reach, cut, try");
    let receipt = release(&mut containment, 2, 1);
    assert_eq!(receipt.verdict, Verdict::Complete, "{receipt:?}");
    assert!(bed.link.closed().is_none());
    let receipt = release(&mut containment, 3, 1);
    assert_eq!(receipt.verdict, Verdict::Refused, "{receipt:?}");
}

#[test]
fn one_person_does_not_isolate_for_good() {
    let bed = bed();
    let mut containment = bed.start();
    let delivery = deliver(isolation(), 1, &[5], |it| it.lease = None);
    let receipt = opened(&containment.handle(&delivery).unwrap());
    assert_eq!(receipt.detail, "two persons sign for what has no lease");
    assert!(bed.link.closed().is_none());
    let delivery = deliver(isolation(), 2, &[5, 7], |it| it.lease = None);
    assert_eq!(opened(&containment.handle(&delivery).unwrap()).verdict, Verdict::Complete);
}

#[test]
fn f_41_an_isolation_holds_over_the_death_of_the_agent() {
    let bed = bed();
    isolate(&mut bed.start(), 1);
    bed.link.done();
    let mut again = bed.start();
    assert!(!again.tend().unwrap(), "nothing was to be mended");
    assert_eq!(bed.link.done(), "look, close, cut", "but the new agent may be in another cgroup");
    assert!(!again.tend().unwrap() && bed.link.done().is_empty());
    assert!(bed.link.closed().is_some());
    assert_eq!(release(&mut again, 2, 1).verdict, Verdict::Complete);
    assert!(bed.link.closed().is_none());
}

#[test]
fn f_42_an_isolation_comes_back_after_a_reboot() {
    let bed = bed();
    isolate(&mut bed.start(), 1);
    let before = bed.link.closed();
    bed.link.change(|it| it.closed = None);
    assert!(bed.start().tend().unwrap());
    assert_eq!(bed.link.closed(), before);
}

#[test]
fn f_44_a_filter_that_somebody_took_away_is_put_back_and_flows_are_ended() {
    let bed = bed();
    let mut containment = bed.start();
    isolate(&mut containment, 1);
    containment.tend().unwrap();
    bed.link.done();
    bed.link.change(|it| it.closed = None);
    assert!(containment.tend().unwrap());
    assert_eq!(bed.link.done(), "look, close, cut");
    assert!(!containment.tend().unwrap());
}

#[test]
fn f_46_a_host_is_released_when_its_last_hold_ends() {
    let bed = bed();
    let mut containment = bed.start();
    isolate(&mut containment, 1);
    isolate(&mut containment, 2);
    assert_eq!(release(&mut containment, 3, 1).verdict, Verdict::Complete);
    assert!(bed.link.closed().is_some(), "the other incident holds it");
    assert_eq!(release(&mut containment, 4, 2).verdict, Verdict::Complete);
    assert!(bed.link.closed().is_none());
}

#[test]
fn f_45_what_failed_holds_nothing() {
    let bed = bed();
    let mut containment = bed.start();
    bed.link.change(|it| it.refuses = Some("close"));
    assert_eq!(isolate(&mut containment, 1).verdict, Verdict::Failed);
    assert!(containment.parts.book.holds().is_empty());
    bed.link.change(|it| (it.refuses, it.is_collector_away) = (None, true));
    assert_eq!(isolate(&mut containment, 2).verdict, Verdict::Failed);
    assert!(bed.start().parts.book.holds().is_empty(), "nor on disk");
    assert!(bed.link.closed().is_none());
}

#[test]
fn f_45_a_release_that_failed_leaves_the_hold() {
    let bed = bed();
    let mut containment = bed.start();
    isolate(&mut containment, 1);
    bed.link.change(|it| it.refuses = Some("open"));
    assert_eq!(release(&mut containment, 2, 1).verdict, Verdict::Failed);
    assert!(bed.link.closed().is_some());
    bed.link.change(|it| it.refuses = None);
    assert_eq!(release(&mut bed.start(), 3, 1).verdict, Verdict::Complete);
}

#[test]
fn a_lease_ends_by_the_collectors_clock_and_not_by_its_silence() {
    let bed = bed();
    let mut containment = bed.start();
    let lease = Lease { duration: HOUR / 2, end: LeaseEnd::Release, duration_max: HOUR * 24 };
    hear(&mut containment, &bed);
    let delivery = deliver(isolation(), 1, &[5], |it| it.lease = Some(lease));
    containment.handle(&delivery).unwrap();
    bed.clock.advance(HOUR);
    containment.tend().unwrap();
    assert!(bed.link.closed().is_some(), "the collector is not heard");
    hear(&mut containment, &bed);
    containment.tend().unwrap();
    assert!(bed.link.closed().is_none());
}

#[test]
fn a_crash_before_the_network_followed_is_mended_as_it_was_signed() {
    let bed = bed();
    let mut containment = bed.start();
    let now = containment.clocks();
    let command = order::command(isolation());
    let verified = Verified {
        command,
        payload_sha256: Sha256::of(b""),
        is_automation: false,
        holders: ["ann".to_owned()].into(),
    };
    let holds = containment.holds_after(&verified, &now).unwrap();
    containment.parts.book.put(holds, &[]).unwrap();
    assert!(bed.start().tend().unwrap() && bed.link.closed().is_some());
    bed.start().parts.book.put(Holds::default(), &[]).unwrap();
    assert!(bed.start().tend().unwrap() && bed.link.closed().is_none());
}

#[test]
fn a_damaged_record_of_holds_changes_nothing_until_a_command_comes() {
    let bed = bed();
    isolate(&mut bed.start(), 1);
    let path = bed.dir.path().join("holds");
    cordon_shared::durable::write(&path, b"{", 0o600).unwrap();
    let mut containment = bed.start();
    assert!(!containment.tend().unwrap() && bed.link.closed().is_some());
    assert_eq!(release(&mut containment, 2, 1).verdict, Verdict::Complete);
    assert!(bed.link.closed().is_none() && !bed.start().parts.book.is_damaged());
}

#[test]
fn automation_isolates_nobody() {
    let bed = bed();
    let mut containment = bed.start();
    let delivery = deliver(isolation(), 1, &[6], |_| ());
    let receipt = opened(&containment.handle(&delivery).unwrap());
    assert_eq!(receipt.verdict, Verdict::Refused);
    assert_eq!(receipt.detail, "automation may not `isolate`: a person signs");
    assert!(bed.link.closed().is_none() && bed.link.done().is_empty());
}

fn renew(containment: &mut Containment, number: u8, by: &[u8], end: LeaseEnd) -> Receipt {
    let lease = Lease { duration: HOUR, end, duration_max: HOUR * 24 };
    let action = Action::RenewLease { hold: id(1), lease };
    let delivery = deliver(action, number, by, |it| it.lease = None);
    opened(&containment.handle(&delivery).unwrap())
}

#[test]
fn the_second_signature_makes_it_stick() {
    let bed = bed();
    let mut containment = bed.start();
    isolate(&mut containment, 1);
    // 9 is another key of the person whose key 5 is.
    for (number, by) in [(2, 5), (3, 9)] {
        let receipt = renew(&mut containment, number, &[by], LeaseEnd::Release);
        assert_eq!(receipt.refusal, Some(Refusal::MoreSigners), "{receipt:?}");
    }
    // Also after a restart it is known who has signed.
    let mut containment = bed.start();
    let receipt = renew(&mut containment, 4, &[5], LeaseEnd::Hold);
    assert_eq!(receipt.refusal, Some(Refusal::MoreSigners), "{receipt:?}");
    let receipt = renew(&mut containment, 5, &[7], LeaseEnd::Hold);
    assert_eq!(receipt.verdict, Verdict::Complete, "{receipt:?}");
    assert!(receipt.steps[0].step.ends_with("after which it stays"), "{receipt:?}");
    hear(&mut containment, &bed);
    bed.clock.advance(HOUR * 2);
    hear(&mut containment, &bed);
    containment.tend().unwrap();
    assert!(bed.link.closed().is_some(), "it sticks");
    assert_eq!(said(&mut containment), ["hold_overdue"]);
}

#[test]
fn a_renewal_of_no_hold_changes_nothing() {
    let bed = bed();
    let mut containment = bed.start();
    let receipt = renew(&mut containment, 2, &[5, 7], LeaseEnd::Hold);
    assert_eq!(receipt.refusal, Some(Refusal::BadInput), "{receipt:?}");
    assert!(containment.parts.book.holds().is_empty());
}

/// What it has to tell, by name.
fn said(containment: &mut Containment) -> Vec<String> {
    let name = |it: super::super::Answer| {
        let cordon_shared::event::Body::LogRecord(it) = it.event.body else { panic!("no news") };
        it.fields[0].1.to_string()
    };
    containment.news().into_iter().map(name).collect()
}

#[test]
fn what_happens_without_a_command_is_told_and_not_without_end() {
    let bed = bed();
    let mut containment = bed.start();
    isolate(&mut containment, 1);
    containment.tend().unwrap();
    for _ in 0..3 {
        bed.link.change(|it| it.closed = None);
        assert!(containment.tend().unwrap());
    }
    assert_eq!(said(&mut containment), ["isolation_put_back"]);
    hear(&mut containment, &bed);
    bed.clock.advance(HOUR * 25);
    containment.tend().unwrap();
    assert_eq!(said(&mut containment), ["lease_ended"]);
}
