use std::time::Duration;

use cordon_shared::{
    command::action::{Action, ProcessTarget},
    detection::{Basis, Detection, RuleSummary, Severity, Subject},
    digest::Sha256,
    id::{BootId, ExerciseId, HostId, IncidentId},
    keyring::{Keyring, author},
    test_support::order,
};
use expect_test::{Expect, expect};

use super::{Ground, Host, decide};

/// The sample keyring, with a rule armed that the sample detection is of.
fn keyring(change: impl FnOnce(&mut author::Draft)) -> Keyring {
    let mut draft = order::draft();
    change(&mut draft);
    let keys = [1, 3, 4].map(order::key);
    Keyring::open(&author::sign(&draft, &keys), &order::roots()).unwrap()
}

fn detection(age_s: u64) -> Detection {
    let event = order::cited();
    Detection {
        id: Detection::id_of("reverse-shell", event),
        rule: RuleSummary {
            id: "reverse-shell".to_owned(),
            sha256: Sha256::of(b"rule text"),
            title: "Shell on a socket".to_owned(),
            severity: Severity::High,
            techniques: Vec::new(),
        },
        basis: Basis::Event(event),
        agent: event.agent,
        host: HostId::from_slice(&[1; 16]).unwrap(),
        at: order::NOW.saturating_sub(Duration::from_secs(age_s)),
        subject: Some(Subject {
            key: Some(order::PROCESS),
            uid: order::PROCESS.uid(event.agent, BootId([7; 16])),
            ancestry: Vec::new(),
        }),
        exercise: None,
        summary: "/usr/bin/dash: sh -i (pid 4711)".to_owned(),
    }
}

fn stage(detection: &mut Detection) {
    detection.exercise = ExerciseId::from_slice(&[0xe0; 16]);
}

fn host() -> Host {
    let target = order::target();
    Host { name: target.host_name, tier: target.host_tier, is_revoked: false, deeds: 0 }
}

/// Decides, and says it in one line.
fn decided(keyring: Option<&Keyring>, host: &Host, detection: &Detection) -> String {
    let ground = Ground { keyring, automation: order::key(6).public(), host, now: order::NOW };
    let incident = IncidentId::from_slice(&[2; 16]).unwrap();
    match decide(detection, incident, &ground) {
        Ok(order) => {
            let lifetime = order.lifetime.as_secs();
            format!("{} for {} s", order.action.name(), lifetime)
        }
        Err(why) => why.to_string(),
    }
}

#[track_caller]
fn check(cases: &[(&str, String)], want: &Expect) {
    let lines: Vec<_> = cases.iter().map(|(what, said)| format!("{what}: {said}")).collect();
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn the_table_of_decisions() {
    let armed = keyring(|_| ());
    let disarmed = keyring(|draft| draft.members.armed.clear());
    let without = keyring(|draft| draft.members.keys.retain(|it| it.holder != "automation"));
    let short = keyring(|draft| {
        draft.policy.automation.iter_mut().for_each(|it| {
            it.citation_age_max = Duration::from_secs(10);
        });
    });
    let on = |change: fn(&mut Host)| {
        let mut host = host();
        change(&mut host);
        host
    };
    let but = |change: fn(&mut Detection)| {
        let mut detection = detection(0);
        change(&mut detection);
        detection
    };
    let say = |keyring: &Keyring, host: &Host, detection: &Detection| {
        decided(Some(keyring), host, detection)
    };
    check(
        &[
            ("armed and fresh", say(&armed, &host(), &detection(0))),
            ("20 s old", say(&armed, &host(), &detection(20))),
            ("60 s old", say(&armed, &host(), &detection(60))),
            ("20 s old, and the keyring permits 10", say(&short, &host(), &detection(20))),
            (
                "from ahead of our clock",
                say(
                    &armed,
                    &host(),
                    &but(|it| it.at = order::NOW.saturating_add(Duration::from_secs(5))),
                ),
            ),
            ("no keyring", decided(None, &host(), &detection(0))),
            ("not armed", say(&disarmed, &host(), &detection(0))),
            (
                "armed in another form",
                say(&armed, &host(), &but(|it| it.rule.sha256 = Sha256::of(b"x"))),
            ),
            ("automation is not in the keyring", say(&without, &host(), &detection(0))),
            ("revoked", say(&armed, &on(|it| it.is_revoked = true), &detection(0))),
            ("about no process", say(&armed, &host(), &but(|it| it.subject = None))),
            ("part of an exercise", say(&armed, &host(), &but(stage))),
            (
                "on the critical tier",
                say(&armed, &on(|it| it.tier = "critical".to_owned()), &detection(0)),
            ),
            ("one below the total", say(&armed, &on(|it| it.deeds = 1), &detection(0))),
            ("at the total", say(&armed, &on(|it| it.deeds = 2), &detection(0))),
        ],
        &expect![[r#"
            armed and fresh: kill for 60 s
            20 s old: kill for 40 s
            60 s old: the event was 60 s old, at most 60 s may be cited
            20 s old, and the keyring permits 10: the event was 20 s old, at most 10 s may be cited
            from ahead of our clock: kill for 60 s
            no keyring: no keyring is in force
            not armed: rule `reverse-shell` is not armed
            armed in another form: rule `reverse-shell` was changed after it was armed
            automation is not in the keyring: the keyring in force does not hold automation's key
            revoked: the agent is revoked
            about no process: the detection names no process
            part of an exercise: the event belongs to exercise `e0e0e0e0-e0e0-e0e0-e0e0-e0e0e0e0e0e0`
            on the critical tier: automation may kill nothing on hosts of tier `critical`
            one below the total: kill for 60 s
            at the total: automation has used up its 2 kills and suspensions of this hour"#]],
    );
}

#[test]
fn an_order_names_the_host_the_tree_and_the_event_that_it_rests_on() {
    let (keyring, host) = (keyring(|_| ()), host());
    let ground = Ground {
        keyring: Some(&keyring),
        automation: order::key(6).public(),
        host: &host,
        now: order::NOW,
    };
    let incident = IncidentId::from_slice(&[2; 16]).unwrap();
    let detection = Detection { summary: "ä".repeat(600), ..detection(1) };
    let order = decide(&detection, incident, &ground).unwrap();
    assert_eq!(order.incident, Some(incident));
    assert_eq!(order.targets, [order::target()]);
    let tree = ProcessTarget { process: order::PROCESS, is_tree: true };
    assert_eq!(order.action, Action::Kill(tree));
    assert_eq!(order.citation.event, order::cited());
    assert_eq!(order.citation.rule_sha256, detection.rule.sha256);
    assert!(order.reason.len() <= 512 && order.reason.starts_with("Shell on a socket: ää"));
}
