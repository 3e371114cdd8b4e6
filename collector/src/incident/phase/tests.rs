use cordon_shared::{
    event::receipt::Verdict,
    incident::{Phase, PhaseState},
};
use expect_test::expect;

use super::{Trigger, next, opening};

const STATES: [PhaseState; 4] =
    [PhaseState::Pending, PhaseState::Active, PhaseState::Done, PhaseState::Reopened];

fn triggers() -> Vec<Trigger> {
    let verdicts = [
        Verdict::Complete,
        Verdict::Partial,
        Verdict::Failed,
        Verdict::Refused,
        Verdict::Expired,
        Verdict::Unknown,
        Verdict::Planned,
    ];
    let mut triggers = vec![Trigger::Joined, Trigger::Ordered];
    triggers.extend(verdicts.map(Trigger::Answered));
    triggers
}

#[test]
fn an_incident_opens_in_identification() {
    let shown: Vec<_> = Phase::ALL
        .into_iter()
        .zip(opening())
        .map(|(phase, state)| format!("{} {}", phase.as_str(), state.as_str()))
        .collect();
    expect![[r#"
        preparation pending
        identification active
        containment pending
        eradication pending
        recovery pending
        lessons_learned pending"#]]
    .assert_eq(&shown.join("\n"));
}

/// The whole table: for each trigger and phase, what becomes of each of the four states.
#[test]
fn in_1_the_table_of_phases() {
    let mut table = String::new();
    for trigger in triggers() {
        table.push_str(&format!("{trigger:?}\n"));
        for phase in Phase::ALL {
            let row: Vec<_> = STATES
                .into_iter()
                .filter_map(|before| {
                    let mut phases = opening();
                    phases[phase.index()] = before;
                    let after = next(&phases, trigger)?[phase.index()];
                    (after != before).then(|| format!("{} → {}", before.as_str(), after.as_str()))
                })
                .collect();
            if !row.is_empty() {
                table.push_str(&format!("  {}: {}\n", phase.as_str(), row.join(", ")));
            }
        }
    }
    expect![[r#"
        Joined
          identification: done → reopened
          containment: done → reopened
        Ordered
          containment: pending → active, done → reopened
        Answered(Complete)
          containment: pending → active
        Answered(Partial)
          containment: pending → active, done → reopened
        Answered(Failed)
          containment: pending → active, done → reopened
        Answered(Refused)
        Answered(Expired)
        Answered(Unknown)
          containment: pending → active, done → reopened
        Answered(Planned)
    "#]]
    .assert_eq(&table);
}

#[test]
fn in_1_no_trigger_of_a_receipt_closes_a_phase() {
    for trigger in triggers() {
        for state in STATES {
            let after = next(&[state; 6], trigger).unwrap_or([state; 6]);
            let is_closed = after.iter().any(|it| *it == PhaseState::Done && state != *it);
            assert!(!is_closed, "{trigger:?} closes a phase that was {state:?}");
        }
    }
}
