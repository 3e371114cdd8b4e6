//! The rules in force: those that come with the collector, and those of a folder.
//!
//! Beside the road. A reload makes a new engine and puts it in the place of the old one at once, while
//! batches go through; what cannot be loaded is named with file, line and reason, and the others load.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use cordon_shared::detection::RuleSummary;
use tracing::{info, warn};

use crate::detect::{SHIPPED, engine::Engine, parse::RULE_BYTES_MAX};

/// Rules of one folder (chosen: five times all that SigmaHQ has).
const FILES_MAX: usize = 20_000;

/// Folders inside each other (chosen; a link that leads back ends here too).
const DEPTH_MAX: usize = 8;

/// The rules in force.
#[derive(Debug)]
pub struct Rules {
    dir: Option<PathBuf>,
    loaded: ArcSwap<Loaded>,
}

/// What one load gave.
#[derive(Debug)]
struct Loaded {
    engine: Arc<Engine>,
    problems: Vec<String>,
}

/// What is loaded, for people.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The rules, each with its file.
    pub rules: Vec<(RuleSummary, String)>,
    /// What could not be loaded: file, line and reason; and what is switched off.
    pub problems: Vec<String>,
}

impl Rules {
    /// Loads the shipped rules and those of `dir`.
    #[must_use]
    pub fn load(dir: Option<PathBuf>) -> Self {
        let loaded = load(dir.as_deref());
        Self { dir, loaded: ArcSwap::from_pointee(loaded) }
    }

    /// Loads again, and puts the result in force.
    pub fn reload(&self) {
        self.loaded.store(Arc::new(load(self.dir.as_deref())));
    }

    /// The engine in force.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.loaded.load().engine)
    }

    /// What is in force, by file and title.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let loaded = self.loaded.load();
        let rules = loaded.engine.rules().map(|(rule, file)| (rule.clone(), file.to_owned()));
        let mut rules: Vec<_> = rules.collect();
        rules.sort_by(|a, b| (&a.1, &a.0.title).cmp(&(&b.1, &b.0.title)));
        let broken = loaded.engine.broken().into_iter().map(|it| format!("{}: {it}", it.file));
        Inventory { rules, problems: loaded.problems.iter().cloned().chain(broken).collect() }
    }
}

fn load(dir: Option<&Path>) -> Loaded {
    let mut files: Vec<(String, String)> =
        SHIPPED.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let mut problems = Vec::new();
    if let Some(dir) = dir {
        let mut paths = Vec::new();
        find(dir, DEPTH_MAX, &mut paths, &mut problems);
        paths.sort();
        for path in paths {
            match read(&path) {
                Ok(text) => files.push((path.display().to_string(), text)),
                Err(reason) => problems.push(format!("{}: {reason}", path.display())),
            }
        }
    }
    let engine = Engine::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())));
    problems.extend(engine.problems().iter().map(|it| format!("{}: {}", it.file, it.error)));
    info!(rules = engine.rules().count(), problems = problems.len(), "the rules are loaded");
    problems.iter().for_each(|it| warn!("a rule is not loaded: {it}"));
    Loaded { engine: Arc::new(engine), problems }
}

/// The rule files below a folder.
fn find(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>, problems: &mut Vec<String>) {
    let mut refuse = |reason: &dyn std::fmt::Display| {
        problems.push(format!("{}: {reason}", dir.display()));
    };
    if depth == 0 {
        return refuse(&"folders are nested more than 8 deep");
    }
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return refuse(&error),
    };
    for entry in entries {
        if paths.len() >= FILES_MAX {
            return problems.push(format!("{}: more than {FILES_MAX} rules", dir.display()));
        }
        let path = entry.path();
        let is_rule = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        if path.is_dir() {
            find(&path, depth - 1, paths, problems);
        } else if is_rule {
            paths.push(path);
        }
    }
}

/// A file's text, or why it is no rule. What is too large is not read.
fn read(path: &Path) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let is_too_large = usize::try_from(meta.len()).map_or(true, |it| it > RULE_BYTES_MAX);
    if !meta.is_file() || is_too_large {
        return Err(format!("a rule must be a file of at most {RULE_BYTES_MAX} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_not_text| "a rule must be UTF-8".to_owned())
}

#[cfg(test)]
mod tests;
