//! Rules over the examples that they bring: what must match, and what must not.

use std::path::PathBuf;

use anyhow::Context as _;
use cordon_collector::detect::{
    self,
    engine::Engine,
    parse::{self, ParseError},
};
use serde::Serialize;

use crate::{
    args::Output,
    failure::{Failure, Why},
    render::{self, Row},
};

/// One example, and what the rule made of it.
#[derive(Serialize)]
pub(super) struct Example {
    file: String,
    rule_id: String,
    /// From 1.
    number: usize,
    must_match: bool,
    did_match: bool,
}

impl Example {
    /// Whether it is as it says.
    pub(super) fn is_good(&self) -> bool {
        self.must_match == self.did_match
    }

    /// What is wrong with one that is not.
    pub(super) fn in_words(&self) -> String {
        let list = if self.must_match { "must_match" } else { "must_not_match" };
        format!("example {} of `{list}` is not as it says", self.number)
    }
}

impl Row for Example {
    const HEAD: &'static [&'static str] = &["rule", "example", "must", "does", "good", "file"];
    const LESS: &'static [&'static str] = &["file"];

    fn cells(&self) -> Vec<String> {
        let word = |does| if does { "match" } else { "not match" }.to_owned();
        vec![
            self.rule_id.clone(),
            self.number.to_string(),
            word(self.must_match),
            word(self.did_match),
            if self.is_good() { "yes" } else { "no" }.to_owned(),
            self.file.clone(),
        ]
    }
}

/// Runs the examples of files, or of the shipped rules, and prints what each gave.
///
/// # Errors
/// What would not load, or that an example is not as it says.
pub(super) fn run(output: Output, files: &[PathBuf]) -> anyhow::Result<()> {
    let mut rules: Vec<(String, String)> = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("read the rule `{}`", path.display()))?;
        rules.push((path.display().to_string(), text));
    }
    if files.is_empty() {
        let shipped = detect::SHIPPED.iter();
        rules.extend(shipped.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    let mut examples = Vec::new();
    for (file, text) in &rules {
        let engine = Engine::new([(file.as_str(), text.as_str())]);
        if let Some(problem) = engine.problems().first() {
            let text = format!("`{file}` would not load: {}", problem.error);
            return Err(Failure::new(Why::Failed, text).into());
        }
        examples.extend(of(&engine, file, text).with_context(|| format!("read `{file}`"))?);
    }
    render::list(output, &examples)?;
    let bad = examples.iter().filter(|it| !it.is_good()).count();
    if bad == 0 {
        return Ok(());
    }
    let text = format!("{bad} of {} examples are not as they say", examples.len());
    Err(Failure::new(Why::Failed, text).into())
}

/// Runs a rule over its examples.
///
/// # Errors
/// When the rule does not load.
pub(super) fn of(engine: &Engine, file: &str, text: &str) -> Result<Vec<Example>, ParseError> {
    let rule = parse::rule(text)?;
    let given = parse::examples(text)?;
    let lists = [(true, &given.must_match), (false, &given.must_not_match)];
    let mut examples = Vec::new();
    for (must_match, list) in lists {
        for (number, fields) in (1..).zip(list) {
            let did_match = engine.matches(rule.source, fields).count() > 0;
            let (file, rule_id) = (file.to_owned(), rule.summary.id.clone());
            examples.push(Example { file, rule_id, number, must_match, did_match });
        }
    }
    Ok(examples)
}
