use cordon_shared::{
    detection::{Basis, Detection, RuleSummary, Severity},
    digest::Sha256,
    id::{AgentId, DetectionId, EventId, HostId, SuppressionId},
    time::Timestamp,
};
use expect_test::expect;

use super::by;
use crate::store::SuppressionRow;

fn host(number: u8) -> HostId {
    HostId::from_slice(&[number; 16]).unwrap()
}

fn detection() -> Detection {
    let event = "07070707-0707-0707-0707-070707070707.0000000012345678.network.1";
    Detection {
        id: DetectionId::from_slice(&[1; 16]).unwrap(),
        rule: RuleSummary {
            id: "rule".to_owned(),
            sha256: Sha256::of(b"rule"),
            title: "A rule".to_owned(),
            severity: Severity::High,
            techniques: Vec::new(),
        },
        basis: Basis::Event(EventId::parse(event).unwrap()),
        agent: AgentId::from_slice(&[7; 16]).unwrap(),
        host: host(1),
        at: Timestamp::from_ns(500),
        subject: None,
        exercise: None,
        summary: String::new(),
    }
}

fn suppression(number: u8) -> SuppressionRow {
    SuppressionRow {
        id: SuppressionId::from_slice(&[number; 16]).unwrap(),
        rule: "rule".to_owned(),
        host: None,
        owner: "bob".to_owned(),
        reason: "known".to_owned(),
        created: (Timestamp::from_ns(100), "ada".to_owned()),
        until: Timestamp::from_ns(1_000),
        ended: None,
        count: 0,
        last: None,
    }
}

#[test]
fn a_suppression_holds_for_its_rule_its_host_and_its_time() {
    let at = |now_ns, suppression: SuppressionRow, detection: &Detection| {
        let it = by(detection, &[suppression], Timestamp::from_ns(now_ns));
        if it.is_some() { "kept back" } else { "goes on" }
    };
    let (found, base) = (detection(), suppression(1));
    let here = SuppressionRow { host: Some(host(1)), ..base.clone() };
    let elsewhere = SuppressionRow { host: Some(host(2)), ..base.clone() };
    let other = SuppressionRow { rule: "other".to_owned(), ..base.clone() };
    let ended = Some((Timestamp::from_ns(600), "ada".to_owned()));
    let ended = SuppressionRow { ended, ..base.clone() };
    let reported = Detection { basis: Basis::Report("eve".to_owned()), ..detection() };
    let lines = [
        ("while it holds", at(999, base.clone(), &found)),
        ("once it is over", at(1_000, base.clone(), &found)),
        ("on its host", at(999, here, &found)),
        ("on another host", at(999, elsewhere, &found)),
        ("another rule", at(999, other, &found)),
        ("ended by a person", at(999, ended, &found)),
        ("reported by a person", at(999, base, &reported)),
    ];
    let lines: Vec<_> = lines.iter().map(|(what, does)| format!("{what}: {does}")).collect();
    expect![[r"
        while it holds: kept back
        once it is over: goes on
        on its host: kept back
        on another host: goes on
        another rule: goes on
        ended by a person: goes on
        reported by a person: goes on"]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn of_several_the_oldest_counts() {
    let rows = [suppression(1), suppression(2)];
    assert_eq!(by(&detection(), &rows, Timestamp::from_ns(500)), Some(rows[0].id));
    assert_eq!(by(&detection(), &[], Timestamp::from_ns(500)), None);
}
