//! What is taken, what is refused, and in which words.

use expect_test::{Expect, expect};

use super::Config;

const GOOD: &str = r#"
collector_id = "01234567-89ab-7def-8123-456789abcdef"
data_dir = "/var/lib/cordon"
names = ["collector.example.org", "192.0.2.7"]
root_keys = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]

[listen]
sessions = "0.0.0.0:7443"
enrolment = "0.0.0.0:7444"
api = "[::1]:0"
"#;

#[track_caller]
fn check_text(text: &str, environment: &[(&str, &str)], expect: &Expect) {
    let variable = |name: &str| {
        let found = environment.iter().find(|it| it.0 == name);
        found.map(|it| it.1.to_owned())
    };
    let shown = match Config::parse(text, variable) {
        Ok(it) => format!("{} {} {} {}", it.data_dir.display(), it.sessions, it.api, it.log_level),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

#[track_caller]
fn check(from: &str, to: &str, expect: &Expect) {
    assert!(GOOD.contains(from));
    check_text(&GOOD.replacen(from, to, 1), &[], expect);
}

#[test]
fn a_whole_file_is_taken() {
    check("", "", &expect!["/var/lib/cordon 0.0.0.0:7443 [::1]:0 info"]);
}

#[test]
fn a_file_is_read_back_as_it_was_written() {
    let config = Config::parse(GOOD, |_| None).unwrap();
    assert_eq!(Config::parse(&config.to_toml(), |_| None).unwrap(), config);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_what_was_meant() {
    check(
        "data_dir",
        "data_dri",
        &expect!["line 3: `data_dri` is not a key; did you mean `data_dir`?"],
    );
    check(
        "api =",
        "apis =",
        &expect!["line 10: `listen.apis` is not a key; did you mean `listen.api`?"],
    );
    check(
        "[listen]",
        "[listne]",
        &expect!["line 7: `listne` is not a key; did you mean `listen.api`?"],
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    check_text(
        GOOD,
        &[("CORDON_LISTEN_API", "127.0.0.1:9"), ("CORDON_LOG_LEVEL", "debug")],
        &expect!["/var/lib/cordon 0.0.0.0:7443 127.0.0.1:9 debug"],
    );
    check_text(
        GOOD,
        &[("CORDON_ROOT_THRESHOLD", "2")],
        &expect!["`root_threshold` must be 1..=the number of different root keys"],
    );
    check_text(
        GOOD,
        &[("CORDON_NAMES", r#"["a", "b c"]"#)],
        &expect!["`names` must be at most 64 DNS names or addresses"],
    );
}

#[test]
fn each_value_has_a_rule() {
    check("/var/lib", "lib", &expect!["`data_dir` must be an absolute path"]);
    check("01234567", "x", &expect!["`collector_id` must be a UUID"]);
    check(
        "d75a98",
        "d75a",
        &expect!["`root_keys` must be public keys of 64 hexadecimal digits each"],
    );
    check(
        "0.0.0.0:7443",
        "0.0.0.0",
        &expect!["`listen.sessions` must be an address and a port: 0.0.0.0:7443"],
    );
    check(
        "[listen]",
        "[log]\nlevel = 'loud'\n[listen]",
        &expect!["`log.level` must be `error`, `warn`, `info`, `debug` or `trace`"],
    );
    check(
        "[listen]",
        "[log]\nformat = 'xml'\n[listen]",
        &expect!["`log.format` must be `text` or `json`"],
    );
}

#[test]
fn what_is_missing_is_named() {
    check(
        "api = \"[::1]:0\"",
        "",
        &expect![[r#"
        missing field `api`
        in `listen`
    "#]],
    );
}
