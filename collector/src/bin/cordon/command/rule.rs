//! `cordon rule`: what is loaded, whether a file would load, and arming, which is a signature's business.

mod examples;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cordon_collector::{
    api::view,
    detect::{self, engine::Engine, parse},
};
use cordon_shared::{
    detection::RuleSummary,
    durable,
    keyring::author,
    time::{Clock as _, SystemClock},
};
use serde::Serialize;

use crate::{
    args::{Output, rule::Rule},
    client::Client,
    failure::{Failure, Why},
    render::{self, Row},
};

/// Rules: those of the collector, or of files, which need none.
///
/// # Errors
/// What failed, or what is wrong with a rule.
pub(crate) fn run(
    client: impl FnOnce() -> anyhow::Result<Client>,
    output: Output,
    rule: &Rule,
) -> anyhow::Result<()> {
    match rule {
        Rule::Check { files } => check(output, files),
        Rule::Test { files } => examples::run(output, files),
        Rule::Arm { rule, draft } => {
            let text = std::fs::read_to_string(draft)
                .with_context(|| format!("read the draft `{}`", draft.display()))?;
            let summary = find(rule)?;
            let armed = armed(&text, &summary);
            // What a signer would refuse is not written.
            author::Draft::parse(&armed, SystemClock.now()).context("read the draft")?;
            durable::write(draft, armed.as_bytes(), durable::MODE_PUBLIC)
                .with_context(|| format!("write the draft `{}`", draft.display()))?;
            render::say(&format!("armed in the draft: {}", render::safe(&summary.title)))?;
            render::say(
                "nothing changes until it is signed: cordon key sign, cordon keyring install",
            )
        }
        Rule::List => {
            let rules: view::List<view::Rule> = client()?.get("/api/v1/rules", &Vec::new())?;
            render::list(output, &rules.items)
        }
    }
}

/// A draft of a keyring with one more rule that may move automation, or with this text of a rule
/// instead of an earlier one. Its versions rise, so that agents take it after the one in force.
pub(crate) fn armed(draft: &str, rule: &RuleSummary) -> String {
    let id = format!("rule = \"{}\"", rule.id);
    let digest = format!("sha256 = \"{}\"", rule.sha256);
    let mut lines: Vec<String> = draft.lines().map(str::to_owned).collect();
    match lines.iter().position(|it| it.trim() == id) {
        Some(at) => match lines.get_mut(at + 1) {
            Some(line) if line.trim() == digest => return draft.to_owned(),
            Some(line) if line.trim().starts_with("sha256") => *line = digest,
            Some(_) | None => lines.insert(at + 1, digest),
        },
        None => lines.extend([String::new(), "[[members.armed]]".to_owned(), id, digest]),
    }
    raise_versions(&mut lines);
    lines.join("\n") + "\n"
}

/// Both parts: what is signed again carries a new time, and agents refuse another text of the same
/// version.
fn raise_versions(lines: &mut [String]) {
    let mut is_part = false;
    for line in lines {
        let text = line.trim();
        if text.starts_with('[') {
            is_part = matches!(text, "[policy]" | "[members]");
        } else if is_part
            && let Some((name, number)) = text.split_once('=')
            && name.trim() == "version"
            && let Ok(number) = number.trim().parse::<u64>()
        {
            *line = format!("version = {}", number.saturating_add(1));
        }
    }
}

/// A rule by its file, or by the id, title or file name of a shipped one.
///
/// # Errors
/// When there is none, it would not load, or its id does not fit into a draft.
pub(crate) fn find(rule: &str) -> anyhow::Result<RuleSummary> {
    for (name, text) in detect::SHIPPED {
        let summary = parse::rule(text).context("read a shipped rule")?.summary;
        if *name == rule || summary.id == rule || summary.title == rule {
            return Ok(summary);
        }
    }
    let text = std::fs::read_to_string(rule).map_err(|error| {
        let text = format!(
            "`{rule}` is no shipped rule, and no file that can be read: {error}; \
             `cordon rule test` shows the shipped ones"
        );
        Failure::new(Why::NotFound, text)
    })?;
    let summary = parse::rule(&text).with_context(|| format!("read the rule `{rule}`"))?.summary;
    // The id goes into a text that a person signs: it must not bring lines of its own.
    let is_id = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    if summary.id.is_empty() || !summary.id.chars().all(is_id) {
        let text = format!("the `id` of `{rule}` must be letters, digits, `-`, `_` and `.`");
        return Err(Failure::new(Why::Failed, text).into());
    }
    Ok(summary)
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
    const HEAD: &'static [&'static str] = &["file", "line", "good", "reason"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.file.clone(),
            self.line.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            if self.is_good { "yes" } else { "no" }.to_owned(),
            self.reason.clone(),
        ]
    }
}

fn check(output: Output, files: &[PathBuf]) -> anyhow::Result<()> {
    let verdicts: Vec<_> = files.iter().map(|it| judge(it)).collect();
    render::list(output, &verdicts)?;
    let bad = verdicts.iter().filter(|it| !it.is_good).count();
    if bad == 0 {
        return Ok(());
    }
    let text = format!("{bad} of {} rules would not load as they are", files.len());
    Err(Failure::new(Why::Failed, text).into())
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
    match examples::of(&engine, &file, &text) {
        Err(error) => bad(Some(error.line), error.reason),
        Ok(examples) => match examples.iter().find(|it| !it.is_good()) {
            Some(broken) => bad(None, broken.in_words()),
            None => Verdict { file, is_good: true, line: None, reason: String::new() },
        },
    }
}

#[cfg(test)]
mod tests;
