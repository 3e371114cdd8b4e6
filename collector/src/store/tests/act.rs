//! What people do to incidents, in the store.

use cordon_shared::{
    digest::Sha256,
    id::{AgentId, IncidentId},
    incident::{Declaration, Indicator, Phase, PhaseState, Phases, Verdict},
};
use expect_test::expect;

use super::{
    Bed,
    incident::{Simple, detection},
};
use crate::store::{Act, By, NewPassage, Page, Repeats, StoreError};

/// A detection on a host, of something that has this digest.
async fn found(bed: &Bed, agent: AgentId, seq: u64) -> IncidentId {
    let agent = bed.store.agent(agent).await.unwrap();
    let it = detection(bed, &agent, seq, 100);
    let found = Repeats {
        first: it.clone(),
        newest: it.clone(),
        events: it.basis.event().into_iter().collect(),
        indicators: vec![Indicator::sha256(Sha256::of(b"dropped"))],
    };
    let gathered =
        bed.store.gather(&[found], ("detect", 1), &bed.by(), &mut Simple(bed, None)).await;
    gathered.unwrap().remove(0).incident.unwrap()
}

fn note(text: &str) -> Act {
    Act::Note { text: text.to_owned() }
}

fn stay(_: &Phases) -> Option<Phases> {
    None
}

#[tokio::test]
async fn an_indicator_that_another_host_has_too_makes_it_one_incident() {
    let bed = Bed::new().await;
    let (web, db) = (bed.agent("web-1").await, bed.agent("db-1").await);
    let id = found(&bed, web, 1).await;
    assert_eq!(found(&bed, db, 1).await, id);
    let parts = bed.store.incident_parts(id).await.unwrap();
    let names: Vec<_> = parts.scope.iter().map(|it| it.name.as_str()).collect();
    assert_eq!((names, parts.indicators.len(), parts.found.len()), (vec!["web-1", "db-1"], 1, 2));
    assert_eq!(parts.fleet.len(), 2);
}

#[tokio::test]
async fn every_act_of_a_person_is_in_the_timeline_and_in_the_audit_log() {
    let bed = Bed::new().await;
    let id = found(&bed, bed.agent("web-1").await, 1).await;
    let before = bed.store.incident_parts(id).await.unwrap().seen;
    let verdict = Act::Judge { verdict: Verdict::Benign, reason: "the backup".to_owned() };
    bed.store.act(id, &verdict, (&bed.by(), None), stay).await.unwrap();
    let passed =
        NewPassage { phase: Phase::Identification, is_override: true, text: "x".to_owned() };
    let close = |phases: &Phases| {
        let mut after = *phases;
        after[Phase::Identification.index()] = PhaseState::Done;
        Some(after)
    };
    let end = Act::Close { passages: vec![passed], reason: Some("it is over".to_owned()) };
    let stale = bed.store.act(id, &end, (&bed.by(), Some(before)), close).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "it moved on since it was read");
    bed.store.act(id, &end, (&bed.by(), Some(before + 1)), close).await.unwrap();
    let late = bed.store.act(id, &note("too late"), (&bed.by(), None), stay).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })));

    let parts = bed.store.incident_parts(id).await.unwrap();
    assert_eq!(parts.incident.phases[Phase::Identification.index()].0, PhaseState::Done);
    assert_eq!((parts.passages.len(), parts.incident.state.as_str()), (1, "closed"));
    let entries = bed.store.timeline(id, before).await.unwrap();
    let shown: Vec<_> = entries.iter().map(|it| format!("{} {}", it.kind, it.text)).collect();
    expect![[r#"
        verdict benign: the backup
        close closed though gates were open: it is over; identification overridden: x
        phase identification: pending to done"#]]
    .assert_eq(&shown.join("\n"));
    let audit = bed.store.audit_rows(&Page::default()).await.unwrap();
    let acts: Vec<_> = audit.iter().filter(|it| it.action.starts_with("incident.")).collect();
    let acts: Vec<_> = acts.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(acts, ["incident.close", "incident.verdict"]);
    bed.store.verify_audit().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_declaration_counts_when_a_second_person_says_so() {
    let bed = Bed::new().await;
    let id = found(&bed, bed.agent("web-1").await, 1).await;
    let confirm = Act::Confirm { host: 1 };
    let bob = By { principal: "bob".to_owned(), ..bed.by() };
    let early = bed.store.act(id, &confirm, (&bob, None), stay).await;
    assert!(matches!(early, Err(StoreError::Conflict { .. })));
    let evidence = "its plug is in my hand".to_owned();
    let declare = Act::Declare { host: 1, what: Declaration::Off, evidence };
    bed.store.act(id, &declare, (&bed.by(), None), stay).await.unwrap();
    let alone = bed.store.act(id, &confirm, (&bed.by(), None), stay).await;
    assert!(matches!(alone, Err(StoreError::Conflict { .. })));
    bed.store.act(id, &confirm, (&bob, None), stay).await.unwrap();
    let scope = bed.store.incident_parts(id).await.unwrap().scope;
    let declared = scope[0].declared.clone().unwrap();
    assert_eq!((declared.by.as_str(), declared.confirmed_by.as_deref()), ("ada", Some("bob")));
    let nobody = Act::Declare { host: 9, what: Declaration::Off, evidence: "x".to_owned() };
    let unknown = bed.store.act(id, &nobody, (&bed.by(), None), stay).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}
