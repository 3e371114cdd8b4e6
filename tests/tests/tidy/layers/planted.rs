//! Planted violations of the import table: each must be found, and found as exactly this.

use expect_test::{Expect, expect};

use super::layers;
use crate::tree::finds;

#[track_caller]
fn check(file: &str, source: &str, want: &Expect) {
    finds(layers, &[(file, source)], want);
}

#[test]
fn a_sensor_that_names_the_spool_is_found() {
    check(
        "agent/src/sensor/process.rs",
        "use crate::spool::Lane;",
        &expect![
            "agent/src/sensor/process.rs:1: `agent::sensor::process` may not name `agent::spool::Lane`: a sensor only emits; it may name []"
        ],
    );
}

#[test]
fn a_detour_over_super_is_found() {
    check(
        "agent/src/sensor/process.rs",
        "use super::super::spool;",
        &expect![
            "agent/src/sensor/process.rs:1: `agent::sensor::process` may not name `agent::spool`: a sensor only emits; it may name []"
        ],
    );
}

#[test]
fn a_clock_in_the_detection_is_found() {
    check(
        "collector/src/detect/window.rs",
        "fn f() { std::time::SystemTime::now() }",
        &expect![
            "collector/src/detect/window.rs:1: `collector::detect::window` may not name `std::time::SystemTime::now`: detection is pure"
        ],
    );
}

#[test]
fn tonic_outside_of_the_gateway_is_found() {
    check(
        "collector/src/api/event.rs",
        "use tonic::Status;",
        &expect![
            "collector/src/api/event.rs:1: `collector::api::event` may not name `tonic::Status`: tonic lives in the gateway"
        ],
    );
}

#[test]
fn tonic_in_the_gateway_is_at_home() {
    check("collector/src/gateway/session.rs", "use tonic::Status;", &expect![[""]]);
}

#[test]
fn a_process_started_beside_the_only_door_is_found() {
    check(
        "agent/src/containment/plan.rs",
        "use std::{process::Command, fmt};",
        &expect![
            "agent/src/containment/plan.rs:1: `agent::containment::plan` may not name `std::process::Command`: `linux.rs` is the only door to effects"
        ],
    );
}

#[test]
fn a_test_that_links_the_agent_is_found() {
    check(
        "tests/tests/e2e/enrol.rs",
        "use cordon_agent::enroll;",
        &expect![
            "tests/tests/e2e/enrol.rs:1: `tests::e2e::enrol` may not name `agent::enroll`: from outside means from outside"
        ],
    );
}

#[test]
fn the_tool_that_opens_the_store_is_found() {
    check(
        "collector/src/bin/cordon/client.rs",
        "use cordon_collector::store;",
        &expect![
            "collector/src/bin/cordon/client.rs:1: `cordon::client` may not name `collector::store`: the responder's tool is a client of the REST API and nothing more"
        ],
    );
}

#[test]
fn the_tool_may_replay_detections() {
    check("collector/src/bin/cordon/client.rs", "use cordon_collector::detect;", &expect![[""]]);
}

#[test]
fn a_module_without_a_row_is_found() {
    check(
        "agent/src/plugins.rs",
        "",
        &expect!["agent/src/plugins.rs: `agent::plugins` has no row in the table"],
    );
}

#[test]
fn proto_outside_of_wire_is_found() {
    check(
        "shared/src/event.rs",
        "use cordon_proto::v1;",
        &expect![
            "shared/src/event.rs:1: `shared::event` may not name `proto::v1`: proto meets domain in `wire`, in a batch's body and in what is signed"
        ],
    );
}
