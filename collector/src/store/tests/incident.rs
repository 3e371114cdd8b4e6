//! Detections, incidents and their timelines in the store.

use std::time::Duration;

use bytes::Bytes;
use cordon_shared::{
    detection::{Basis, Detection, RuleSummary, Severity, Subject},
    digest::Sha256,
    id::{
        BootId, CommandId, Epoch, EventId, EventSeq, IncidentId, Lane, ProcessKey, SuppressionId,
    },
    incident::{PhaseState, Phases},
};
use expect_test::expect;

use super::Bed;
use crate::store::{
    AgentRow, Answer, Closing, CommandState, Gathered, Joined, Judge, NewCommand, NewIncident,
    NewSuppression, News, OpenIncident, Page, Repeats, Tried,
};

pub(super) fn detection(bed: &Bed, agent: &AgentRow, seq: u64, pid: u32) -> Detection {
    let event = EventId {
        agent: agent.id,
        epoch: Epoch::from_u64(5).unwrap(),
        lane: Lane::Critical,
        seq: EventSeq::from_u64(seq).unwrap(),
    };
    let boot = BootId([7; 16]);
    let uid = |pid| ProcessKey { pid, start_ticks: 1 }.uid(agent.id, boot);
    let rule = RuleSummary {
        id: "rule".to_owned(),
        sha256: Sha256::of(b"rule"),
        title: "A shell".to_owned(),
        severity: Severity::High,
        techniques: vec!["T1059.004".to_owned()],
    };
    Detection {
        id: Detection::id_of(&rule.id, event),
        rule,
        basis: Basis::Event(event),
        agent: agent.id,
        host: agent.host.id,
        at: bed.by().at,
        subject: Some(Subject {
            key: Some(ProcessKey { pid, start_ticks: 1 }),
            uid: uid(pid),
            ancestry: vec![uid(1)],
        }),
        exercise: None,
        summary: format!("pid {pid}"),
    }
}

/// Joins whatever is open, and issues no command.
pub(super) struct Simple<'a>(pub(super) &'a Bed, pub(super) Option<SuppressionId>);

impl Judge for Simple<'_> {
    fn open(&mut self) -> NewIncident {
        NewIncident {
            id: IncidentId::random(&*self.0.clock, &self.0.entropy),
            phases: [PhaseState::Pending; 6],
            at: self.0.by().at,
        }
    }

    fn place(&mut self, _: &Detection, open: &[OpenIncident]) -> Option<IncidentId> {
        open.first().map(|it| it.id)
    }

    fn suppressed(&self, detection: &Detection) -> Option<SuppressionId> {
        self.1.filter(|_| detection.rule.id == "rule")
    }

    fn joined(&mut self, _: &Joined) -> Option<Phases> {
        None
    }

    fn answer(&mut self, _: &Detection, _: &Gathered) -> Answer {
        Answer::Nothing
    }

    fn ordered(&mut self, _: &Phases) -> Option<Phases> {
        None
    }
}

async fn gather(bed: &Bed, detection: &Detection) -> Gathered {
    let found = Repeats {
        first: detection.clone(),
        newest: detection.clone(),
        events: detection.basis.event().into_iter().collect(),
        indicators: Vec::new(),
    };
    let gathered =
        bed.store.gather(&[found], ("detect", 1), &bed.by(), &mut Simple(bed, None)).await;
    gathered.unwrap().remove(0)
}

