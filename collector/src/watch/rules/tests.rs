use std::fs;

use super::Rules;
use crate::detect::SHIPPED;

const RULE: &str = "title: Netcat\nid: netcat\nlevel: low\n\
     logsource: {category: process_creation, product: linux}\n\
     detection:\n  s: {Image|endswith: /nc}\n  condition: s\n";

fn put(path: &std::path::Path, text: &str) {
    cordon_shared::durable::write(path, text.as_bytes(), 0o644).unwrap();
}

#[test]
fn a_folders_rules_are_loaded_with_the_shipped_ones_and_problems_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("linux");
    fs::create_dir(&below).unwrap();
    put(&below.join("notes.txt"), "none");
    put(&below.join("netcat.yml"), RULE);
    put(&below.join("twin.yml"), RULE);
    put(&below.join("zbad.yaml"), "title: [");
    let rules = Rules::load(Some(dir.path().to_owned()));
    let inventory = rules.inventory();
    assert_eq!(inventory.rules.len(), SHIPPED.len() + 1);
    assert_eq!(inventory.problems.len(), 2, "{:?}", inventory.problems);
    assert!(inventory.problems[0].ends_with("netcat.yml` has a rule of the same id"));
    assert!(inventory.problems[1].contains("zbad.yaml: line "));
}

#[test]
fn a_reload_takes_what_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules::load(Some(dir.path().to_owned()));
    let before = rules.engine();
    put(&dir.path().join("netcat.yaml"), RULE);
    rules.reload();
    assert_eq!(before.rules().count() + 1, rules.engine().rules().count());
    fs::remove_file(dir.path().join("netcat.yaml")).unwrap();
    rules.reload();
    assert_eq!(before.rules().count(), rules.engine().rules().count());
}

#[test]
fn a_folder_that_is_not_there_is_a_problem_and_the_shipped_rules_load() {
    let rules = Rules::load(Some("/nowhere/at/all".into()));
    assert_eq!(rules.inventory().rules.len(), SHIPPED.len());
    assert_eq!(rules.inventory().problems.len(), 1);
}
