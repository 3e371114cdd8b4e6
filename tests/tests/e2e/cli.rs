//! `cordon` as a responder uses it: what it prints, and the exit codes that scripts go by.

use std::path::Path;

use cordon_shared::durable;
use cordon_tests::{
    binary::Program,
    child::{Launch, Output},
    testbed::{SOON, Testbed},
};
use serde_json::Value;

/// Runs the tool with settings in a folder of the test's own.
fn cordon(testbed: &Testbed, words: &[&str]) -> Output {
    let tool = Launch::new("cordon", Program::Cordon.path().unwrap());
    tool.env("XDG_CONFIG_HOME", testbed.folder().join("settings")).args(words).run(SOON).unwrap()
}

fn url(testbed: &Testbed) -> String {
    format!("https://{}", testbed.collector().addresses().api)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Logs in as the first administrator.
fn log_in(testbed: &Testbed) {
    let data = testbed.collector().data();
    let (ca, token) = (data.join("pki/authority.pem"), data.join("admin.token"));
    let words = ["login", "--url", &url(testbed), "--ca", text(&ca), "--token-file", text(&token)];
    cordon(testbed, &words).expect_success().unwrap();
}

#[track_caller]
fn ends(output: &Output, code: i32, saying: &str) {
    assert_eq!(output.code(), code, "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains(saying), "`{saying}` is not in: {}", output.stderr);
}

#[test]
fn who_has_not_logged_in_is_told_how() {
    let testbed = Testbed::start().unwrap();
    ends(&cordon(&testbed, &["host", "list"]), 2, "cordon login");
    let data = testbed.collector().data();
    let (ca, wrong) = (data.join("pki/authority.pem"), testbed.folder().join("wrong"));
    durable::write(&wrong, b"cordon_api_00\n", durable::MODE_SECRET).unwrap();
    for (file, code, saying) in [(&ca, 2, "no token"), (&wrong, 3, "bearer token")] {
        let words =
            ["login", "--url", &url(&testbed), "--ca", text(&ca), "--token-file", text(file)];
        ends(&cordon(&testbed, &words), code, saying);
    }
    ends(&cordon(&testbed, &["host", "list"]), 2, "cordon login");
}

#[test]
fn a_responder_sees_hosts_tokens_and_the_audit_log() {
    let testbed = Testbed::start().unwrap();
    log_in(&testbed);
    let token = cordon(&testbed, &["token", "create", "--label", "role=web"]);
    let token = token.expect_success().unwrap();
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    agent.enroll(token.trim()).unwrap();

    let hosts = cordon(&testbed, &["host", "list", "--output", "json"]).expect_success().unwrap();
    let hosts: Value = serde_json::from_str(&hosts).unwrap();
    assert_eq!(hosts[0]["agent_id"], agent.id());
    assert_eq!(hosts[0]["labels"][0], "role=web");
    let table = cordon(&testbed, &["host", "list"]).expect_success().unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with(agent.id()), "{table}");
    let tokens = cordon(&testbed, &["token", "list"]).expect_success().unwrap();
    assert!(tokens.contains("1 of 1"), "{tokens}");
    let audit = cordon(&testbed, &["audit", "list", "--output", "json"]).expect_success().unwrap();
    assert!(audit.contains("token.create"), "{audit}");
    cordon(&testbed, &["audit", "verify"]).expect_success().unwrap();
}

#[test]
fn every_failure_has_its_exit_code() {
    let mut testbed = Testbed::start().unwrap();
    log_in(&testbed);
    let nobody = "01a20c7b-4988-78f6-90c9-f3f591449498";
    ends(&cordon(&testbed, &["host", "show", nobody]), 5, "is not known");
    ends(&cordon(&testbed, &["host", "show", "../tokens"]), 2, "is no id");
    ends(&cordon(&testbed, &["host", "lst"]), 2, "similar");
    let root = testbed.folder().join("keys/root.pub");
    ends(&cordon(&testbed, &["rule", "check", text(&root)]), 1, "would not load");
    testbed.collector_mut().kill().unwrap();
    ends(&cordon(&testbed, &["host", "list"]), 6, "cannot be reached");
}
