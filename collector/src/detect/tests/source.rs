//! Log sources: which rules load for which, and which events reach them.

use cordon_shared::{
    event::{Body, login::LogRecord},
    test_support::{event, samples},
    text::Text,
};
use expect_test::expect;

use super::{Engine, Source, parse};
use crate::detect::field::{Fields, shown, sources};

fn rule(logsource: &str) -> String {
    format!(
        "title: t\nid: i\nlevel: low\nlogsource:\n{logsource}detection:\n  s: [x]\n  condition: s\n"
    )
}

#[test]
fn every_log_source_of_linux_is_known_and_others_are_named_with_their_line() {
    for source in Source::ALL {
        let key = if source == Source::Linux {
            "product"
        } else if source.is_category() {
            "category"
        } else {
            "service"
        };
        let text = rule(&format!("  {key}: {}\n", source.as_str()));
        assert_eq!(parse::rule(&text).unwrap().source, source);
        assert_eq!(Engine::new([("a", text.as_str())]).rules().count(), 1);
    }
    let refused = [
        "  product: windows\n  category: process_creation\n",
        "  product: linux\n  category: dns_query\n",
        "  product: linux\n  service: vmware\n",
        "  product: linux\n  service: process_creation\n",
        "  product: linux\n  category: file_event\n  service: auditd\n",
        "  definition: none\n",
    ];
    let said: Vec<_> =
        refused.iter().map(|it| parse::rule(&rule(it)).unwrap_err().to_string()).collect();
    expect![[r#"
        line 5: `product` must be linux
        line 6: `category: dns_query` is not a log source of this release
        line 6: `service: vmware` is not a log source of this release
        line 6: `service: process_creation` is not a log source of this release
        line 7: `category` and `service` together are not a log source of this release
        line 5: `logsource` must hold a category, a service or a product"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn events_reach_the_rules_of_their_sources() {
    let line = |it: &cordon_shared::event::Event| {
        let names: Vec<_> = sources(it).iter().map(|it| it.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(" ") };
        format!("{}: {names}", it.body.name())
    };
    let mut lines: Vec<_> = samples().iter().map(line).collect();
    lines.dedup();
    expect![[r#"
        process_launch: process_creation linux
        process_exit: none
        credential_change: none
        ptrace: none
        file_change: file_event linux
        mount: none
        connection: none
        listen: none
        dns_query: none
        kernel_load: none
        login_session: none
        log_record: sshd auth linux
        receipt: none
        health: none
        loss: none"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_line_of_a_log_is_of_its_program_and_its_fields_are_named() {
    let line = |unit: &'static str| {
        let record = LogRecord {
            source: Text::from("journald"),
            unit: Text::from(unit),
            message: Text::from("Failed password"),
            severity: None,
            fields: vec![(Text::from("a0"), Text::from("dd"))],
            cursor: Text::EMPTY,
        };
        event(Body::LogRecord(record))
    };
    let names: Vec<_> = ["sshd.service", "CRON", "auditd", "nginx"]
        .map(|unit| sources(&line(unit)).iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" "))
        .to_vec();
    expect![[r#"
        sshd auth linux
        cron syslog linux
        auditd linux
        syslog linux"#]]
    .assert_eq(&names.join("\n"));
    let event = line("sshd");
    assert_eq!(event.get("a0").as_deref(), Some("dd"));
    let mut all = Vec::new();
    event.each(&mut |it| all.push(it.to_owned()));
    assert_eq!(all, ["Failed password", "dd"]);
}

#[test]
fn rules_see_a_backslash_and_every_byte() {
    assert_eq!(shown(br"echo \n"), r"echo \n");
    assert_eq!(shown(b"a\xff\\"), r"a\xff\");
}
