//! Recovery, lessons learned, and the gates that a host has of its own.

use cordon_shared::incident::{Phase, TaskKind};
use expect_test::expect;

use super::{at, check, clean, done, facts};
use crate::incident::gate::{Sweep, TaskFacts, all, host};

#[test]
fn recovery_asks_for_no_hold_no_open_weakness_and_a_quiet_watch_that_was_not_blind() {
    let mut facts = facts();
    done(&mut facts, &[Phase::Containment, Phase::Eradication]);
    let task = |number, kind, is_done| TaskFacts {
        number,
        kind,
        title: format!("task {number}"),
        has_owner: false,
        has_due: false,
        is_done,
    };
    facts.hosts[0].holds = vec!["isolate c1".to_owned(), "suspend c2".to_owned()];
    facts.tasks = vec![
        task(1, TaskKind::Weakness, false),
        task(2, TaskKind::Credential, true),
        task(3, TaskKind::ActionItem, false),
    ];
    facts.watch = None;
    check(
        &facts,
        &[Phase::Recovery],
        &expect![[r#"
        recovery open
          - `web-1` is still held by `isolate c1`, `suspend c2`: `cordon release web-1 --incident INC`, or `resume`
          - weakness 1 is not done: task 1: `cordon incident task INC --done 1`
          - no watch window was begun: `cordon incident phase INC recovery --watch 24h`
    "#]],
    );
    facts.hosts[0].holds.clear();
    facts.tasks.remove(0);
    let mut cases = String::new();
    for (what, watch, last_detected, last_seen) in [
        ("it goes on", (100, 260), 1, Some(200)),
        ("it was not quiet", (100, 160), 120, Some(200)),
        ("it was blind", (100, 160), 1, Some(150)),
        ("no agent", (100, 160), 1, None),
    ] {
        facts.watch = Some((at(watch.0), at(watch.1)));
        facts.last_detected = Some(at(last_detected));
        facts.hosts[0].last_seen = last_seen.map(at);
        let [.., recovery, _] = all(&facts);
        cases.push_str(&format!("{what}: {}\n", recovery.needs.join("; ")));
    }
    expect![[r#"
        it goes on: the watch window goes on until 2025-11-24T20:20:00.000Z
        it was not quiet: something was detected in the watch window: begin anew: `cordon incident phase INC recovery --watch 24h`
        it was blind: the watch was blind: `web-1` did not speak since its end
        no agent: the watch was blind: `web-1` did not speak since its end
    "#]].assert_eq(&cases);
    done(&mut facts, &[Phase::Recovery]);
    check(
        &facts,
        &[Phase::Recovery, Phase::LessonsLearned],
        &expect![[r#"
        recovery closed
          + passed
        lessons_learned open
          - action item 3 lacks owner or date: task 3: `cordon incident task INC --change 3 --owner PERSON --due DAY`
          + a report was written at 2025-11-24T19:10:00.000Z
    "#]],
    );
}

#[test]
fn a_host_has_gates_of_its_own() {
    let mut facts = facts();
    let mut text = String::new();
    for is_rescanned in [false, true] {
        facts.rescan = if is_rescanned { clean() } else { Sweep::default() };
        for phase in Phase::ALL {
            let gate = host(phase, &facts.hosts[0], &facts);
            text.push_str(&format!("{}: {}\n", phase.as_str(), gate.needs.join("; ")));
        }
        done(&mut facts, &[Phase::Containment, Phase::Eradication]);
    }
    expect![[r#"
        preparation: 
        identification: 
        containment: 
        eradication: `web-1` did not answer a re-scan with clean; containment is not closed
        recovery: eradication is not closed
        lessons_learned: 
        preparation: 
        identification: 
        containment: 
        eradication: 
        recovery: 
        lessons_learned: 
    "#]]
    .assert_eq(&text);
}