#[tokio::test]
async fn a_detection_derived_again_changes_nothing_and_a_repeated_one_is_counted() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let agent = bed.store.agent(id).await.unwrap();
    let first = detection(&bed, &agent, 1, 100);
    let opened = gather(&bed, &first).await;
    assert_eq!(opened.news, News::Opened);
    let again = gather(&bed, &first).await;
    assert_eq!((again.news, again.incident), (News::Nothing, opened.incident));
    let repeated = gather(&bed, &detection(&bed, &agent, 2, 100)).await;
    assert_eq!((repeated.news, repeated.detection), (News::Repeated, first.id));
    let joined = gather(&bed, &detection(&bed, &agent, 3, 101)).await;
    assert_eq!((joined.news, joined.incident), (News::Joined, opened.incident));
    assert_eq!(bed.store.detection(first.id).await.unwrap().count, 2);
    assert_eq!(bed.store.detections(opened.incident, &Page::default()).await.unwrap().len(), 2);
    assert_eq!(bed.store.detection_events(first.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn in_2_the_timeline_is_append_only_and_numbered() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let agent = bed.store.agent(id).await.unwrap();
    let opened = gather(&bed, &detection(&bed, &agent, 1, 100)).await;
    gather(&bed, &detection(&bed, &agent, 2, 101)).await;
    let entries = bed.store.timeline(opened.incident.unwrap(), 0).await.unwrap();
    let shown: Vec<_> =
        entries.iter().map(|it| format!("{} {} {}", it.number, it.kind, it.text)).collect();
    expect![[r"
        1 phase opened: A shell
        2 detection A shell: pid 100
        3 detection A shell: pid 101"]]
    .assert_eq(&shown.join("\n"));
    assert_eq!(bed.store.timeline(opened.incident.unwrap(), 2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn cm_3_a_command_is_due_until_its_receipt_and_closes_once() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let agent = bed.store.agent(id).await.unwrap();
    let found = detection(&bed, &agent, 1, 100);
    let gathered = gather(&bed, &found).await;
    let command = new_command(&bed, &agent, &gathered);
    let step = |_: &Phases| Some([PhaseState::Active; 6]);
    bed.store.add_command(&command, &bed.by(), step).await.unwrap();
    let now = bed.by().at;
    let later = now.saturating_add(Duration::from_secs(2));
    assert_eq!(bed.store.due_commands(now, 10).await.unwrap().len(), 1);
    let tried = Tried { id: command.id, is_sent: true, due: later };
    bed.store.tried_commands(&[tried], now).await.unwrap();
    assert!(bed.store.due_commands(now, 10).await.unwrap().is_empty());
    bed.store.command_seen(id, command.id, now, later).await.unwrap();
    assert_eq!(bed.store.waiting_agents(now).await.unwrap(), [id]);
    bed.store.hasten_commands(&[id], now).await.unwrap();
    assert_eq!(bed.store.due_commands(now, 10).await.unwrap()[0].attempts, 1);
    let closing = Closing {
        id: command.id,
        agent: id,
        verdict: "complete",
        detail: "1 process is gone".to_owned(),
        ended: now,
        receipt: Bytes::from_static(b"receipt"),
        event: found.basis.event().unwrap(),
    };
    assert!(bed.store.close_command(&closing, now, |_| None).await.unwrap());
    assert!(!bed.store.close_command(&closing, now, |_| None).await.unwrap());
    assert!(bed.store.due_commands(later, 10).await.unwrap().is_empty());
    let row = bed.store.command(command.id).await.unwrap();
    assert_eq!((row.state, row.verdict.as_deref()), (CommandState::Closed, Some("complete")));
    assert_eq!(row.delivery.as_ref(), b"delivery");
    let incident = bed.store.incident(gathered.incident.unwrap()).await.unwrap();
    assert!(incident.phases.iter().all(|(state, _)| *state == PhaseState::Active));
}

#[tokio::test]
async fn cm_3_a_command_without_a_receipt_expires_and_a_late_receipt_still_counts() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let agent = bed.store.agent(id).await.unwrap();
    let found = detection(&bed, &agent, 1, 100);
    let gathered = gather(&bed, &found).await;
    let command = new_command(&bed, &agent, &gathered);
    bed.store.add_command(&command, &bed.by(), |_| None).await.unwrap();
    bed.clock.advance(Duration::from_secs(61));
    let now = bed.by().at;
    assert_eq!(bed.store.expire_commands(now, now).await.unwrap(), [command.id]);
    assert!(bed.store.expire_commands(now, now).await.unwrap().is_empty());
    assert!(bed.store.due_commands(now, 10).await.unwrap().is_empty());
    let closing = Closing {
        id: command.id,
        agent: id,
        verdict: "partial",
        detail: String::new(),
        ended: now,
        receipt: Bytes::new(),
        event: found.basis.event().unwrap(),
    };
    assert!(bed.store.close_command(&closing, now, |_| None).await.unwrap());
}

fn new_command(bed: &Bed, agent: &AgentRow, gathered: &Gathered) -> NewCommand {
    NewCommand {
        id: CommandId::random(&*bed.clock, &bed.entropy),
        incident: gathered.incident,
        detection: Some(gathered.detection),
        agent: agent.id,
        host: agent.host.id,
        action: "kill",
        summary: "kill the tree of pid 100".to_owned(),
        releases: None,
        delivery: Bytes::from_static(b"delivery"),
        expires: bed.by().at.saturating_add(Duration::from_secs(60)),
    }
}

async fn gather_suppressed(
    bed: &Bed,
    detection: &Detection,
    by: Option<SuppressionId>,
) -> Gathered {
    let found = Repeats {
        first: detection.clone(),
        newest: detection.clone(),
        events: detection.basis.event().into_iter().collect(),
        indicators: Vec::new(),
    };
    let mut judge = Simple(bed, by);
    let gathered = bed.store.gather(&[found], ("detect", 1), &bed.by(), &mut judge).await;
    gathered.unwrap().remove(0)
}

async fn suppress(bed: &Bed) -> SuppressionId {
    let id = SuppressionId::random(&*bed.clock, &bed.entropy);
    let new = NewSuppression {
        id,
        rule: "rule".to_owned(),
        host: None,
        owner: "bob".to_owned(),
        reason: "a nightly job".to_owned(),
        until: bed.by().at.saturating_add(Duration::from_secs(60)),
    };
    bed.store.suppress(&new, &bed.by()).await.unwrap();
    id
}

#[tokio::test]
async fn what_is_suppressed_is_kept_and_counted_and_becomes_an_incident_once_that_is_over() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let agent = bed.store.agent(id).await.unwrap();
    let suppression = suppress(&bed).await;
    for seq in [1, 2, 2] {
        let found = detection(&bed, &agent, seq, 100);
        let gathered = gather_suppressed(&bed, &found, Some(suppression)).await;
        assert_eq!(gathered.incident, None);
    }
    assert!(bed.store.incidents(&Page::default()).await.unwrap().is_empty());
    let kept = bed.store.detections(None, &Page::default()).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].count, kept[0].suppression), (2, Some(suppression)));
    let row = bed.store.suppression(suppression).await.unwrap();
    assert_eq!((row.count, row.last), (2, Some(bed.by().at)));

    let after = gather(&bed, &detection(&bed, &agent, 3, 100)).await;
    assert_eq!((after.news, after.detection), (News::Opened, kept[0].id));
    let kept = bed.store.detections(after.incident, &Page::default()).await.unwrap();
    assert_eq!((kept[0].count, kept[0].suppression), (3, None));
    let again = gather(&bed, &detection(&bed, &agent, 4, 100)).await;
    assert_eq!((again.news, again.incident), (News::Repeated, after.incident));
}

#[tokio::test]
async fn a_suppression_ends_by_the_clock_or_by_a_person_and_both_are_on_record() {
    let bed = Bed::new().await;
    let (first, second) = (suppress(&bed).await, suppress(&bed).await);
    let active = |at| {
        let store = bed.store.clone();
        async move { store.active_suppressions(at).await.unwrap().len() }
    };
    assert_eq!(active(bed.by().at).await, 2);
    bed.store.end_suppression(first, "the job is gone", &bed.by()).await.unwrap();
    assert!(bed.store.end_suppression(first, "", &bed.by()).await.is_err());
    assert_eq!(active(bed.by().at).await, 1);
    bed.clock.advance(Duration::from_secs(60));
    assert_eq!(active(bed.by().at).await, 0);
    assert!(bed.store.end_suppression(second, "", &bed.by()).await.is_err());
    let rows = bed.store.suppressions(&Page::default()).await.unwrap();
    assert_eq!(rows.iter().filter(|it| it.ended.is_some()).count(), 1);
    let acts = bed.store.audit_rows(&Page::default()).await.unwrap();
    let count = |action| acts.iter().filter(|it| it.action == action).count();
    assert_eq!((count("suppression.create"), count("suppression.end")), (2, 1));
}
