//! An incident that really happened is written up: by the tool, for a browser, for scripts.

use std::time::Duration;

use cordon_tests::{
    activity::Deed,
    child::degraded,
    testbed::{SOON, Testbed},
    wait,
};
use serde_json::Value;

const A_WHILE: Duration = Duration::from_secs(60);

/// The report in a form, as `cordon report` prints it.
fn printed(testbed: &Testbed, incident: &str, format: &str) -> String {
    let report = testbed.cordon().unwrap();
    report
        .args(["report", incident, "--format", format])
        .run(SOON)
        .unwrap()
        .expect_success()
        .unwrap()
}

#[test]
fn a_killed_shell_is_written_up_with_its_proof_its_times_and_its_parents() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a report of a staged attack", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    testbed.arm_shell_rule(&agent).unwrap();
    agent.does(Deed::CaughtShell, "shell", 1, A_WHILE).unwrap();

    let report = wait::until("the report has the receipt and the shell's end", A_WHILE, || {
        let incidents = testbed.api().get("/api/v1/incidents").map_err(|it| it.to_string())?;
        let id = incidents["items"][0]["incident_id"].as_str().ok_or("no incident yet")?;
        let path = format!("/api/v1/incidents/{id}/report?format=json");
        let report = testbed.api().get(&path).map_err(|it| it.to_string())?;
        let has_steps = report["commands"][0]["steps"].as_array().is_some_and(|it| !it.is_empty());
        let processes = report["processes"].as_array().into_iter().flatten();
        let is_seen = processes.clone().any(|it| it["ending"] == "ended by signal 9");
        if has_steps && is_seen { Ok(report) } else { Err(report.to_string()) }
    })
    .unwrap();

    let command = &report["commands"][0];
    assert_eq!(command["verdict"], "complete");
    assert!(command["signers"][0].as_str().unwrap().starts_with("automation (key "));
    let clock = |name: &str| {
        let clocks = report["clocks"].as_array().unwrap();
        clocks.iter().find(|it| it["clock"] == name).unwrap().clone()
    };
    assert!(clock("MTTD")["duration_ms"].is_u64() && clock("MTTC")["duration_ms"].is_u64());
    assert_eq!(clock("MTTE")["duration_ms"], Value::Null);
    let processes = report["processes"].as_array().unwrap();
    let shell = processes.iter().find(|it| it["ending"] == "ended by signal 9").unwrap();
    assert!(!shell["detections"].as_array().unwrap().is_empty());
    assert!(processes.iter().any(|it| it["process_uid"] == shell["parent_uid"]));

    let id = report["incident"]["incident_id"].as_str().unwrap();
    let page = printed(&testbed, id, "html");
    for it in ["<!DOCTYPE html>", "What remains", "complete", "ended by signal 9", "<svg"] {
        assert!(page.contains(it), "{it}");
    }
    for it in ["<script", " src=", " href="] {
        assert!(!page.contains(it), "{it}");
    }
    assert!(printed(&testbed, id, "md").contains("| MTTE | first event to eradicated | not yet |"));
}
