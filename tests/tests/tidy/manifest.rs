//! The manifests: every crate inherits lints, versions and licence from the workspace, one crypto
//! provider is built, and the agent stays small.
//!
//! What a build really contains is asked of `cargo tree`: `Cargo.lock` also lists what a feature
//! that nobody switches on could bring (ring, for one), so it cannot answer.

use std::{collections::BTreeSet, process::Command};

use crate::tree::{Finding, Tree};

/// The five crates.
const MEMBERS: &[&str] = &["agent", "collector", "proto", "shared", "tests"];

/// What every `[package]` inherits.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// Crates that no part of Cordon is built with, by prefix of the name.
const NOWHERE: &[(&str, &str)] = &[
    ("ring", "aws-lc-rs is the only provider of cryptography"),
    ("openssl", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
];

/// Crates that the agent is not built with, by prefix of the name.
const NOT_IN_THE_AGENT: &[(&str, &str)] = &[
    ("arrow", "events are rows in the collector only"),
    ("parquet", "events are rows in the collector only"),
    ("datafusion", "hunts run in a worker of the collector"),
    ("sqlx", "the agent has no database"),
    ("libsqlite3", "the agent has no database"),
    ("serde-saphyr", "the agent reads no YAML"),
    ("serde_yaml", "the agent reads no YAML"),
    ("opentelemetry", "the agent logs through tracing"),
    ("cordon-collector", "the two programs meet on the wire only"),
];

/// Every member inherits lints, package fields and versions.
fn members_inherit(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in MEMBERS {
        let path = format!("{member}/Cargo.toml");
        let Some(manifest) = tree.text(&path).and_then(|text| text.parse::<toml::Table>().ok())
        else {
            findings.push(Finding::new(path, "is missing or not TOML"));
            continue;
        };
        let mut found = |said: String| findings.push(Finding::new(&path, said));
        let lints = manifest.get("lints").and_then(toml::Value::as_table);
        if lints.is_none_or(|it| it.len() != 1 || !is_workspace(it.get("workspace"))) {
            found("`[lints]` must be `workspace = true` and nothing else".to_owned());
        }
        for field in INHERITED {
            let value = manifest.get("package").and_then(|it| it.get(field));
            if !is_workspace(value.and_then(|it| it.get("workspace"))) {
                found(format!("`{field}` must be `{field}.workspace = true`"));
            }
        }
        for (name, value) in dependencies(&manifest) {
            if !is_workspace(value.get("workspace")) {
                found(format!("`{name}` must take its version from the workspace"));
            }
        }
    }
    findings
}

/// Every dependency of the workspace is used by a member; members and versions have one list.
fn workspace_is_used(tree: &Tree) -> Vec<Finding> {
    let parsed = |path: &str| tree.text(path)?.parse::<toml::Table>().ok();
    let root = parsed("Cargo.toml").unwrap_or_default();
    let offered = root.get("workspace").and_then(|it| it.get("dependencies"));
    let Some(offered) = offered.and_then(toml::Value::as_table) else {
        return vec![Finding::new("Cargo.toml", "has no `[workspace.dependencies]`")];
    };
    let used: BTreeSet<String> = MEMBERS
        .iter()
        .filter_map(|member| parsed(&format!("{member}/Cargo.toml")))
        .flat_map(|manifest| {
            dependencies(&manifest).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        })
        .collect();
    offered
        .keys()
        .filter(|name| !used.contains(*name) && !name.starts_with("cordon-"))
        .map(|name| Finding::new("Cargo.toml", format!("no member uses `{name}`")))
        .collect()
}

/// Every package in the lock comes from one place, or from here.
fn one_source(tree: &Tree) -> Vec<Finding> {
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    let sources: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    let odd = sources.iter().filter(|it| !it.starts_with("\"registry+"));
    let mut findings: Vec<_> =
        odd.map(|it| Finding::new("Cargo.lock", format!("{it} is not a registry"))).collect();
    if sources.len() != 1 {
        findings.push(Finding::new("Cargo.lock", format!("{} sources, must be 1", sources.len())));
    }
    findings
}

/// Which of `names` begin with a banned prefix.
fn banned(place: &str, names: &BTreeSet<String>, table: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names {
        let found = table.iter().find(|(word, _)| {
            let rest = name.strip_prefix(word);
            rest.is_some_and(|it| it.is_empty() || it.starts_with(['-', '_']))
        });
        findings.extend(found.map(|(_, why)| Finding::new(place, format!("`{name}`: {why}"))));
    }
    findings
}

/// Every `[dependencies]`-like table of a manifest, flattened.
fn dependencies(manifest: &toml::Table) -> impl Iterator<Item = (&String, &toml::Value)> {
    let target = manifest.get("target").and_then(toml::Value::as_table);
    let tables = target.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    std::iter::once(manifest).chain(tables).flat_map(|table| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| table.get(kind).and_then(toml::Value::as_table))
            .flat_map(toml::Table::iter)
    })
}

