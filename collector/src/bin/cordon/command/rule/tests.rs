use std::path::Path;

use cordon_collector::detect::SHIPPED;
use cordon_shared::{durable, keyring::author::Draft, time::Timestamp};
use expect_test::expect;

use super::{armed, find, judge};

const DRAFT: &str = "\
# a draft
[policy]
version = 1
expires = \"2027-01-01T00:00:00Z\"

[[policy.automation]]
version = 7

[members]
version = 3
";

/// The text of a shipped rule.
fn shipped() -> &'static str {
    let is_it = |(file, _): &&(&str, &str)| *file == "shell_with_socket_stdio.yaml";
    SHIPPED.iter().find(is_it).unwrap().1
}

#[test]
fn arming_adds_the_rule_once_and_raises_both_versions() {
    let rule = find("shell_with_socket_stdio.yaml").unwrap();
    let once = armed(DRAFT, &rule);
    let digest = rule.sha256.to_string();
    expect![[r#"
        # a draft
        [policy]
        version = 2
        expires = "2027-01-01T00:00:00Z"

        [[policy.automation]]
        version = 7

        [members]
        version = 4

        [[members.armed]]
        rule = "2a4c7d0e-6b51-4f39-9d7a-5c1e8f20b3a6"
        sha256 = "DIGEST"
    "#]]
    .assert_eq(&once.replace(&digest, "DIGEST"));
    assert_eq!(armed(&once, &rule), once);
}

#[test]
fn arming_another_text_of_a_rule_disarms_the_one_before() {
    let rule = find("shell_with_socket_stdio.yaml").unwrap();
    let before = armed(DRAFT, &rule).replace(&rule.sha256.to_string(), &"0".repeat(64));
    let after = armed(&before, &rule);
    assert!(!after.contains(&"0".repeat(64)), "{after}");
    assert_eq!(after.matches("[[members.armed]]").count(), 1);
    assert!(after.contains("version = 5"), "{after}");
}

#[test]
fn a_rule_cannot_bring_lines_of_its_own_into_a_draft() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evil.yaml");
    let text = shipped();
    let evil =
        text.replace("id: 2a4c7d0e-6b51-4f39-9d7a-5c1e8f20b3a6", "id: \"x\\\"\\n[[members.key]]\"");
    durable::write(&path, evil.as_bytes(), durable::MODE_PUBLIC).unwrap();
    let said = find(path.to_str().unwrap()).unwrap_err().to_string();
    assert!(said.contains("the `id` of"), "{said}");
}

#[test]
fn a_bad_rule_is_named_with_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    let text = shipped();
    let told = |text: &str| {
        durable::write(&path, text.as_bytes(), durable::MODE_PUBLIC).unwrap();
        let it = judge(&path);
        format!("{} {:?} {}", it.is_good, it.line, it.reason)
    };
    let lines = [
        told(text),
        told(&text.replace("level: high", "level: loud")),
        told(&text.replace("StdoutKind: socket, StderrKind: file", "StdoutKind: file")),
        told("title: ["),
    ];
    expect![[r#"
        true None 
        false Some(36) `level` must be informational, low, medium, high or critical
        false None example 2 of `must_match` is not as it says
        false Some(1) is no YAML: unclosed bracket '['"#]]
    .assert_eq(&lines.join("\n"));
    assert!(judge(Path::new("/nowhere/rule.yaml")).reason.contains("No such file"));
}

#[test]
fn what_is_armed_is_a_draft_that_can_be_signed() {
    let draft = "[policy]\nversion = 1\nexpires = \"2027-01-01T00:00:00Z\"\nroots = [\"R\"]\n\
                 root_threshold = 1\nadmin_threshold = 1\ntargets_max_single = 10\n\
                 [members]\nversion = 1\n";
    let key = cordon_shared::crypto::signing::SigningKey::from_seed([7; 32]).public();
    let draft = draft.replace("\"R\"", &format!("\"{key}\""));
    let rule = find("Shell with a socket as its standard input and output").unwrap();
    let read = Draft::parse(&armed(&draft, &rule), Timestamp::from_ns(0)).unwrap();
    assert_eq!(read.members.armed.len(), 1);
    assert_eq!((read.policy.version, read.members.version), (2, 2));
}
