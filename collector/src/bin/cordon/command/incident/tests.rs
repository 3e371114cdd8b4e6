use cordon_collector::api::view;
use expect_test::expect;

use super::{gates, ids, moment};
use crate::render;

#[test]
fn a_timeline_names_each_thing_once() {
    let entry = |object: &str| view::Entry {
        number: 1,
        at: String::new(),
        recorded: String::new(),
        kind: String::new(),
        actor: String::new(),
        text: String::new(),
        object: object.to_owned(),
    };
    let timeline = ["incident a", "detection b", "command c", "detection d", "detection b"];
    let timeline = timeline.map(entry);
    assert_eq!(ids(&timeline, "detection"), ["b", "d"]);
    assert_eq!(ids(&timeline, "command"), ["c"]);
}

#[test]
fn each_thing_that_a_phase_waits_for_has_a_line() {
    let gate = |phase: &str, needs: &[&str], rests_on: &[&str]| view::Gate {
        phase: phase.to_owned(),
        is_open: !needs.is_empty(),
        needs: needs.iter().map(|it| (*it).to_owned()).collect(),
        rests_on: rests_on.iter().map(|it| (*it).to_owned()).collect(),
    };
    let phase = |phase: &str, state: &str| view::Phase {
        phase: phase.to_owned(),
        state: state.to_owned(),
        since: String::new(),
    };
    let incident = view::Incident {
        phases: vec![phase("preparation", "done"), phase("identification", "active")],
        ..view::Incident::default()
    };
    let whole = view::WholeIncident {
        incident,
        gates: vec![
            gate("preparation", &[], &["`ada` leads it", "a keyring is in force"]),
            gate("identification", &["nobody said what it is", "and why"], &["in scope: `web-1`"]),
        ],
        scope: Vec::new(),
        indicators: Vec::new(),
        sweep: view::Sweep::default(),
        rescan: view::Sweep::default(),
        tasks: Vec::new(),
        notes: Vec::new(),
        passages: Vec::new(),
    };
    expect![[r#"
        PHASE           STATE   GATE    WHAT
        preparation     done    closed  `ada` leads it; a keyring is in force
        identification  active  open    nobody said what it is
        identification  active  open    and why"#]]
    .assert_eq(&render::rows(&gates(&whole), None));
}

#[test]
fn a_day_is_its_first_moment() {
    assert_eq!(moment("2026-12-31"), "2026-12-31T00:00:00Z");
    assert_eq!(moment("2026-12-31T09:00:00Z"), "2026-12-31T09:00:00Z");
}