fn is_workspace(value: Option<&toml::Value>) -> bool {
    value.and_then(toml::Value::as_bool) == Some(true)
}

/// Names of the crates that `package` is built with on this platform, features as resolved.
fn built_with(package: &str, edges: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(crate::tree::root())
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(["-p", package, "-e", edges])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree -p {package}: {said}");
    let names: BTreeSet<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 10, "cargo tree -p {package} lists only {names:?}");
    names
}

#[test]
fn every_crate_inherits_from_the_workspace() {
    crate::tree::holds(members_inherit);
}

#[test]
fn every_version_of_the_workspace_is_used() {
    crate::tree::holds(workspace_is_used);
}

#[test]
fn every_crate_comes_from_one_registry() {
    crate::tree::holds(one_source);
}

#[test]
fn one_provider_of_cryptography_is_built() {
    for package in ["cordon-agent", "cordon-collector"] {
        let names = built_with(package, "normal,build");
        assert_eq!(banned(package, &names, NOWHERE), []);
    }
}

#[test]
fn the_agent_is_built_without_the_collectors_engines() {
    let names = built_with("cordon-agent", "normal");
    assert_eq!(banned("cordon-agent", &names, NOT_IN_THE_AGENT), []);
}

#[cfg(test)]
mod planted {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};

    use super::{
        NOT_IN_THE_AGENT, NOWHERE, banned, members_inherit, one_source, workspace_is_used,
    };
    use crate::tree::finds;

    const GOOD: &str = "package.version.workspace = true
package.edition.workspace = true
package.rust-version.workspace = true
package.license.workspace = true
package.publish.workspace = true
dependencies.bytes.workspace = true
lints.workspace = true
";

    #[track_caller]
    fn check(from: &str, to: &str, want: &Expect) {
        let agent = GOOD.replace(from, to);
        let others = ["collector", "proto", "shared", "tests"].map(|it| format!("{it}/Cargo.toml"));
        let mut files = vec![("agent/Cargo.toml", agent.as_str())];
        files.extend(others.iter().map(|path| (path.as_str(), GOOD)));
        finds(members_inherit, &files, want);
    }

    #[test]
    fn a_manifest_that_inherits_is_taken() {
        check("", "", &expect![[""]]);
    }

    #[test]
    fn a_crate_with_lints_of_its_own_is_found() {
        check(
            "lints.workspace = true",
            "lints.clippy.unwrap_used = 'allow'",
            &expect!["agent/Cargo.toml: `[lints]` must be `workspace = true` and nothing else"],
        );
    }

    #[test]
    fn a_crate_with_a_licence_of_its_own_is_found() {
        check(
            "license.workspace = true",
            "license = 'MIT'",
            &expect!["agent/Cargo.toml: `license` must be `license.workspace = true`"],
        );
    }

    #[test]
    fn a_version_outside_of_the_workspace_is_found() {
        check(
            "bytes.workspace = true",
            "bytes = '1'",
            &expect!["agent/Cargo.toml: `bytes` must take its version from the workspace"],
        );
    }

    #[test]
    fn a_version_for_one_target_is_found_too() {
        check(
            "lints.",
            "target.'cfg(unix)'.build-dependencies.cc = '1'\nlints.",
            &expect!["agent/Cargo.toml: `cc` must take its version from the workspace"],
        );
    }

    #[test]
    fn a_version_that_nobody_uses_is_found() {
        let root = "[workspace.dependencies]\nbytes = '1'\nleft-pad = '1'";
        let files = [("Cargo.toml", root), ("agent/Cargo.toml", GOOD)];
        finds(workspace_is_used, &files, &expect!["Cargo.toml: no member uses `left-pad`"]);
    }

    #[test]
    fn a_crate_from_a_repository_is_found() {
        let lock = "source = \"git+https://example.org/x\"\nsource = \"registry+x\"\n";
        finds(
            one_source,
            &[("Cargo.lock", lock)],
            &expect![[r#"
            Cargo.lock: "git+https://example.org/x" is not a registry
            Cargo.lock: 2 sources, must be 1"#]],
        );
    }

    #[track_caller]
    fn check_banned(table: &[(&str, &str)], names: &[&str], want: &Expect) {
        let names: BTreeSet<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let said: Vec<_> = banned("agent", &names, table).iter().map(ToString::to_string).collect();
        want.assert_eq(&said.join("\n"));
    }

    #[test]
    fn a_second_provider_of_cryptography_is_found() {
        check_banned(
            NOWHERE,
            &["ring", "ringbuf", "openssl-sys", "rustls"],
            &expect![[r#"
            agent: `openssl-sys`: TLS is rustls
            agent: `ring`: aws-lc-rs is the only provider of cryptography"#]],
        );
    }

    #[test]
    fn a_database_in_the_agent_is_found() {
        check_banned(
            NOT_IN_THE_AGENT,
            &["sqlx-core", "arrow-array", "tokio"],
            &expect![[r#"
            agent: `arrow-array`: events are rows in the collector only
            agent: `sqlx-core`: the agent has no database"#]],
        );
    }
}
