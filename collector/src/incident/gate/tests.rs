use std::time::Duration;

use cordon_shared::{
    incident::{Declaration, Phase, PhaseState, Verdict},
    time::Timestamp,
};
use expect_test::{Expect, expect};

use super::{Facts, HostFacts, Proof, Sweep, Swept, all};
use crate::incident::phase;

mod later;

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_ns(1_764_000_000_000_000_000).saturating_add(Duration::from_secs(minutes * 60))
}

fn swept(name: &str, is_in_scope: bool) -> Swept {
    Swept { name: name.to_owned(), is_in_scope, is_declared: false }
}

fn clean() -> Sweep {
    Sweep { clean: vec![swept("web-1", true), swept("db-1", false)], ..Sweep::default() }
}

fn web() -> HostFacts {
    HostFacts {
        name: "web-1".to_owned(),
        phases: [PhaseState::Pending; 6],
        declared: None,
        containment: Proof::Yes("the one process that was detected is ended".to_owned()),
        snapshot: Proof::Yes("snapshot c5".to_owned()),
        unremoved: Vec::new(),
        holds: Vec::new(),
        last_seen: Some(at(200)),
    }
}

/// An incident with a verdict and a lead, of which all that is needed is there, and no phase is done.
fn facts() -> Facts {
    Facts {
        id: "INC".to_owned(),
        now: at(200),
        phases: phase::opening(),
        lead: Some("ada".to_owned()),
        persons: Some(2),
        verdict: Some(Verdict::TruePositive),
        hosts: vec![web()],
        questions: 1,
        sweep: clean(),
        rescan: clean(),
        tasks: Vec::new(),
        watch: Some((at(100), at(160))),
        last_detected: Some(at(1)),
        reported: Some(at(190)),
    }
}

fn done(facts: &mut Facts, phases: &[Phase]) {
    for phase in phases {
        facts.phases[phase.index()] = PhaseState::Done;
        for host in &mut facts.hosts {
            host.phases[phase.index()] = PhaseState::Done;
        }
    }
}

/// Each gate of the case, with what is missing (-) and what is there (+); those that `but` names are
/// all that is shown.
#[track_caller]
fn check(facts: &Facts, only: &[Phase], want: &Expect) {
    let mut text = String::new();
    for gate in all(facts).into_iter().filter(|it| only.contains(&it.phase)) {
        let state = if gate.is_open { "open" } else { "closed" };
        text.push_str(&format!("{} {state}\n", gate.phase.as_str()));
        gate.needs.iter().for_each(|it| text.push_str(&format!("  - {it}\n")));
        gate.rests_on.iter().for_each(|it| text.push_str(&format!("  + {it}\n")));
        assert_eq!(gate.is_open, gate.passage().is_none());
    }
    want.assert_eq(&text);
}

const UP_TO_ERADICATION: &[Phase] = &[Phase::Containment];

