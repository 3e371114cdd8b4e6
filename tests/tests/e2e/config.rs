//! A configuration with a slip in it is refused, with the line and what was meant.

use cordon_tests::{
    binary::Program,
    child::{Launch, Output},
    testbed::{SOON, Testbed},
};

#[track_caller]
fn refused(output: &Output, parts: &[&str]) {
    assert_ne!(output.code(), 0, "{}", output.stdout);
    for part in parts {
        assert!(output.stderr.contains(part), "`{part}` is not in: {}", output.stderr);
    }
}

#[test]
fn an_agent_refuses_a_key_that_it_does_not_know() {
    let testbed = Testbed::start().unwrap();
    let slip =
        |plan: &mut cordon_tests::testbed::Plan| plan.more = "polcy = \"observe\"".to_owned();
    let agent = testbed.prepare("web-1", slip).unwrap();
    refused(&agent.check().unwrap(), &["polcy", "line 7", "policy"]);
}

#[test]
fn a_collector_refuses_a_key_that_it_does_not_know() {
    let testbed = Testbed::start().unwrap();
    let config = std::fs::read_to_string(testbed.collector().data().join("collector.toml"));
    let slip = config.unwrap().replace("root_threshold", "root_treshold");
    let path = testbed.folder().join("slip.toml");
    cordon_shared::durable::write(&path, slip.as_bytes(), cordon_shared::durable::MODE_PUBLIC)
        .unwrap();
    let check = Launch::new("check", Program::Collector.path().unwrap());
    let output = check.args(["check", "--config"]).args([&path]).run(SOON).unwrap();
    refused(&output, &["root_treshold", "line ", "root_threshold"]);
}
