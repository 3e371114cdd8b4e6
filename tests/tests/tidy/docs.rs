//! What every file must say, and the promise that every invariant of the root `README.md` has a
//! test that is named after it.
//!
//! An invariant is an id of two capitals and a number (`SP-1`). The README lists them in a table, one
//! row each; a row whose id no test carries is a promise that nobody checks, and an id that a source
//! cites but no row explains is a word without a meaning.

use std::collections::BTreeSet;

use crate::tree::{Finding, Tree};

/// A file whose first line says too little to be a document.
const DOC_CHARS_MIN: usize = 30;

/// Every source begins with a document of its own or with its crate's README.
fn every_file_says_what_it_is(tree: &Tree) -> Vec<Finding> {
    tree.sources()
        .filter_map(|(path, text)| {
            let is_crate = text.starts_with("#![doc = include_str!(\"../README.md\")]");
            // Unit tests beside a module are explained by that module.
            let is_unit_tests = path.ends_with("/tests.rs") && path.contains("/src/");
            let doc: Vec<_> = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .map(|line| line.trim_start_matches("//!"))
                .collect();
            let chars = doc.concat().trim().chars().count();
            if is_crate || is_unit_tests || chars >= DOC_CHARS_MIN {
                return None;
            }
            let said = format!("begins with {chars} characters of `//!`, at least {DOC_CHARS_MIN}");
            Some(Finding::new(path, said))
        })
        .collect()
}

/// Every crate has a page that is more than its name.
fn every_crate_has_a_page(tree: &Tree) -> Vec<Finding> {
    [
        "README.md",
        "agent/README.md",
        "collector/README.md",
        "proto/README.md",
        "shared/README.md",
        "tests/README.md",
    ]
    .into_iter()
    .filter(|page| tree.text(page).is_none_or(|text| text.lines().count() < 5))
    .map(|page| Finding::new(page, "says less than five lines"))
    .collect()
}

/// Every invariant of the README has a test, and every id that a source cites has a row.
fn invariants(tree: &Tree) -> Vec<Finding> {
    let listed = listed(tree.text("README.md").unwrap_or_default());
    let tested: Vec<String> = tree.sources().flat_map(|(_, text)| test_names(text)).collect();
    let mut findings = Vec::new();
    if listed.is_empty() {
        findings.push(Finding::new("README.md", "lists no invariant (`| SP-1 | …`)"));
    }
    for id in &listed {
        let name = format!("{}_", id.to_lowercase().replace('-', "_"));
        if !tested.iter().any(|test| test.starts_with(&name) || test.contains(&format!("_{name}")))
        {
            let said = format!("{id} is promised and no test is named `{name}…`");
            findings.push(Finding::new("README.md", said));
        }
    }
    for (path, text) in tree.sources().filter(|(path, _)| !path.starts_with("tests/tests/tidy/")) {
        let strangers = ids(text).into_iter().filter(|id| !listed.contains(id));
        findings.extend(
            strangers.map(|id| Finding::new(path, format!("cites {id}, which README.md lacks"))),
        );
    }
    findings
}

/// The ids that begin a row of a table.
fn listed(readme: &str) -> BTreeSet<String> {
    readme.lines().filter_map(|line| ids(line.strip_prefix("| ")?).into_iter().next()).collect()
}

/// Two capitals, a hyphen (or its typographic kin) and a number, as a word of its own.
fn ids(text: &str) -> BTreeSet<String> {
    let text = text.replace('\u{2011}', "-");
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '-' || it == '_'))
        .filter(|word| {
            word.split_once('-').is_some_and(|(letters, number)| {
                letters.len() == 2
                    && letters.chars().all(|it| it.is_ascii_uppercase())
                    && !number.is_empty()
                    && number.chars().all(|it| it.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect()
}

/// Names of the functions that stand below a test attribute.
fn test_names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, after)) = line.split_once("fn ").filter(|_| is_test) {
            names.push(after.split('(').next().unwrap_or_default().to_owned());
            is_test = false;
        }
    }
    names
}

#[test]
fn every_file_begins_with_what_it_is() {
    crate::tree::holds(every_file_says_what_it_is);
}

#[test]
fn every_crate_explains_itself() {
    crate::tree::holds(every_crate_has_a_page);
}

#[test]
fn every_invariant_has_a_test_of_its_name() {
    crate::tree::holds(invariants);
}

#[cfg(test)]
mod planted {
    use expect_test::{Expect, expect};

    use super::{every_crate_has_a_page, every_file_says_what_it_is, invariants};
    use crate::tree::finds;

    #[track_caller]
    fn check_invariants(readme: &str, source: &str, want: &Expect) {
        finds(invariants, &[("README.md", readme), ("shared/src/seglog.rs", source)], want);
    }

    #[test]
    fn a_file_without_a_document_is_found() {
        let files = [("agent/src/spool.rs", "use std::fs;\n")];
        finds(
            every_file_says_what_it_is,
            &files,
            &expect!["agent/src/spool.rs: begins with 0 characters of `//!`, at least 30"],
        );
    }

    #[test]
    fn a_placeholder_is_no_document() {
        let files = [("agent/src/spool.rs", "//! placeholder\n")];
        finds(
            every_file_says_what_it_is,
            &files,
            &expect!["agent/src/spool.rs: begins with 11 characters of `//!`, at least 30"],
        );
    }

    #[test]
    fn a_page_of_one_line_is_found() {
        let page = "# Cordon\n1\n2\n3\n4\n";
        let files = [
            "README.md",
            "agent/README.md",
            "collector/README.md",
            "proto/README.md",
            "shared/README.md",
        ]
        .map(|path| (path, page));
        finds(
            every_crate_has_a_page,
            &files,
            &expect!["tests/README.md: says less than five lines"],
        );
    }

    #[test]
    fn an_invariant_without_a_test_is_found() {
        check_invariants(
            "| SP-1 | a record is deleted only after its ack |",
            "fn sp_1_x() {}",
            &expect!["README.md: SP-1 is promised and no test is named `sp_1_…`"],
        );
    }

    #[test]
    fn an_invariant_with_a_test_of_its_name_is_kept() {
        check_invariants(
            "| SP-1 | … |",
            "/// SP-1\n#[test]\nfn sp_1_a_lost_ack() {}",
            &expect![[""]],
        );
    }

    #[test]
    fn a_test_of_invariant_11_is_none_of_invariant_1() {
        check_invariants(
            "| SP-1 | … |",
            "#[test]\nfn sp_11_a_lost_ack() {}",
            &expect!["README.md: SP-1 is promised and no test is named `sp_1_…`"],
        );
    }

    #[test]
    fn a_readme_without_invariants_is_found() {
        check_invariants("# Cordon", "", &expect!["README.md: lists no invariant (`| SP-1 | …`)"]);
    }

    #[test]
    fn a_cited_id_without_a_row_is_found() {
        check_invariants(
            "| SP-1 | … |",
            "// IG-1, SHA-256, F-12\n#[test]\nfn sp_1_x() {}",
            &expect!["shared/src/seglog.rs: cites IG-1, which README.md lacks"],
        );
    }
}