#[test]
fn an_incident_that_was_just_opened_says_what_each_phase_waits_for() {
    let facts = Facts {
        lead: None,
        persons: None,
        verdict: None,
        hosts: vec![HostFacts {
            containment: Proof::No("nothing contains it".to_owned()),
            snapshot: Proof::No("none was taken".to_owned()),
            ..web()
        }],
        questions: 0,
        sweep: Sweep::default(),
        rescan: Sweep::default(),
        watch: None,
        reported: None,
        ..facts()
    };
    check(
        &facts,
        &Phase::ALL,
        &expect![[r#"
        preparation open
          - nobody leads it: `cordon incident assign INC PERSON`
          - no keyring is in force, so no agent obeys anybody: install one
        identification open
          - nobody said what it is: `cordon incident verdict INC VERDICT --reason TEXT`
          + in scope: `web-1`
        containment open
          - `web-1` is not proved contained (nothing contains it): `cordon isolate web-1 --incident INC`, or `cordon incident scope INC --declare web-1=off|gone|contained_elsewhere`
          - there is no digest or path to sweep for: `cordon incident scope INC --sha256 DIGEST` or `--path PATH`
        eradication open
          - containment is not closed
          - no snapshot of `web-1` came first (none was taken): `cordon snapshot web-1 --incident INC`
          - there is no digest or path to re-scan for
        recovery open
          - eradication is not closed
          - no watch window was begun: `cordon incident phase INC recovery --watch 24h`
        lessons_learned open
          - recovery is not closed
          - no report was written: `cordon report INC`
    "#]],
    );
}

#[test]
fn with_all_evidence_each_gate_opens_once_the_one_before_is_closed() {
    let mut facts = facts();
    check(
        &facts,
        &Phase::ALL,
        &expect![[r#"
        preparation closed
          + `ada` leads it
          + a keyring is in force, and 2 may contain
        identification closed
          + verdict: true_positive
          + in scope: `web-1`
        containment closed
          + `web-1`: the one process that was detected is ended
          + sweep: 0 hit, 2 clean, 0 unanswered
        eradication open
          - containment is not closed
          + `web-1`: snapshot c5
          + sweep: 0 hit, 2 clean, 0 unanswered
        recovery open
          - eradication is not closed
          + quiet from 2025-11-24T17:40:00.000Z to 2025-11-24T18:40:00.000Z
        lessons_learned open
          - recovery is not closed
          + a report was written at 2025-11-24T19:10:00.000Z
    "#]],
    );
    done(&mut facts, &[Phase::Containment]);
    check(
        &facts,
        &[Phase::Eradication],
        &expect![[r#"
        eradication closed
          + `web-1`: snapshot c5
          + sweep: 0 hit, 2 clean, 0 unanswered
    "#]],
    );
    done(&mut facts, &[Phase::Eradication]);
    check(
        &facts,
        &[Phase::Recovery],
        &expect![[r#"
        recovery closed
          + no hold is left
          + quiet from 2025-11-24T17:40:00.000Z to 2025-11-24T18:40:00.000Z
    "#]],
    );
    done(&mut facts, &[Phase::Recovery]);
    check(
        &facts,
        &[Phase::LessonsLearned],
        &expect![[r#"
        lessons_learned closed
          + a report was written at 2025-11-24T19:10:00.000Z
    "#]],
    );
}

#[test]
fn what_is_no_true_positive_asks_for_no_more_than_that_nothing_is_held() {
    let mut facts = Facts {
        verdict: Some(Verdict::Benign),
        questions: 0,
        sweep: Sweep::default(),
        watch: None,
        reported: None,
        ..facts()
    };
    facts.hosts[0].holds = vec!["isolate c1".to_owned()];
    facts.hosts[0].containment = Proof::No("nothing contains it".to_owned());
    check(
        &facts,
        &Phase::ALL,
        &expect![[r#"
        preparation closed
          + `ada` leads it
          + a keyring is in force, and 2 may contain
        identification closed
          + verdict: benign
          + in scope: `web-1`
        containment closed
          + not needed: it is no true positive
        eradication closed
          + not needed: it is no true positive
        recovery open
          - `web-1` is still held by `isolate c1`: `cordon release web-1 --incident INC`, or `resume`
        lessons_learned closed
          + not needed: it is no true positive
    "#]],
    );
}

#[test]
fn a_host_that_is_not_proved_contained_is_named_and_partial_is_not_proof() {
    let mut facts = facts();
    let open = |name: &str, why: &str| HostFacts {
        name: name.to_owned(),
        containment: Proof::No(why.to_owned()),
        ..web()
    };
    facts.hosts.push(open("db-1", "isolate c2 is partial: open: udp to 192.0.2.7"));
    facts.hosts.push(open("db-2", "isolate c3 has no receipt yet"));
    let declared = |name: &str, is_confirmed| HostFacts {
        declared: Some((Declaration::Off, is_confirmed)),
        ..open(name, "it has no agent")
    };
    facts.hosts.push(declared("nas", false));
    facts.hosts.push(declared("tape", true));
    check(
        &facts,
        UP_TO_ERADICATION,
        &expect![[r#"
        containment open
          - `db-1` is not proved contained (isolate c2 is partial: open: udp to 192.0.2.7): `cordon isolate db-1 --incident INC`, or `cordon incident scope INC --declare db-1=off|gone|contained_elsewhere`
          - `db-2` is not proved contained (isolate c3 has no receipt yet): `cordon isolate db-2 --incident INC`, or `cordon incident scope INC --declare db-2=off|gone|contained_elsewhere`
          - `nas` is declared off by one person: a second one says so too: `cordon incident scope INC --confirm nas`
          + `web-1`: the one process that was detected is ended
          + `tape` is declared off
          + sweep: 0 hit, 2 clean, 0 unanswered
    "#]],
    );
}

#[test]
fn hit_clean_and_unanswered_are_counted_apart() {
    let mut facts = facts();
    let mut declared = swept("nas", true);
    declared.is_declared = true;
    facts.sweep = Sweep {
        hit: vec![swept("db-2", false), swept("web-1", true)],
        clean: vec![swept("db-1", false)],
        unanswered: vec![swept("web-1", true), swept("far-1", false)],
        waiting: vec![swept("far-2", false)],
        unasked: (1..=7).map(|it| swept(&format!("new-{it}"), false)).chain([declared]).collect(),
    };
    check(
        &facts,
        UP_TO_ERADICATION,
        &expect![[r#"
        containment open
          - the fleet was not swept: `new-1`, `new-2`, `new-3`, `new-4`, `new-5` and 2 more not asked for all digests and paths: `cordon sweep INC`
          - a sweep waits for `far-2`: until it answers or its command ends
          - in scope and swept without an answer: `web-1`: `cordon sweep INC` again
          - a sweep hit `db-2`, not in scope: `cordon incident scope INC --add HOST`
          + `web-1`: the one process that was detected is ended
          + sweep: 2 hit, 1 clean, 3 unanswered
    "#]],
    );
    facts.sweep = Sweep {
        clean: vec![swept("web-1", true)],
        unanswered: vec![swept("far-1", false)],
        ..Sweep::default()
    };
    check(
        &facts,
        UP_TO_ERADICATION,
        &expect![[r#"
        containment closed
          + `web-1`: the one process that was detected is ended
          + sweep: 0 hit, 1 clean, 1 unanswered
    "#]],
    );
}

#[test]
fn eradication_asks_for_a_snapshot_first_whole_removals_and_a_clean_re_scan() {
    let mut facts = facts();
    done(&mut facts, &[Phase::Containment]);
    facts.hosts[0].snapshot = Proof::No("it came after the first removal".to_owned());
    facts.hosts[0].unremoved = vec!["remove c7 is partial: the file came back".to_owned()];
    facts.rescan =
        Sweep { hit: vec![swept("web-1", true), swept("db-1", false)], ..Sweep::default() };
    check(
        &facts,
        &[Phase::Eradication],
        &expect![[r#"
        eradication open
          - no snapshot of `web-1` came first (it came after the first removal): `cordon snapshot web-1 --incident INC`
          - on `web-1`: remove c7 is partial: the file came back
          - a re-scan still finds it on `web-1`, `db-1`: remove it there, sweep again
          + sweep: 2 hit, 0 clean, 0 unanswered
    "#]],
    );
    facts.rescan = Sweep { unasked: vec![swept("web-1", true)], ..Sweep::default() };
    facts.hosts[0] = web();
    check(
        &facts,
        &[Phase::Eradication],
        &expect![[r#"
        eradication open
          - no re-scan since the last removal: `web-1` not asked for all digests and paths: `cordon sweep INC`
          + `web-1`: snapshot c5
          + sweep: 0 hit, 0 clean, 0 unanswered
    "#]],
    );
}
