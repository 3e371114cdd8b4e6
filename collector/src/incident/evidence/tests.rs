use std::time::Duration;

use bytes::Bytes;
use cordon_shared::{
    command::{
        Command, Delivery,
        action::{Action, ProcessTarget, Question},
        scope::{Lease, LeaseEnd},
        target::{Target, Tree},
    },
    detection::Severity,
    digest::Sha256,
    event::receipt::{Finding, Receipt, Verdict},
    id::{AgentId, BootId, CommandId, DetectionId, HostId, IncidentId, ProcessKey, SweepId},
    incident::{Indicator, PhaseState},
    test_support::order,
    text::Text,
    time::{ClockSample, Timestamp},
    wire,
};
use expect_test::{Expect, expect};

use super::facts;
use crate::{
    incident::gate::{Proof, Swept},
    store::{CommandState, FoundRow, IncidentParts, IncidentRow, IndicatorRow, OrderRow, ScopeRow},
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ns(1_764_000_000_000_000_000).saturating_add(Duration::from_secs(seconds))
}

fn agent(number: u8) -> AgentId {
    AgentId::from_slice(&[number; 16]).unwrap()
}

fn command_id(number: u8) -> CommandId {
    CommandId::from_slice(&[number; 16]).unwrap()
}

const BOOT: BootId = BootId([9; 16]);

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: 1 }
}

fn kill(pid: u32) -> Action {
    Action::Kill(ProcessTarget { process: key(pid), is_tree: true })
}

fn isolate() -> Action {
    Action::Isolate { allowed: Vec::new(), container: Text::EMPTY }
}

fn sweep() -> Action {
    let questions = vec![Question::Sha256(Sha256::of(b"x"))];
    Action::Sweep { sweep: SweepId::from_slice(&[5; 16]).unwrap(), questions }
}

/// A command to the first agent that was issued at `second` and answered a second later.
fn ordered(number: u8, action: Action, second: u64, verdict: Option<Verdict>) -> OrderRow {
    to(agent(1), number, action, second, (verdict, &[]))
}

fn to(
    agent: AgentId,
    number: u8,
    action: Action,
    second: u64,
    (verdict, hits): (Option<Verdict>, &[u32]),
) -> OrderRow {
    let name = action.name().to_owned();
    let target = Target { agent, host_name: "web-1".to_owned(), host_tier: String::new() };
    let tree = Tree::new(vec![target]).unwrap();
    let lease = Lease {
        duration: Duration::from_secs(60),
        end: LeaseEnd::Release,
        duration_max: Duration::MAX,
    };
    let command = Command {
        id: command_id(number),
        incident: None,
        targets: tree.root(),
        issued: at(second),
        not_before: at(second),
        expires: at(second + 60),
        lease: matches!(action, Action::Isolate { .. })
            .then_some(Lease { duration_max: Duration::from_secs(3_600), ..lease }),
        preconditions: Vec::new(),
        supersedes: None,
        citation: None,
        overrides: Vec::new(),
        is_dry_run: false,
        reason: String::new(),
        action,
    };
    let signed = wire::command::sign(&command, &order::key(6));
    let (_, proof) = tree.proofs().next().unwrap();
    let finding = |question: &u32| Finding {
        file: None,
        size_bytes: 0,
        modified: Timestamp::default(),
        process: Some(key(7)),
        question: *question,
        note: String::new(),
    };
    let receipt = verdict.map(|verdict| Receipt {
        command: command.id,
        agent,
        incident: None,
        verdict,
        refusal: None,
        detail: String::new(),
        steps: Vec::new(),
        open: Vec::new(),
        findings: hits.iter().map(finding).collect(),
        ledger: Vec::new(),
        received: ClockSample::default(),
        began: ClockSample::default(),
        ended: ClockSample::default(),
        command_sha256: Sha256::of(&signed.payload),
    });
    let receipt = receipt.map(|it| wire::signed::encode(&wire::receipt::sign(&it, &order::key(6))));
    OrderRow {
        id: command.id,
        agent,
        action: name,
        detection: None,
        state: if verdict.is_some() { CommandState::Closed } else { CommandState::Sent },
        delivery: wire::command::encode_delivery(&Delivery { signed, proof }),
        issued: at(second),
        closed: verdict.map(|_| at(second + 1)),
        verdict: verdict.map(|it| it.as_str().to_owned()),
        detail: Some("so it was".to_owned()),
        receipt,
    }
}

