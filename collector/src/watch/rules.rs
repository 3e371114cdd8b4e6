//! The rules in force: those that come with the collector, and those of a folder.
//!
//! Beside the road. A reload makes a new engine and puts it in the place of the old one at once, while
//! batches go through; what cannot be loaded is named with file, line and reason, and the others load.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use cordon_shared::detection::RuleSummary;
use tracing::{info, warn};

use crate::{
    detect::{SHIPPED, engine::Engine},
    rulefile,
};

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
    let mut read = dir.map(rulefile::read).unwrap_or_default();
    files.append(&mut read.files);
    let mut problems = read.problems;
    let engine = Engine::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())));
    problems.extend(engine.problems().iter().map(|it| format!("{}: {}", it.file, it.error)));
    info!(rules = engine.rules().count(), problems = problems.len(), "the rules are loaded");
    problems.iter().for_each(|it| warn!("a rule is not loaded: {it}"));
    Loaded { engine: Arc::new(engine), problems }
}

#[cfg(test)]
mod tests;
