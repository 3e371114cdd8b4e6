use std::time::Duration;

use cordon_shared::{
    detection::Basis,
    id::{DetectionId, ProcessUid},
    time::Timestamp,
};
use expect_test::expect;

use super::{Report, TEXT_BYTES_MAX, detection, take};
use crate::store::{By, News, Page, tests::Bed};

fn id() -> DetectionId {
    DetectionId::from_slice(&[1; 16]).unwrap()
}

/// What a report becomes.
fn told(report: &Report, by: &By) -> String {
    match detection(id(), report, by) {
        Ok(it) => format!("{} ({}), {}", it.summary, it.rule.severity.as_str(), it.at),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_report_becomes_a_detection_and_what_breaks_a_rule_is_refused_by_name() {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let row = bed.store.agent(agent).await.unwrap();
    let report = Report {
        host: row.host.id,
        agent,
        text: " a window\nopened by itself ".to_owned(),
        file: None,
        process: None,
        at: None,
    };
    let but = |change: fn(&mut Report)| {
        let mut report = report.clone();
        change(&mut report);
        told(&report, &bed.by())
    };
    let lines = [
        but(|_| ()),
        but(|it| it.file = Some("/tmp/x\u{1b}[2J".to_owned())),
        but(|it| it.file = Some("x".to_owned())),
        but(|it| it.text = " \n".to_owned()),
        but(|it| it.text = "x".repeat(TEXT_BYTES_MAX + 1)),
        but(|it| it.at = Some(Timestamp::from_ns(1_763_999_000_000_000_000))),
        but(|it| it.at = Some(Timestamp::from_ns(1_764_001_000_000_000_000))),
        but(|it| it.at = Some(Timestamp::from_ns(0))),
    ];
    expect![[r#"
        a window opened by itself (medium), 2025-11-24T16:00:00.000Z
        a window opened by itself (file /tmp/x [2J) (medium), 2025-11-24T16:00:00.000Z
        `file` must be an absolute path of at most 4096 bytes
        `text` must be 1 to 2000 bytes
        `text` must be 1 to 2000 bytes
        a window opened by itself (medium), 2025-11-24T15:43:20.000Z
        `at` must be a time that has come
        `at` must be a time that has come"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn a_report_opens_an_incident_and_the_next_of_that_host_joins_it() {
    let bed = Bed::new().await;
    let agent = bed.agent("web-1").await;
    let row = bed.store.agent(agent).await.unwrap();
    let process = ProcessUid::parse("000102030405060708090a0b0c0d0e0f").unwrap();
    let mut report = Report {
        host: row.host.id,
        agent,
        text: "odd".to_owned(),
        file: None,
        process: Some(process),
        at: None,
    };
    let how = (&*bed.clock as &dyn cordon_shared::time::Clock, &bed.entropy as _);
    let (first, opened) = take(&bed.store, &report, &bed.by(), how).await.unwrap();
    assert_eq!(opened.news, News::Opened);
    assert_eq!(first.basis, Basis::Report("ada".to_owned()));
    bed.clock.advance(Duration::from_secs(3_600));
    let (_, joined) = take(&bed.store, &report, &bed.by(), how).await.unwrap();
    assert_eq!((joined.news, joined.incident), (News::Joined, opened.incident), "kin");
    report.process = None;
    bed.clock.advance(Duration::from_secs(3_600));
    let (_, apart) = take(&bed.store, &report, &bed.by(), how).await.unwrap();
    assert_eq!(apart.news, News::Opened);

    let kept = bed.store.detection(first.id).await.unwrap();
    assert_eq!((kept.event, kept.count, kept.process), (None, 1, Some(process)));
    assert_eq!(kept.reported_by.as_deref(), Some("ada"));
    let timeline = bed.store.timeline(opened.incident.unwrap(), 0).await.unwrap();
    let said: Vec<_> = timeline.iter().map(|it| format!("{}: {}", it.actor, it.text)).collect();
    assert!(said.contains(&"ada: Staff report: odd".to_owned()), "{said:?}");
    let acts = bed.store.audit_rows(&Page::default()).await.unwrap();
    assert_eq!(acts.iter().filter(|it| it.action == "suspicion.report").count(), 3);
}
