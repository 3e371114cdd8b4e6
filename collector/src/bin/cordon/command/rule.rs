//! `cordon rule`: what is loaded, whether a file would load, and arming, which is a signature's business.

use std::path::Path;

use anyhow::Context as _;
use cordon_collector::{
    api::view,
    detect::{self, engine::Engine, parse},
};
use cordon_shared::{detection::RuleSummary, durable};
use serde::Serialize;

use crate::{
    args::{Output, Rule},
    client::Client,
    failure::{Failure, Why},
    render::{self, Row},
};

/// Rules of the collector.
///
/// # Errors
/// What failed.
pub(crate) fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let rules: view::List<view::Rule> = client.get("/api/v1/rules", &Vec::new())?;
    render::list(output, &rules.items)
}

/// What needs no collector.
///
/// # Errors
/// What failed, or what is wrong with a rule.
pub(crate) fn offline(output: Output, rule: &Rule) -> anyhow::Result<()> {
    match rule {
        Rule::Check { files } => check(output, files),
        Rule::Arm { rule, draft } => {
            let text = std::fs::read_to_string(draft)
                .with_context(|| format!("read the draft `{}`", draft.display()))?;
            let summary = find(rule)?;
            let armed = armed(&text, &summary);
            durable::write(draft, armed.as_bytes(), durable::MODE_PUBLIC)
                .with_context(|| format!("write the draft `{}`", draft.display()))?;
            render::say(&format!("\"{}\" is armed in the draft", summary.title));
            render::say("next: cordon key sign, then cordon keyring install");
            Ok(())
        }
        Rule::List => Ok(()),
    }
}

/// A draft of a keyring with one more rule that may move automation.
pub(crate) fn armed(draft: &str, rule: &RuleSummary) -> String {
    let entry =
        format!("[[members.armed]]\nrule = \"{}\"\nsha256 = \"{}\"\n", rule.id, rule.sha256);
    if draft.contains(&entry) { draft.to_owned() } else { format!("{draft}\n{entry}") }
}

/// A rule by its file, or by the id, title or file name of a shipped one.
pub(crate) fn find(rule: &str) -> anyhow::Result<RuleSummary> {
    for (name, text) in detect::SHIPPED {
        let summary = parse::rule(text).context("read a shipped rule")?.summary;
        if *name == rule || summary.id == rule || summary.title == rule {
            return Ok(summary);
        }
    }
    let text = std::fs::read_to_string(rule).map_err(|error| {
        let text = format!("`{rule}` is no shipped rule, and no file that can be read: {error}");
        Failure::new(Why::NotFound, text)
    })?;
    Ok(parse::rule(&text).with_context(|| format!("read the rule `{rule}`"))?.summary)
}

/// What is said of one file.
#[derive(Serialize)]
struct Verdict {
    file: String,
    is_good: bool,
    line: Option<usize>,
    reason: String,
}

impl Row for Verdict {
    const HEAD: &'static [&'static str] = &["file", "good", "line", "reason"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.file.clone(),
            if self.is_good { "yes" } else { "no" }.to_owned(),
            self.line.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            self.reason.clone(),
        ]
    }
}

fn check(output: Output, files: &[std::path::PathBuf]) -> anyhow::Result<()> {
    let verdicts: Vec<_> = files.iter().map(|it| judge(it)).collect();
    render::list(output, &verdicts)?;
    let bad = verdicts.iter().filter(|it| !it.is_good).count();
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::new(Why::Failed, format!("{bad} of {} rules would not load", files.len())).into())
}

fn judge(path: &Path) -> Verdict {
    let file = path.display().to_string();
    let bad = |line, reason| Verdict { file: file.clone(), is_good: false, line, reason };
    let text = match std::fs::read_to_string(path) {
        Ok(it) => it,
        Err(error) => return bad(None, error.to_string()),
    };
    let engine = Engine::new([(file.as_str(), text.as_str())]);
    if let Some(problem) = engine.problems().first() {
        return bad(Some(problem.error.line), problem.error.reason.clone());
    }
    match examples(&engine, &text) {
        Ok(()) => Verdict { file, is_good: true, line: None, reason: String::new() },
        Err(reason) => bad(None, reason),
    }
}

/// Whether a rule keeps the examples that it brings.
fn examples(engine: &Engine, text: &str) -> Result<(), String> {
    let failed = |it: parse::ParseError| it.to_string();
    let source = parse::rule(text).map_err(failed)?.source;
    let examples = parse::examples(text).map_err(failed)?;
    for (wanted, given) in [(1, &examples.must_match), (0, &examples.must_not_match)] {
        for (number, fields) in given.iter().enumerate() {
            if engine.matches(source, fields).count() != wanted {
                let word = if wanted == 1 { "must_match" } else { "must_not_match" };
                return Err(format!("example {} of `{word}` is not as it says", number + 1));
            }
        }
    }
    Ok(())
}
