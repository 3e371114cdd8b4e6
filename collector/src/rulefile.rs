//! Rule files, found and read: those of the collector's own folder, and those of a replay.
//!
//! Beside the road. In: a file or a folder. Out: texts by file name, in the order of the names, and
//! what was not read, each with its reason. It never reads what is too large to be a rule, and knows
//! nothing of what a rule says.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::detect::parse::RULE_BYTES_MAX;

/// Rules of one folder (chosen: five times all that SigmaHQ has).
const FILES_MAX: usize = 20_000;

/// Folders inside each other (chosen; a link that leads back ends here too).
const DEPTH_MAX: usize = 8;

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Read {
    /// File names, as they were found, and texts.
    pub files: Vec<(String, String)>,
    /// What was not: file and reason.
    pub problems: Vec<String>,
}

/// Reads a file, or every `.yml` and `.yaml` below a folder.
#[must_use]
pub fn read(path: &Path) -> Read {
    let (mut read, mut paths) = (Read::default(), Vec::new());
    if path.is_dir() {
        find(path, DEPTH_MAX, &mut paths, &mut read.problems);
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    for path in paths {
        match text(&path) {
            Ok(text) => read.files.push((path.display().to_string(), text)),
            Err(reason) => read.problems.push(format!("{}: {reason}", path.display())),
        }
    }
    read
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
fn text(path: &Path) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let is_too_large = usize::try_from(meta.len()).map_or(true, |it| it > RULE_BYTES_MAX);
    if !meta.is_file() || is_too_large {
        return Err(format!("a rule must be a file of at most {RULE_BYTES_MAX} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_not_text| "a rule must be UTF-8".to_owned())
}
