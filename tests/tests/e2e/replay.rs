//! `cordon detect`: rules over events in a file, without a collector; and over what a collector stored.

use std::{path::Path, time::Duration};

use cordon_shared::durable;
use cordon_tests::{
    activity::Deed,
    binary::Program,
    child::{Launch, Output, degraded},
    testbed::{SHELL_RULE, SOON, Testbed},
    wait,
};
use serde_json::{Value, json};

const A_WHILE: Duration = Duration::from_secs(60);

fn rule(id: &str, logsource: &str, image: &str) -> String {
    format!(
        "title: Launch of {image}\nid: {id}\nlevel: high\nlogsource: {{{logsource}}}\n\
         detection:\n  s: {{Image|endswith: {image}}}\n  condition: s\n"
    )
}

fn put(path: &Path, text: &[u8]) {
    durable::write(path, text, durable::MODE_PUBLIC).unwrap();
}

/// Two rules that load and one that does not.
fn rules(folder: &Path) {
    let launch = "product: linux, category: process_creation";
    put(&folder.join("a_nc.yml"), rule("nc", launch, "/nc").as_bytes());
    let bad = rule("bad", launch, "/nc").replace("high", "loud");
    put(&folder.join("b_bad.yml"), bad.as_bytes());
    let file = "product: linux, category: file_event";
    put(&folder.join("c_nc.yml"), rule("nc-file", file, "/nc").as_bytes());
}

fn run(arguments: &[&str]) -> Output {
    let launch = Launch::new("cordon", Program::Cordon.path().unwrap());
    launch.args(["--output", "json", "detect"]).args(arguments).run(SOON).unwrap()
}

fn matches(output: &Output) -> Vec<(u64, String)> {
    let found: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let of = |it: &Value| {
        (it["event_index"].as_u64().unwrap(), it["rule_id"].as_str().unwrap().to_owned())
    };
    found.iter().map(of).collect()
}

/// A frame with one block that is stored as it is (RFC 8878 section 3.1.1).
fn zstd(content: &[u8]) -> Vec<u8> {
    let size = u8::try_from(content.len()).unwrap();
    let block = (u32::from(size) << 3) | 1;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, size];
    frame.extend_from_slice(&block.to_le_bytes()[..3]);
    frame.extend_from_slice(content);
    frame
}

#[test]
fn rules_run_over_a_file_without_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let (at, path) = (|name: &str| folder.path().join(name), folder.path().display());
    std::fs::create_dir(at("rules")).unwrap();
    rules(&at("rules"));
    let good = "{\"Image\": \"/bin/nc\", \"log\": \"process_creation\"}\n\n\
                {\"Image\": \"/bin/sh\", \"log\": \"file_event\"}\n\
                {\"Image\": \"/usr/bin/NC\", \"log\": {\"category\": \"file_event\"}}\n";
    put(&at("good.jsonl"), good.as_bytes());
    put(&at("good.jsonl.zst"), &zstd(good.as_bytes()));
    let rules = format!("{path}/rules");
    let detect = |events: &str, more: &[&str]| {
        let events = format!("{path}/{events}");
        run(&[&["--rules", &rules, "--events", &events], more].concat())
    };

    let nc = |index, rule: &str| (index, rule.to_owned());
    for events in ["good.jsonl", "good.jsonl.zst"] {
        let found = detect(events, &["--logsource", "product=linux,category=process_creation"]);
        assert_eq!(found.code(), 0, "{}", found.stderr);
        assert_eq!(matches(&found), [nc(0, "nc"), nc(3, "nc")]);
        let named = "b_bad.yml: line 3: `level` must be informational";
        assert!(found.stderr.contains(named), "{}", found.stderr);
    }
    let found: Vec<Value> =
        serde_json::from_str(&detect("good.jsonl", &["--logsource", "file_event"]).stdout).unwrap();
    let first = json!({"event_index": 0, "rule_id": "nc-file", "rule_title": "Launch of /nc",
        "level": "high"});
    assert_eq!(found[0], first);
    let found = detect("good.jsonl", &["--logsource-field", "log"]);
    assert_eq!(matches(&found), [nc(0, "nc"), nc(3, "nc-file")]);
    let found = detect("good.jsonl", &[]);
    let all = [nc(0, "nc"), nc(0, "nc-file"), nc(3, "nc"), nc(3, "nc-file")];
    assert_eq!(matches(&found), all);
    assert_eq!(detect("good.jsonl", &["--logsource", "dns_query"]).code(), 2);
    assert_eq!(detect("gone.jsonl", &[]).code(), 5);
    let table = Launch::new("cordon", Program::Cordon.path().unwrap());
    let table = table.args(["detect", "--rules", &rules, "--events"]).args([at("good.jsonl")]);
    let table = table.run(SOON).unwrap().expect_success().unwrap();
    assert!(table.contains("Launch of /nc"), "{table}");
}

#[test]
fn a_bad_event_is_named_by_its_line_and_the_others_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let (rules_folder, events) = (folder.path().join("rules"), folder.path().join("e.jsonl"));
    std::fs::create_dir(&rules_folder).unwrap();
    rules(&rules_folder);
    put(&events, b"{\"Image\": \"/bin/nc\"}\n{\"Image\": \n[]\n{\"Image\": \"/bin/nc\"}\n");
    let (rules, events) = (rules_folder.to_str().unwrap(), events.to_str().unwrap());
    let found = run(&["--rules", rules, "--events", events, "--logsource", "process_creation"]);
    assert_eq!(found.code(), 1, "{}", found.stderr);
    assert_eq!(matches(&found), [(0, "nc".to_owned()), (3, "nc".to_owned())]);
    for named in ["e.jsonl line 2: ", "e.jsonl line 3: ", "2 of 4 events"] {
        assert!(found.stderr.contains(named), "`{named}` is not in: {}", found.stderr);
    }
}

#[test]
fn what_a_collector_stored_gives_the_same_detection_again() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a staged attack on a host of its own", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    agent.does(Deed::SocketShell, "shell", 1, A_WHILE).unwrap();
    wait::until_so("the shell is detected", SOON, || {
        let list = testbed.api().get("/api/v1/detections").unwrap();
        list["items"].as_array().unwrap().iter().any(|it| it["rule_id"] == SHELL_RULE)
    })
    .unwrap();
    let events = testbed.folder().join("stored.json");
    let search = testbed
        .cordon()
        .unwrap()
        .args(["event", "search", "--since", "1h", "--limit", "10000", "--output", "json"]);
    wait::until_so("the shell is in the lake", SOON, || {
        let stored = search.run(SOON).unwrap().expect_success().unwrap();
        put(&events, stored.as_bytes());
        let found = run(&["--events", events.to_str().unwrap()]);
        assert_eq!(found.code(), 0, "{}", found.stderr);
        matches(&found).iter().any(|(_, rule)| rule == SHELL_RULE)
    })
    .unwrap();
}