fn found(number: u8, pid: u32, above: &[u32], last: u64) -> FoundRow {
    let uid = |pid: u32| key(pid).uid(agent(1), BOOT);
    FoundRow {
        id: DetectionId::from_slice(&[number; 16]).unwrap(),
        agent: agent(1),
        process: Some(uid(pid)),
        ancestors: above.iter().map(|it| uid(*it)).collect(),
        span: (at(0), at(last)),
    }
}

/// An incident on `web-1`, with `db-1` and `db-2` in the fleet, that looks for one digest.
fn parts(found: Vec<FoundRow>, mut orders: Vec<OrderRow>) -> IncidentParts {
    orders.sort_by_key(|it| std::cmp::Reverse(it.issued));
    let host = HostId::from_slice(&[1; 16]).unwrap();
    IncidentParts {
        seen: 1,
        incident: IncidentRow {
            id: IncidentId::from_slice(&[1; 16]).unwrap(),
            title: String::new(),
            severity: Severity::High,
            state: "open".to_owned(),
            verdict: None,
            verdict_reason: None,
            verdict_by: None,
            lead: None,
            watch: None,
            closed: None,
            closed_by: None,
            closed_reason: None,
            host,
            agent: agent(1),
            opened: at(0),
            updated: at(0),
            phases: [(PhaseState::Pending, at(0)); 6],
        },
        scope: vec![ScopeRow {
            number: 1,
            name: "web-1".to_owned(),
            host: Some((host, agent(1))),
            boot: Some(BOOT),
            last_seen: None,
            added: at(0),
            added_by: String::new(),
            why: String::new(),
            declared: None,
            phases: [(PhaseState::Pending, at(0)); 6],
        }],
        indicators: vec![IndicatorRow {
            indicator: Indicator::sha256(Sha256::of(b"x")),
            seen: at(0),
            added_by: String::new(),
            why: String::new(),
        }],
        tasks: Vec::new(),
        passages: Vec::new(),
        notes: Vec::new(),
        reported: None,
        orders,
        found,
        fleet: [(1, "web-1"), (2, "db-1"), (3, "db-2")]
            .map(|(number, name)| (agent(number), name.to_owned()))
            .to_vec(),
    }
}

fn told(proof: &Proof) -> String {
    let shown = match proof {
        Proof::Yes(by) => format!("yes, {by}"),
        Proof::No(why) => format!("no, {why}"),
    };
    let words = shown.split(' ').map(|it| if it.contains("-0") { "ID" } else { it });
    words.collect::<Vec<_>>().join(" ").replace("0101-0101-0101-010101010101", "")
}

#[track_caller]
fn check(cases: Vec<(&str, Vec<FoundRow>, Vec<OrderRow>)>, want: &Expect) {
    let mut table = String::new();
    for (what, found, orders) in cases {
        let facts = facts(&parts(found, orders), None, at(50));
        let host = &facts.hosts[0];
        let holds = host.holds.iter().map(|it| it.split(' ').next().unwrap());
        table.push_str(&format!(
            "{what}: {}; holds {:?}\n",
            told(&host.containment),
            holds.collect::<Vec<_>>()
        ));
    }
    want.assert_eq(&table);
}

