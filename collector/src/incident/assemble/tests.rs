use std::time::Duration;

use cordon_shared::{
    detection::{Basis, Detection, RuleSummary, Severity, Subject},
    digest::Sha256,
    id::{Epoch, EventId, EventSeq, HostId, IncidentId, Lane, ProcessKey, ProcessUid},
    test_support::{agent, origin},
    time::Timestamp,
};
use expect_test::{Expect, expect};

use super::{Candidate, place};

const HOUR: i64 = 3_600;

fn uid(pid: u32) -> ProcessUid {
    ProcessKey { pid, start_ticks: 1 }.uid(agent(), origin().boot)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ns((1_764_000_000 + seconds) * 1_000_000_000)
}

/// A detection at `seconds` about the first of `line`, whose ancestors are the others.
fn detection(seconds: i64, line: &[u32]) -> Detection {
    let event = EventId {
        agent: agent(),
        epoch: Epoch::from_u64(1).unwrap(),
        lane: Lane::Critical,
        seq: EventSeq::FIRST,
    };
    let subject = line.split_first().map(|(pid, above)| Subject {
        key: Some(ProcessKey { pid: *pid, start_ticks: 1 }),
        uid: uid(*pid),
        ancestry: above.iter().map(|pid| uid(*pid)).collect(),
    });
    Detection {
        id: Detection::id_of("rule", event),
        rule: RuleSummary {
            id: "rule".to_owned(),
            sha256: Sha256::of(b"rule"),
            title: "A shell".to_owned(),
            severity: Severity::High,
            techniques: Vec::new(),
        },
        basis: Basis::Event(event),
        agent: agent(),
        host: HostId::from_slice(&[1; 16]).unwrap(),
        at: at(seconds),
        subject,
        exercise: None,
        summary: String::new(),
    }
}

/// One open incident about process 100 below 50 below 1, from 0 s to 10 s; an older one about 200
/// below 1, a day before.
#[track_caller]
fn check(cases: &[(&str, i64, &[u32])], want: &Expect) {
    let name = |byte| IncidentId::from_slice(&[byte; 16]).unwrap();
    let (new, old) = ([uid(100)], [uid(200)]);
    let (new_above, old_above) = ([uid(50), uid(1)], [uid(1)]);
    let day_before = (at(-24 * HOUR), at(-24 * HOUR));
    let open = [
        Candidate {
            id: name(2),
            subjects: &new,
            ancestors: &new_above,
            span: (at(0), at(10)),
            is_elsewhere: false,
        },
        Candidate {
            id: name(1),
            subjects: &old,
            ancestors: &old_above,
            span: day_before,
            is_elsewhere: false,
        },
    ];
    let mut table = String::new();
    for (what, seconds, line) in cases {
        let placed = match place(&detection(*seconds, line), &open) {
            Some(id) if id == name(2) => "the newer",
            Some(_) => "the older",
            None => "its own",
        };
        table.push_str(&format!("{what}: {placed}\n"));
    }
    want.assert_eq(&table);
}

#[test]
fn a_detection_joins_its_kin_within_a_day_and_its_host_within_minutes() {
    check(
        &[
            ("the same process", 60, &[100, 50, 1]),
            ("the same process, hours later", 20 * HOUR, &[100, 50, 1]),
            ("the same process, days later", 30 * HOUR, &[100, 50, 1]),
            ("a child", 20 * HOUR, &[101, 100, 50, 1]),
            ("a grandchild", 20 * HOUR, &[102, 101, 100, 50]),
            ("the parent", 20 * HOUR, &[50, 1]),
            ("a sibling, at once", 20, &[110, 50, 1]),
            ("a sibling, hours later", 20 * HOUR, &[110, 50, 1]),
            ("a stranger, at once", 20, &[300, 1]),
            ("a stranger, five minutes later", 310, &[300, 1]),
            ("a stranger, after five minutes", 311, &[300, 1]),
            ("a stranger, five minutes before", -300, &[300, 1]),
            ("nobody, at once", 5, &[]),
            ("nobody, hours later", 20 * HOUR, &[]),
            ("a child of the older one's, near the newer", 0, &[201, 200, 1]),
        ],
        &expect![[r#"
            the same process: the newer
            the same process, hours later: the newer
            the same process, days later: its own
            a child: the newer
            a grandchild: the newer
            the parent: the newer
            a sibling, at once: the newer
            a sibling, hours later: its own
            a stranger, at once: the newer
            a stranger, five minutes later: the newer
            a stranger, after five minutes: its own
            a stranger, five minutes before: the newer
            nobody, at once: the newer
            nobody, hours later: its own
            a child of the older one's, near the newer: the older
        "#]],
    );
}

#[test]
fn an_incident_elsewhere_with_the_same_indicator_is_joined_within_a_day() {
    let name = IncidentId::from_slice(&[3; 16]).unwrap();
    let open = [Candidate {
        id: name,
        subjects: &[],
        ancestors: &[],
        span: (at(0), at(60)),
        is_elsewhere: true,
    }];
    assert_eq!(place(&detection(20 * HOUR, &[100]), &open), Some(name));
    assert_eq!(place(&detection(25 * HOUR, &[100]), &open), None);
}

#[test]
fn nothing_open_takes_nothing() {
    assert_eq!(place(&detection(0, &[100]), &[]), None);
    assert!(super::HOST_WINDOW < super::KIN_WINDOW && super::HOST_WINDOW > Duration::ZERO);
}
