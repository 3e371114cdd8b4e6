//! Words that do not belong in the tree: names that say nothing, notes without an issue, addresses
//! of one machine or of one registry, and attributes that switch a rule off.

use crate::{
    code,
    tree::{Finding, Tree},
};

/// Names of modules under which anything could be filed.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "handler", "service", "data",
    "info", "misc", "v2",
];

/// The file that holds all these words.
const THIS_FILE: &str = "tests/tests/tidy/words.rs";

/// Registries are the business of the clients' own configuration; a path of one machine is nobody's
/// business.
const HOSTS: &[&str] = &[
    "crates.io",
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "proxy.golang.org",
    "deb.debian.org",
    "/root/",
    "/home/",
    "/work/",
];

/// Files that hold such words by nature.
const HOSTS_EXCEPT: &[&str] = &["Cargo.lock", "tests/golden/", "collector/content/", ".deny.toml"];

/// Attributes and calls by which a test or a lint stops to be one.
const SWITCHES: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run is no test"),
    ("#[should_panic", "assert what is returned"),
    ("#[allow(", "say `#[expect(lint, reason = …)]`"),
    ("thread::sleep(", "wait on a predicate"),
];

/// No module is named after nothing.
fn names(tree: &Tree) -> Vec<Finding> {
    tree.sources()
        .filter_map(|(path, _)| {
            let stem = path.strip_suffix(".rs")?;
            let name = stem.split('/').find(|part| EMPTY_NAMES.contains(part))?;
            Some(Finding::new(path, format!("`{name}` says nothing about what it holds")))
        })
        .collect()
}

/// A note to oneself names the issue that will remove it.
fn notes(tree: &Tree) -> Vec<Finding> {
    let marks = ["TODO", "FIXME", "XXX:"];
    on_lines(tree, |_, line| {
        let mark = marks.iter().find(|mark| line.contains(**mark))?;
        let (_, after) = line.split_once(mark)?;
        let has_issue = after.starts_with("(#") || after.starts_with(" #");
        (!has_issue).then(|| format!("`{mark}` without the number of an issue"))
    })
}

/// No registry and no machine is named.
fn hosts(tree: &Tree) -> Vec<Finding> {
    on_lines(tree, |path, line| {
        if HOSTS_EXCEPT.iter().any(|it| path.starts_with(it)) {
            return None;
        }
        let host = HOSTS.iter().find(|host| line.contains(**host))?;
        Some(format!("names `{host}`"))
    })
}

/// No rule is switched off quietly.
fn switches(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        for (index, line) in code::without_literals(source).lines().enumerate() {
            let found = SWITCHES.iter().find(|(word, _)| line.contains(word));
            findings.extend(found.map(|(word, why)| {
                Finding::new(format!("{path}:{}", index + 1), format!("`{word}`: {why}"))
            }));
        }
    }
    findings
}

/// Files that say `#![expect(unsafe_code, …)]`, and what for; any other is a finding.
const UNSAFE_HOMES: &[(&str, &str)] = &[
    ("agent/src/sensor/ebpf/ring.rs", "the ring buffer is shared memory"),
    ("agent/src/sensor/file/fanotify/handle.rs", "open_by_handle_at(2) has no safe wrapper"),
    ("agent/src/containment/linux.rs", "the only door to effects"),
    ("agent/src/app/heap.rs", "malloc_trim(3) has no safe wrapper"),
    ("agent/src/sandbox.rs", "seccomp and capabilities"),
    ("tests/src/child.rs", "between fork and exec only raw calls are allowed"),
];

/// Unsafe code stays where the table says.
fn unsafe_homes(tree: &Tree) -> Vec<Finding> {
    tree.sources()
        .filter(|(path, _)| !UNSAFE_HOMES.iter().any(|(home, _)| home == path))
        .filter(|(_, source)| {
            let code = code::without_literals(source);
            code.lines().any(|line| line.contains("(unsafe_code") || line.contains("unsafe {"))
        })
        .map(|(path, _)| Finding::new(path, "unsafe code outside of its homes"))
        .collect()
}

fn on_lines(tree: &Tree, rule: impl Fn(&str, &str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| *path != THIS_FILE) {
        for (index, line) in text.lines().enumerate() {
            let found = rule(path, line);
            findings.extend(found.map(|it| Finding::new(format!("{path}:{}", index + 1), it)));
        }
    }
    findings
}

#[test]
fn every_module_has_a_name_that_says_something() {
    crate::tree::holds(names);
}

#[test]
fn every_note_names_its_issue() {
    crate::tree::holds(notes);
}

#[test]
fn no_registry_and_no_machine_is_named() {
    crate::tree::holds(hosts);
}

#[test]
fn no_test_and_no_lint_is_switched_off() {
    crate::tree::holds(switches);
}

#[test]
fn unsafe_code_stays_in_its_homes() {
    crate::tree::holds(unsafe_homes);
}

#[cfg(test)]
mod planted {
    use expect_test::{Expect, expect};

    use super::{hosts, names, notes, switches, unsafe_homes};
    use crate::tree::{Rule, finds};

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, want: &Expect) {
        finds(rule, &[(path, text)], want);
    }

    #[test]
    fn a_module_of_helpers_is_found() {
        check(
            names,
            "shared/src/helpers.rs",
            "",
            &expect!["shared/src/helpers.rs: `helpers` says nothing about what it holds"],
        );
    }

    #[test]
    fn a_folder_of_helpers_is_found() {
        check(
            names,
            "agent/src/util/time.rs",
            "",
            &expect!["agent/src/util/time.rs: `util` says nothing about what it holds"],
        );
    }

    #[test]
    fn a_note_without_an_issue_is_found() {
        check(
            notes,
            "shared/src/id.rs",
            "\n// TODO: later\n",
            &expect!["shared/src/id.rs:2: `TODO` without the number of an issue"],
        );
    }

    #[test]
    fn a_note_with_an_issue_is_taken() {
        check(notes, "shared/src/id.rs", "// TODO(#12): later\n", &expect![[""]]);
    }

    #[test]
    fn a_registry_in_a_script_is_found() {
        let text = "curl https://pypi.org/simple";
        check(hosts, "tests/run", text, &expect!["tests/run:1: names `pypi.org`"]);
    }

    #[test]
    fn an_ignored_test_is_found() {
        check(
            switches,
            "agent/src/spool.rs",
            "\n#[ignore]\nfn a() {}",
            &expect!["agent/src/spool.rs:2: `#[ignore`: a test that does not run is no test"],
        );
    }

    #[test]
    fn a_sleep_is_found() {
        check(
            switches,
            "agent/src/spool.rs",
            "std::thread::sleep(x)",
            &expect!["agent/src/spool.rs:1: `thread::sleep(`: wait on a predicate"],
        );
    }

    #[test]
    fn a_switch_in_a_text_is_none() {
        check(switches, "agent/src/spool.rs", "\"#[ignore]\"", &expect![[""]]);
    }

    #[test]
    fn unsafe_code_outside_of_its_homes_is_found() {
        check(
            unsafe_homes,
            "agent/src/spool.rs",
            "#![expect(unsafe_code, reason = \"\")]",
            &expect!["agent/src/spool.rs: unsafe code outside of its homes"],
        );
    }
}