#[test]
fn a_host_is_contained_by_what_its_receipts_prove_and_by_nothing_else() {
    let complete = Some(Verdict::Complete);
    let one = || vec![found(1, 100, &[], 1)];
    let isolated = |verdict| ordered(1, isolate(), 5, verdict);
    let released = |verdict| ordered(2, Action::Release { hold: command_id(1) }, 9, verdict);
    let container = Action::Isolate { allowed: Vec::new(), container: Text::from("c1") };
    check(
        vec![
            ("nothing was done", one(), vec![]),
            ("its process is killed", one(), vec![ordered(1, kill(100), 2, complete)]),
            ("partly", one(), vec![ordered(1, kill(100), 2, Some(Verdict::Partial))]),
            ("not answered yet", one(), vec![ordered(1, kill(100), 2, None)]),
            ("another one is killed", one(), vec![ordered(1, kill(7), 2, complete)]),
            (
                "a child of what was killed",
                vec![found(1, 101, &[100], 1)],
                vec![ordered(1, kill(100), 2, complete)],
            ),
            (
                "a child that was seen after that",
                vec![found(1, 101, &[100], 9)],
                vec![ordered(1, kill(100), 2, complete)],
            ),
            (
                "one of two",
                vec![found(1, 100, &[], 1), found(2, 7, &[], 1)],
                vec![ordered(1, kill(100), 2, complete)],
            ),
            ("isolated", one(), vec![isolated(complete)]),
            ("isolated in part", one(), vec![isolated(Some(Verdict::Partial))]),
            ("one container is", one(), vec![ordered(1, container, 5, complete)]),
            ("released", one(), vec![isolated(complete), released(complete)]),
            ("released in part", one(), vec![isolated(complete), released(Some(Verdict::Partial))]),
            (
                "its release was refused",
                one(),
                vec![isolated(complete), released(Some(Verdict::Failed))],
            ),
        ],
        &expect![[r#"
            nothing was done: no, 1 of 1 detections go on, or may; holds []
            its process is killed: yes, what was detected on it is ended, 1 in all; holds []
            partly: no, kill ID is partial: so it was; holds []
            not answered yet: no, kill ID has no receipt yet; holds []
            another one is killed: no, 1 of 1 detections go on, or may; holds []
            a child of what was killed: yes, what was detected on it is ended, 1 in all; holds []
            a child that was seen after that: no, 1 of 1 detections go on, or may; holds []
            one of two: no, 1 of 2 detections go on, or may; holds []
            isolated: yes, isolated, ID; holds ["isolate"]
            isolated in part: no, isolate ID is partial: so it was; holds ["isolate"]
            one container is: no, 1 of 1 detections go on, or may; holds ["isolate"]
            released: no, 1 of 1 detections go on, or may; holds []
            released in part: no, 1 of 1 detections go on, or may; holds []
            its release was refused: yes, isolated, ID; holds ["isolate"]
        "#]],
    );
    let late = facts(&parts(one(), vec![isolated(complete)]), None, at(70));
    assert!(matches!(late.hosts[0].containment, Proof::No(_)), "its lease is over");
}

#[test]
fn a_snapshot_proves_only_when_it_came_before_the_first_removal() {
    let snapshot = |second, verdict| {
        let profile = cordon_shared::command::action::SnapshotProfile::Triage;
        let action = Action::Snapshot { profile, processes: Vec::new(), bytes_max: 1 };
        ordered(1, action, second, verdict)
    };
    let removed = |verdict| {
        let artefact = cordon_shared::command::action::Artefact::CronLine {
            path: Text::from("/etc/crontab"),
            line: Text::from("x"),
        };
        ordered(2, Action::Remove(artefact), 10, Some(verdict))
    };
    let mut table = String::new();
    for (what, orders) in [
        ("none", vec![]),
        ("one", vec![snapshot(5, Some(Verdict::Complete))]),
        ("partial", vec![snapshot(5, Some(Verdict::Partial))]),
        ("before", vec![snapshot(5, Some(Verdict::Complete)), removed(Verdict::Complete)]),
        ("after", vec![snapshot(15, Some(Verdict::Complete)), removed(Verdict::Partial)]),
        ("failed", vec![snapshot(15, Some(Verdict::Complete)), removed(Verdict::Failed)]),
    ] {
        let facts = facts(&parts(vec![], orders), None, at(50));
        let host = &facts.hosts[0];
        let left = host.unremoved.len();
        table.push_str(&format!("{what}: {}; {left} unremoved\n", told(&host.snapshot)));
    }
    expect![[r#"
        none: no, none was taken; 0 unremoved
        one: yes, snapshot, ID; 0 unremoved
        partial: no, snapshot ID is partial: so it was; 0 unremoved
        before: yes, snapshot, ID; 0 unremoved
        after: no, it came after the first removal; 1 unremoved
        failed: yes, snapshot, ID; 1 unremoved
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_sweep_counts_each_host_once_by_its_newest_answer() {
    let complete = Some(Verdict::Complete);
    let swept = |number, host, second, verdict, hits: &[u32]| {
        to(agent(host), number, sweep(), second, (verdict, hits))
    };
    let names =
        |hosts: &[Swept]| hosts.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" ");
    let mut table = String::new();
    for (what, orders) in [
        ("nobody was asked", vec![]),
        (
            "each otherwise",
            vec![
                swept(1, 1, 5, complete, &[0]),
                swept(2, 2, 5, complete, &[]),
                swept(3, 3, 5, Some(Verdict::Partial), &[]),
            ],
        ),
        ("one waits", vec![swept(1, 1, 5, complete, &[]), swept(2, 2, 5, None, &[])]),
        ("asked again", vec![swept(1, 1, 5, complete, &[0]), swept(2, 1, 9, complete, &[])]),
        (
            "a kill in between",
            vec![swept(1, 1, 5, complete, &[]), ordered(2, kill(100), 7, complete)],
        ),
    ] {
        let facts = facts(&parts(vec![], orders), None, at(50));
        for (which, it) in [("sweep", &facts.sweep), ("re-scan", &facts.rescan)] {
            table.push_str(&format!(
                "{what}, {which}: hit [{}] clean [{}] unanswered [{}] waiting [{}] unasked [{}]\n",
                names(&it.hit),
                names(&it.clean),
                names(&it.unanswered),
                names(&it.waiting),
                names(&it.unasked)
            ));
        }
    }
    expect![[r#"
        nobody was asked, sweep: hit [] clean [] unanswered [] waiting [] unasked [web-1 db-1 db-2]
        nobody was asked, re-scan: hit [] clean [] unanswered [] waiting [] unasked [web-1 db-1 db-2]
        each otherwise, sweep: hit [web-1] clean [db-1] unanswered [db-2] waiting [] unasked []
        each otherwise, re-scan: hit [web-1] clean [db-1] unanswered [db-2] waiting [] unasked []
        one waits, sweep: hit [] clean [web-1] unanswered [] waiting [db-1] unasked [db-2]
        one waits, re-scan: hit [] clean [web-1] unanswered [] waiting [db-1] unasked [db-2]
        asked again, sweep: hit [] clean [web-1] unanswered [] waiting [] unasked [db-1 db-2]
        asked again, re-scan: hit [] clean [web-1] unanswered [] waiting [] unasked [db-1 db-2]
        a kill in between, sweep: hit [] clean [web-1] unanswered [] waiting [] unasked [db-1 db-2]
        a kill in between, re-scan: hit [] clean [] unanswered [] waiting [] unasked [web-1 db-1 db-2]
    "#]].assert_eq(&table);
}

#[test]
fn what_does_not_read_proves_nothing() {
    let mut row = ordered(1, kill(100), 2, Some(Verdict::Complete));
    row.delivery = Bytes::from_static(b"delivery");
    let facts = facts(&parts(vec![found(1, 100, &[], 1)], vec![row]), None, at(50));
    assert!(matches!(facts.hosts[0].containment, Proof::No(_)));
}
