//! The rules that come with the collector.

use super::{Engine, SHIPPED, parse};

#[test]
fn every_shipped_rule_loads_and_keeps_its_examples() {
    let engine = Engine::new(SHIPPED.iter().copied());
    assert_eq!(engine.problems(), []);
    for (file, text) in SHIPPED {
        let engine = Engine::new([(*file, *text)]);
        let source = parse::rule(text).unwrap().source;
        let examples = parse::examples(text).unwrap();
        for it in &examples.must_match {
            assert_eq!(engine.matches(source, it).count(), 1, "{file} must match {it:?}");
        }
        for it in &examples.must_not_match {
            assert_eq!(engine.matches(source, it).count(), 0, "{file} must not match {it:?}");
        }
    }
}

#[test]
fn every_file_among_the_rules_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/content/rules");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, SHIPPED.iter().map(|(file, _)| (*file).to_owned()).collect::<Vec<_>>());
}
