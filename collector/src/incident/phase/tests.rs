use cordon_shared::{
    event::receipt::Verdict,
    incident::{Phase, PhaseState, Phases},
    time::Timestamp,
};
use expect_test::{expect, expect_file};
use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};

use super::{Deed, Trigger, found, next, opening};
use crate::incident::gate::{Gate, Passage};

const STATES: [PhaseState; 4] =
    [PhaseState::Pending, PhaseState::Active, PhaseState::Done, PhaseState::Reopened];

const DEEDS: [Deed; 4] = [Deed::Contains, Deed::Removes, Deed::Restores, Deed::Looks];

const VERDICTS: [Verdict; 7] = [
    Verdict::Complete,
    Verdict::Partial,
    Verdict::Failed,
    Verdict::Refused,
    Verdict::Expired,
    Verdict::Unknown,
    Verdict::Planned,
];

/// A gate at which nothing is missing, or something is.
fn gate(phase: Phase, is_open: bool) -> Gate {
    Gate { phase, is_open, needs: Vec::new(), rests_on: Vec::new() }
}

/// Every trigger but the passages.
fn triggers() -> Vec<Trigger> {
    let mut triggers = vec![
        Trigger::Joined,
        Trigger::Relapsed,
        Trigger::Widened,
        Trigger::Led,
        Trigger::Judged,
        Trigger::Hit,
        Trigger::Lapsed,
        Trigger::Watched,
        Trigger::Reported,
        Trigger::Resumed,
    ];
    triggers.extend(DEEDS.map(Trigger::Ordered));
    for deed in DEEDS {
        triggers.extend(VERDICTS.map(|it| Trigger::Answered(deed, it)));
    }
    triggers
}

fn passages() -> Vec<Trigger> {
    let passage = |phase| gate(phase, false).passage().map(Trigger::Passed);
    Phase::ALL.into_iter().filter_map(passage).collect()
}

fn named(trigger: Trigger) -> String {
    match trigger {
        Trigger::Passed(passage) => format!("Passed({})", passage.phase().as_str()),
        other @ (Trigger::Joined
        | Trigger::Relapsed
        | Trigger::Widened
        | Trigger::Led
        | Trigger::Judged
        | Trigger::Ordered(_)
        | Trigger::Answered(..)
        | Trigger::Hit
        | Trigger::Lapsed
        | Trigger::Watched
        | Trigger::Reported
        | Trigger::Resumed) => format!("{other:?}"),
    }
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

/// The whole table: for each trigger and phase, what becomes of each of the four states. A trigger
/// below which nothing stands moves nothing.
#[test]
fn in_1_the_table_of_phases() {
    let mut table = String::new();
    for trigger in triggers().into_iter().chain(passages()) {
        table.push_str(&named(trigger));
        table.push('\n');
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
    expect_file!["table.txt"].assert_eq(&table);
}

#[test]
fn a_detection_of_what_happened_after_containment_was_closed_is_a_relapse() {
    let at = |seconds: i64| Timestamp::from_ns(seconds * 1_000_000_000);
    let mut phases = opening().map(|state| (state, at(0)));
    assert_eq!(found(&phases, at(50)), Trigger::Joined);
    phases[Phase::Containment.index()] = (PhaseState::Done, at(40));
    assert_eq!(found(&phases, at(30)), Trigger::Joined);
    assert_eq!(found(&phases, at(40)), Trigger::Joined);
    assert_eq!(found(&phases, at(41)), Trigger::Relapsed);
}

#[test]
fn a_way_past_a_gate_takes_a_reason_and_a_way_through_takes_its_evidence() {
    let (open, shut) = (gate(Phase::Containment, true), gate(Phase::Containment, false));
    assert_eq!(open.passage(), None);
    assert_eq!(open.overridden(" \n\t"), None);
    assert!(open.overridden("the host burnt down").is_some_and(Passage::is_override));
    assert!(shut.passage().is_some_and(|it| !it.is_override()));
}

/// What happens to an incident: a trigger, or somebody at a gate that is open or not, with a reason or
/// without.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Trigger(usize),
    Gate(usize, bool, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let trigger = (0..triggers().len()).prop_map(Happening::Trigger);
    let gate = (0..6_usize, prop::bool::ANY, prop::bool::ANY)
        .prop_map(|(phase, is_open, has_reason)| Happening::Gate(phase, is_open, has_reason));
    prop::strategy::Union::new([trigger.boxed(), gate.boxed()])
}

proptest! {
    /// Whatever happens in whatever order: a phase is done only after its own gate had nothing
    /// missing, or a person gave a reason; and what is done is undone only into `reopened`.
    #[test]
    fn in_1_nothing_is_done_without_its_gate(
        happenings in prop::collection::vec(happening(), 0..64)
    ) {
        let mut phases: Phases = opening();
        for happening in happenings {
            let (trigger, may_close) = match happening {
                Happening::Trigger(number) => (Some(triggers()[number]), None),
                Happening::Gate(number, is_open, has_reason) => {
                    let phase = Phase::ALL[number];
                    let gate = gate(phase, is_open);
                    let reason = if has_reason { "a reason" } else { " " };
                    let passage = gate.passage().or_else(|| gate.overridden(reason));
                    prop_assert_eq!(passage.is_some(), !is_open || has_reason);
                    (passage.map(Trigger::Passed), passage.map(|_| phase))
                }
            };
            let Some(trigger) = trigger else { continue };
            let after = next(&phases, trigger).unwrap_or(phases);
            for phase in Phase::ALL {
                let (was, is) = (phases[phase.index()], after[phase.index()]);
                let is_closed = was != PhaseState::Done && is == PhaseState::Done;
                prop_assert!(!is_closed || may_close == Some(phase), "{:?} closes {:?}", trigger, phase);
                let is_left = was == PhaseState::Done && is != PhaseState::Done;
                prop_assert!(!is_left || is == PhaseState::Reopened);
                prop_assert!(was == PhaseState::Pending || is != PhaseState::Pending);
            }
            phases = after;
        }
    }
}
