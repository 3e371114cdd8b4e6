//! Evidence in the store: in its incident's timeline, in the audit log, and said once.

use bytes::Bytes;
use cordon_shared::{
    digest::Sha256,
    id::{CommandId, SnapshotId},
    time::Timestamp,
};
use expect_test::expect;

use super::{
    Bed,
    incident::{Simple, detection},
};
use crate::store::{EvidenceState, NewCommand, NewEvidence, Page, Repeats};

#[tokio::test]
async fn what_came_is_in_the_timeline_of_its_incident_once_and_in_the_audit_log() {
    let bed = Bed::new().await;
    let agent = bed.store.agent(bed.agent("web-1").await).await.unwrap();
    let first = detection(&bed, &agent, 1, 4_711);
    let events = vec![first.basis.event().unwrap()];
    let found = [Repeats { newest: first.clone(), first, events, indicators: Vec::new() }];
    let gathered = bed.store.gather(&found, ("watch", 1), &bed.by(), &mut Simple(&bed, None)).await;
    let incident = gathered.unwrap()[0].incident.unwrap();
    let command = NewCommand {
        id: CommandId::from_slice(&[1; 16]).unwrap(),
        incident: Some(incident),
        detection: None,
        agent: agent.id,
        host: agent.host.id,
        action: "snapshot",
        summary: "snapshot of web-1".to_owned(),
        releases: None,
        delivery: Bytes::from_static(b"signed"),
        expires: bed.by().at,
    };
    bed.store.add_command(&command, &bed.by(), |_| None).await.unwrap();
    let new = NewEvidence {
        id: SnapshotId::from_slice(&[2; 16]).unwrap(),
        command: command.id,
        incident: Some(incident),
        agent: agent.id,
        host: agent.host.id,
        manifest: Bytes::from_static(b"manifest"),
        sha256: Sha256::of(b"container"),
        size_bytes: 9,
        taken: (Timestamp::from_ns(1), Timestamp::from_ns(2)),
        offered: bed.by().at,
    };
    let row = bed.store.offer_evidence(&new).await.unwrap();
    assert_eq!(row.state, EvidenceState::Offered);
    assert!(bed.store.hold_evidence(&row, "it came", bed.by().at).await.unwrap());
    assert!(!bed.store.hold_evidence(&row, "it came", bed.by().at).await.unwrap());

    let timeline = bed.store.timeline(incident, 0).await.unwrap();
    let entries = timeline.iter().filter(|it| it.kind == "evidence");
    let entries: Vec<_> = entries.map(|it| format!("{}: {}", it.object, it.text)).collect();
    expect!["evidence 02020202-0202-0202-0202-020202020202: it came"]
        .assert_eq(&entries.join(", "));
    let custody = bed.store.custody(new.id).await.unwrap();
    assert_eq!(custody.len(), 1);
    assert!(bed.store.verify_audit().await.unwrap().is_ok());
    let of = bed.store.evidence_of(Some(incident), &Page::default()).await.unwrap();
    assert_eq!(of.len(), 1);
    assert_eq!(of[0].state, EvidenceState::Held);
}
