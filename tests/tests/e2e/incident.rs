//! The life of an incident as a responder leads it: a real detection opens it, its gates refuse what is
//! not proved, and what goes past them is on record.

use std::time::Duration;

use cordon_tests::{
    activity::Deed,
    child::{Output, degraded},
    testbed::{Agent, SOON, Testbed},
    wait,
};
use serde_json::Value;

const A_WHILE: Duration = Duration::from_secs(60);

/// Has `cordon` do something.
fn cordon(testbed: &Testbed, arguments: &[&str]) -> Output {
    testbed.cordon().unwrap().args(arguments).run(SOON).unwrap()
}

/// The one object that it prints.
fn shown(testbed: &Testbed, arguments: &[&str]) -> Value {
    let done = cordon(testbed, &[&["--output", "json"], arguments].concat());
    assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", done.stderr);
    let mut shown: Vec<Value> = serde_json::from_str(&done.stdout).unwrap();
    assert!(!shown.is_empty(), "{arguments:?}");
    shown.remove(0)
}

/// What it says when it refuses.
fn refused(testbed: &Testbed, arguments: &[&str]) -> String {
    let done = cordon(testbed, arguments);
    assert_eq!(done.status.code(), Some(3), "{arguments:?}: {} {}", done.stdout, done.stderr);
    done.stderr
}

fn state(incident: &Value, phase: &str) -> String {
    let phases = incident["phases"].as_array().unwrap();
    let found = phases.iter().find(|it| it["phase"] == phase).unwrap();
    found["state"].as_str().unwrap().to_owned()
}

fn gate<'a>(incident: &'a Value, phase: &str) -> &'a Value {
    incident["gates"].as_array().unwrap().iter().find(|it| it["phase"] == phase).unwrap()
}

/// A host on which automation has killed a shell; and the incident of it.
fn incident() -> (Testbed, Agent, String) {
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    testbed.arm_shell_rule(&agent).unwrap();
    agent.does(Deed::CaughtShell, "shell", 1, A_WHILE).unwrap();
    let id = wait::until("the kill is answered for", SOON, || {
        let commands = testbed.api().get("/api/v1/commands").map_err(|it| it.to_string())?;
        let command = &commands["items"][0];
        match (command["verdict"].as_str(), command["incident_id"].as_str()) {
            (Some("complete"), Some(id)) => Ok(id.to_owned()),
            _ => Err(commands.to_string()),
        }
    });
    (testbed, agent, id.unwrap())
}

#[test]
fn an_incident_is_closed_on_evidence_or_by_a_person_who_says_why() {
    if let Some(why) = Testbed::degraded() {
        return degraded("an incident that a staged attack opens", why);
    }
    let (testbed, _agent, id) = incident();
    let id = id.as_str();

    let said = refused(&testbed, &["incident", "close", id]);
    for gate in ["preparation: nobody leads it", "identification: nobody said what it is"] {
        assert!(said.contains(gate), "{said}");
    }
    assert!(said.contains("containment") && said.contains("lessons_learned"), "{said}");
    let said = refused(&testbed, &["incident", "phase", id, "containment"]);
    assert!(said.contains("the gate of containment is open"), "{said}");

    shown(&testbed, &["incident", "assign", id, "ada"]);
    shown(&testbed, &["incident", "note", id, "seen on the proxy too"]);
    shown(&testbed, &["incident", "task", id, "--add", "rotate the key", "--kind", "credential"]);
    let verdict = ["--reason", "nobody of us did that"];
    let it =
        shown(&testbed, &[&["incident", "verdict", id, "true_positive"], &verdict[..]].concat());
    assert_eq!(it["verdict"], "true_positive");
    assert_eq!(gate(&it, "identification")["is_open"], false, "{it}");
    // What was detected is ended, and the fleet was not asked.
    let digest = "ab".repeat(32);
    let it = shown(&testbed, &["incident", "scope", id, "--sha256", &digest]);
    assert_eq!(it["scope"][0]["is_contained"], true, "{it}");
    let needs = gate(&it, "containment")["needs"].to_string();
    assert!(needs.contains("not swept") && !needs.contains("not proved contained"), "{needs}");
    let it = shown(&testbed, &["incident", "phase", id, "identification"]);
    assert_eq!(state(&it, "identification"), "done");

    let why = "the machine was scrapped";
    let it = shown(&testbed, &["incident", "close", id, "--override", why]);
    assert_eq!((&it["state"], &it["closed_reason"]), (&"closed".into(), &why.into()));
    assert_eq!(it["closed_by"], "admin");
    let passages = it["passages"].as_array().unwrap();
    let overridden = passages.iter().filter(|it| it["is_override"] == true).count();
    assert!(passages.len() == 6 && overridden >= 4, "{passages:?}");
    let said = refused(&testbed, &["incident", "note", id, "too late"]);
    assert!(said.contains("is closed"), "{said}");

    let done = cordon(&testbed, &["--output", "json", "incident", "timeline", id]);
    let timeline: Vec<Value> = serde_json::from_str(&done.stdout).unwrap();
    for kind in ["detection", "command", "receipt", "lead", "note", "task", "verdict", "close"] {
        let count = timeline.iter().filter(|it| it["kind"] == kind).count();
        assert_eq!(count, 1, "`{kind}` in {timeline:?}");
    }
    let numbers: Vec<_> = timeline.iter().filter_map(|it| it["number"].as_u64()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    let audit = shown(&testbed, &["audit", "verify"]);
    assert_eq!(audit["is_whole"], true);

    let it = shown(&testbed, &["incident", "reopen", id, "--reason", "it came back"]);
    assert_eq!(
        (it["state"].as_str(), state(&it, "identification")),
        (Some("open"), "reopened".into())
    );
}

#[test]
fn an_incident_that_is_none_closes_without_anything_done() {
    if let Some(why) = Testbed::degraded() {
        return degraded("an incident that is opened by hand", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    let it = shown(&testbed, &["incident", "open", "an odd login", "--host", agent.id()]);
    let id = it["incident_id"].as_str().unwrap();
    assert_eq!(it["scope"][0]["agent_id"], agent.id());
    shown(&testbed, &["incident", "assign", id, "ada"]);
    let reason = ["--reason", "it was the new backup"];
    shown(&testbed, &[&["incident", "verdict", id, "benign"], &reason[..]].concat());
    let said = cordon(&testbed, &["incident", "show", id]);
    assert!(said.stdout.contains("not needed: it is no true positive"), "{}", said.stdout);
    let closed = cordon(&testbed, &["--output", "json", "incident", "close", id]);
    // The testbed's keyring may hold no person: then preparation alone is open, and says so.
    if closed.status.code() == Some(3) {
        assert!(closed.stderr.contains("the gate of preparation is open"), "{}", closed.stderr);
        shown(&testbed, &["incident", "close", id, "--override", "nobody else is here"]);
    }
    let it = shown(&testbed, &["incident", "show", id]);
    assert_eq!(it["state"], "closed");
    assert_ne!(state(&it, "containment"), "done", "what was not gone through is not done");
}
