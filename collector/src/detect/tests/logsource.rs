//! Log sources in words: which rules look at an event that names its own.

use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::detect::{logsource::LogSource, rule::Source};

fn line(value: &Json) -> String {
    let said = match LogSource::of_json(value) {
        Err(error) => error.to_string(),
        Ok(it) => {
            let names: Vec<_> = it.sources().into_iter().map(Source::as_str).collect();
            let known = if it.is_known() { "" } else { ", not known" };
            format!("[{}]{known}", names.join(" "))
        }
    };
    format!("{value}: {said}")
}

#[test]
fn a_log_source_is_a_word_or_pairs() {
    let given = [
        json!("process_creation"),
        json!("sshd"),
        json!("linux"),
        json!("product=linux,category=file_event"),
        json!("service=auditd"),
        json!("product=linux, category=process_creation, service=sshd"),
        json!("product=windows,category=process_creation"),
        json!("product=linux,category=dns_query"),
        json!("dns_query"),
        json!({"product": "linux", "category": "network_connection", "service": null}),
        json!({"product": "linux", "definition": "x"}),
        json!({}),
        json!(7),
        json!(""),
        json!("category=a,category=b"),
        json!("category="),
        json!("kind=a"),
        json!("category=a,b"),
    ];
    expect![[r#"
        "process_creation": [process_creation linux]
        "sshd": [sshd linux]
        "linux": [linux]
        "product=linux,category=file_event": [file_event linux]
        "service=auditd": [auditd linux]
        "product=linux, category=process_creation, service=sshd": [process_creation sshd linux]
        "product=windows,category=process_creation": [], not known
        "product=linux,category=dns_query": [linux], not known
        "dns_query": [], not known
        {"category":"network_connection","product":"linux","service":null}: [network_connection linux]
        {"definition":"x","product":"linux"}: [linux]
        {}: a log source must be `product=…,category=…,service=…`, or the word of one of them
        7: a log source must be `product=…,category=…,service=…`, or the word of one of them
        "": a log source must be `product=…,category=…,service=…`, or the word of one of them
        "category=a,category=b": a log source must be `product=…,category=…,service=…`, or the word of one of them
        "category=": a log source must be `product=…,category=…,service=…`, or the word of one of them
        "kind=a": a log source must be `product=…,category=…,service=…`, or the word of one of them
        "category=a,b": a log source must be `product=…,category=…,service=…`, or the word of one of them"#]].assert_eq(&given.iter().map(line).collect::<Vec<_>>().join("\n"));
}
