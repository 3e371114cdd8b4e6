//! Every refusal, one line each.

use std::time::Duration;

use cordon_shared::{
    command::{
        action::ProcessTarget,
        scope::{Lease, LeaseEnd},
        target::{Target, Tree},
    },
    id::{EventId, ProcessKey},
    keyring::author,
    test_support::{self, order},
};
use expect_test::{Expect, expect};

use super::{super::citation::Witnessed, *};
use crate::containment::host;

/// Remembers one event: of process 40, at second 1,000.
#[derive(Debug)]
struct Memory;

impl Witness for Memory {
    fn event(&self, event: EventId) -> Option<Witnessed> {
        (event == order::cited()).then_some(Witnessed {
            process: ProcessKey { pid: 40, start_ticks: 90 },
            boottime: Boottime::from_ns(1_000_000_000_000),
        })
    }
}

/// One case: a command by whom, to which host, at what time. It begins as one that is obeyed.
struct Case {
    command: Command,
    signers: Vec<u8>,
    targets: Vec<Target>,
    delivery: Box<dyn Fn(&mut Delivery)>,
    draft: author::Draft,
    has_keyring: bool,
    times: Times,
    age: Duration,
    is_held: bool,
    deeds: u32,
    holds: Holds,
}

impl Case {
    /// A responder kills process 40.
    fn new(signers: &[u8]) -> Self {
        let target =
            ProcessTarget { process: ProcessKey { pid: 40, start_ticks: 90 }, is_tree: true };
        let mut command = order::command(Action::Kill(target));
        command.preconditions.clear();
        command.is_dry_run = false;
        Self {
            command,
            signers: signers.to_vec(),
            targets: vec![order::target()],
            delivery: Box::new(|_| ()),
            draft: order::draft(),
            has_keyring: true,
            times: Times { local: order::NOW, collector: None },
            age: Duration::from_secs(1),
            is_held: false,
            deeds: 0,
            holds: Holds::default(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn at(self, local: i64, collector: Option<i64>) -> Self {
        let at = |seconds: i64| Timestamp::from_ns(order::NOW.as_ns() + seconds * 1_000_000_000);
        self.with(|it| it.times = Times { local: at(local), collector: collector.map(at) })
    }

    #[track_caller]
    fn check(mut self, expect: &Expect) {
        let tree = Tree::new(self.targets.clone()).unwrap();
        self.command.targets = tree.root();
        let mut keys = self.signers.iter().map(|it| order::key(*it));
        let mut signed = wire::command::sign(&self.command, &keys.next().unwrap());
        keys.for_each(|it| it.add_to(&mut signed));
        let proof = tree.proofs().find(|(agent, _)| *agent == test_support::agent());
        let proof = proof.map(|(_, proof)| proof).unwrap_or(tree.proofs().next().unwrap().1);
        let mut delivery = Delivery { signed, proof };
        (self.delivery)(&mut delivery);
        let bundle = author::sign(&self.draft, &[order::key(1), order::key(3)]);
        let keyring = Keyring::open(&bundle, &order::roots()).unwrap();
        let facts = host::tests::facts(host::tests::TABLE);
        let ground = Ground {
            agent: test_support::agent(),
            host_name: "web-1",
            host_tier: "standard",
            is_held: self.is_held,
            keyring: self.has_keyring.then_some(&keyring),
            times: self.times,
            boottime: Boottime::from_ns(1_000_000_000_000).saturating_add(self.age),
            witness: &Memory,
            facts: &facts,
            deeds: self.deeds,
            holds: &self.holds,
        };
        let shown = match verify(&delivery, &ground) {
            Ok(it) if it.is_automation => "obeyed, automation".to_owned(),
            Ok(_) => "obeyed".to_owned(),
            Err(it) => {
                let refusal = it.refusal.map_or("", Refusal::as_str);
                format!("{} {refusal}: {it}", it.verdict.as_str())
            }
        };
        expect.assert_eq(&shown);
    }
}

fn other(number: u8) -> Target {
    Target {
        agent: AgentId::from_slice(&[number; 16]).unwrap(),
        host_name: format!("host-{number}"),
        host_tier: "standard".to_owned(),
    }
}

fn release() -> Action {
    order::actions().into_iter().find(|it| it.name() == "release").unwrap()
}

#[test]
fn one_responder_contains_at_once() {
    Case::new(&[5]).check(&expect!["obeyed"]);
    Case::new(&[3]).check(&expect!["obeyed"]);
    Case::new(&[5, 7]).check(&expect!["obeyed"]);
}

#[test]
fn f_34_a_stranger_a_forger_and_a_broken_form_are_refused() {
    Case::new(&[77]).check(&expect![
        "refused unknown_signer: no trusted key has signed this cordon.v1.Command"
    ]);
    let forged =
        |it: &mut Delivery| it.signed.payload = [&it.signed.payload[..], &[0]].concat().into();
    Case::new(&[5])
        .with(|it| it.delivery = Box::new(forged))
        .check(&expect!["refused bad_signature: the signature that names key 7599776c3085e3f9da0d13071eb0b4ab50fd2bf64c06dd92c2365af3a328eca3 is not by that key"]);
    let unknown_field = |it: &mut Delivery| {
        it.signed.payload = [&it.signed.payload[..], &[0xfa, 0x3f, 0]].concat().into();
        order::key(5).add_to(&mut it.signed);
    };
    Case::new(&[5])
        .with(|it| it.delivery = Box::new(unknown_field))
        .check(&expect!["refused not_canonical: cordon.v1.Command is not in canonical form"]);
    let receipt = |it: &mut Delivery| {
        it.signed.payload_type = "cordon.v1.Receipt".to_owned();
        order::key(5).add_to(&mut it.signed);
    };
    Case::new(&[5]).with(|it| it.delivery = Box::new(receipt)).check(&expect![
        "refused bad_input: payload is `cordon.v1.Receipt`, not `cordon.v1.Command`"
    ]);
    Case::new(&[5])
        .with(|it| it.command.reason = "x".repeat(2_000))
        .check(&expect!["refused bad_input: `reason` must be at most 1024 bytes"]);
}

#[test]
fn without_a_keyring_nothing_is_obeyed() {
    Case::new(&[5])
        .with(|it| it.has_keyring = false)
        .check(&expect!["refused no_keyring: this agent has no keyring yet"]);
}

#[test]
fn f_35_a_command_for_another_host_is_refused() {
    Case::new(&[5])
        .with(|it| it.targets = vec![other(8)])
        .check(&expect!["refused not_a_target: this agent is not among the targets"]);
    Case::new(&[5])
        .with(|it| it.delivery = Box::new(|it| it.proof.host_tier = "critical".to_owned()))
        .check(&expect!["refused not_a_target: this agent is not among the targets"]);
    Case::new(&[5])
        .with(|it| it.targets[0].host_name = "web-2".to_owned())
        .check(&expect!["refused wrong_host: signed for `web-2` of tier `standard`; this is `web-1` of tier `standard`"]);
    Case::new(&[5])
        .with(|it| it.targets[0].host_tier = "critical".to_owned())
        .check(&expect!["refused wrong_host: signed for `web-1` of tier `critical`; this is `web-1` of tier `standard`"]);
}

#[test]
fn f_36_a_command_out_of_its_time_is_refused() {
    Case::new(&[5]).at(-1, None).check(&expect![
        "refused too_early: not before 2027-01-15T08:00:00.000Z; it is 2027-01-15T07:59:59.000Z"
    ]);
    Case::new(&[5]).at(599, None).check(&expect!["obeyed"]);
    Case::new(&[5]).at(600, None).check(&expect![
        "expired : expired 2027-01-15T08:10:00.000Z; it is 2027-01-15T08:10:00.000Z"
    ]);
}

#[test]
fn f_13_what_contains_goes_by_the_collectors_clock_and_what_widens_by_both() {
    let year = 365 * 86_400;
    Case::new(&[5]).at(-50 * year, Some(1)).check(&expect!["obeyed"]);
    // A clock years ahead has every key expired, if it is asked.
    Case::new(&[5]).at(11 * year, Some(1)).check(&expect!["obeyed"]);
    Case::new(&[5]).at(1, Some(600)).check(&expect![
        "expired : expired 2027-01-15T08:10:00.000Z; it is 2027-01-15T08:10:00.000Z"
    ]);
    let widens = || Case::new(&[5]).with(|it| it.command.action = release());
    widens().at(1, Some(1)).check(&expect!["obeyed"]);
    widens().at(600, Some(1)).check(&expect![
        "expired : expired 2027-01-15T08:10:00.000Z; it is 2027-01-15T08:10:00.000Z"
    ]);
}

#[test]
fn roles_are_held_to_what_they_are_for() {
    Case::new(&[8]).check(&expect!["refused not_authorised: `kill` is not for analyst"]);
    let sets_rules = order::actions().into_iter().find(|it| it.name() == "set-rules").unwrap();
    Case::new(&[5])
        .with(|it| it.command.action = sets_rules)
        .check(&expect!["refused not_authorised: `set-rules` is not for responder"]);
    Case::new(&[6])
        .with(|it| it.command.action = release())
        .check(&expect!["refused not_authorised: `release` is not for automation"]);
    Case::new(&[5]).with(|it| it.draft.members.revoked.push(order::key(5).public().id())).check(
        &expect!["refused unknown_signer: no trusted key has signed this cordon.v1.Command"],
    );
    Case::new(&[5]).with(|it| it.draft.members.keys[0].expires = order::NOW).check(&expect![
        "refused unknown_signer: no trusted key has signed this cordon.v1.Command"
    ]);
}

#[test]
fn a_browser_acts_on_one_host_and_only_reversibly() {
    Case::new(&[9]).check(&expect![
        "refused not_authorised: a browser's key does not sign `kill`: it cannot be undone"
    ]);
    let suspend = || {
        Case::new(&[9]).with(|it| {
            let Action::Kill(target) = it.command.action else { return };
            it.command.action = Action::Suspend(target);
        })
    };
    suspend().check(&expect!["obeyed"]);
    suspend()
        .with(|it| it.targets.push(other(8)))
        .check(&expect!["refused not_authorised: a browser's key acts on one host at a time"]);
}

#[test]
fn two_persons_sign_for_many_hosts_and_for_what_lasts() {
    let three =
        |signers: &[u8]| Case::new(signers).with(|it| it.targets.extend([other(8), other(9)]));
    three(&[5]).check(&expect!["refused more_signers: two persons sign for more than 2 hosts"]);
    three(&[5, 7]).check(&expect!["obeyed"]);
    // Bob's file and bob's browser are bob; automation is nobody.
    three(&[5, 9]).check(&expect!["refused more_signers: two persons sign for more than 2 hosts"]);
    three(&[5, 6]).check(&expect!["refused more_signers: two persons sign for more than 2 hosts"]);
    let lease = |signers: &[u8], seconds, end| {
        Case::new(signers).with(|it| {
            let duration = Duration::from_secs(seconds);
            it.command.lease = Some(Lease { duration, end, duration_max: duration });
        })
    };
    lease(&[5], 3_600, LeaseEnd::Release).check(&expect!["obeyed"]);
    lease(&[5], 3_601, LeaseEnd::Release).check(&expect![
        "refused more_signers: two persons sign for a lease of more than 60 minutes"
    ]);
    lease(&[5], 60, LeaseEnd::Hold).check(&expect![
        "refused more_signers: two persons sign for what stays at the end of its lease"
    ]);
    lease(&[5, 7], 86_400, LeaseEnd::Hold).check(&expect!["obeyed"]);
}

#[test]
fn an_expired_keyring_permits_what_contains_and_never_what_widens() {
    let expired = || Case::new(&[5]).with(|it| it.draft.policy.expires = order::NOW);
    expired().check(&expect!["obeyed"]);
    expired().with(|it| it.command.action = release()).check(&expect![
        "refused keyring_expired: the keyring has expired: only what contains is permitted"
    ]);
}

#[test]
fn an_agent_that_is_held_takes_part_in_no_sweep_and_is_contained_all_the_same() {
    let sweep = order::actions().into_iter().find(|it| it.name() == "sweep").unwrap();
    Case::new(&[5]).with(|it| it.is_held = true).check(&expect!["obeyed"]);
    Case::new(&[5])
        .with(|it| (it.is_held, it.command.action) = (true, sweep))
        .check(&expect!["refused held: this agent waits for a person's approval"]);
}

#[test]
fn automation_is_bound_to_what_this_host_saw() {
    Case::new(&[6]).check(&expect!["obeyed, automation"]);
    Case::new(&[6])
        .with(|it| it.command.citation = None)
        .check(&expect!["refused not_cited: automation cites no event"]);
    let cite = |change: fn(&mut cordon_shared::command::scope::Citation)| {
        Case::new(&[6]).with(|it| change(it.command.citation.as_mut().unwrap()))
    };
    cite(|it| it.event.agent = AgentId::from_slice(&[8; 16]).unwrap())
        .check(&expect!["refused not_cited: the cited event is another agent's"]);
    cite(|it| it.event.seq = it.event.seq.checked_add(1).unwrap())
        .check(&expect!["refused not_cited: this agent remembers no such event"]);
    cite(|it| it.rule_sha256 = Sha256::of(b"changed")).check(&expect![
        "refused not_authorised: nobody has armed rule `reverse-shell` in this form"
    ]);
    Case::new(&[6])
        .with(|it| it.age = Duration::from_secs(60))
        .check(&expect!["obeyed, automation"]);
    Case::new(&[6])
        .with(|it| it.age = Duration::from_secs(61))
        .check(&expect!["refused citation_too_old: the cited event is 61 s old"]);
    Case::new(&[6]).with(|it| it.deeds = 1).check(&expect!["obeyed, automation"]);
    Case::new(&[6]).with(|it| it.deeds = 2).check(&expect![
        "refused total_used_up: automation has used up its 2 kills and suspensions of this hour"
    ]);
    Case::new(&[6])
        .with(|it| it.draft.policy.automation.clear())
        .check(&expect!["refused citation_too_old: the cited event is 1 s old"]);
}

#[test]
fn automation_touches_the_tree_of_the_cited_process_and_no_other() {
    let kill = |pid, start_ticks| {
        Case::new(&[6]).with(|it| {
            let process = ProcessKey { pid, start_ticks };
            it.command.action = Action::Kill(ProcessTarget { process, is_tree: false });
        })
    };
    kill(42, 92).check(&expect!["obeyed, automation"]);
    kill(50, 95).check(&expect!["obeyed, automation"]);
    // Its ancestor: refused later, by the plan, because it is the first process.
    kill(1, 1).check(&expect!["obeyed, automation"]);
    kill(60, 50).check(&expect!["refused outside_citation: 60 is not of the tree of the cited 40"]);
    kill(42, 91).check(&expect!["refused outside_citation: 42 is not of the tree of the cited 40"]);
}
