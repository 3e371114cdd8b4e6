//! The files of the repository as values, and the rule about what may lie at its top.
//!
//! Everything below the root is read, except `.git`, `target` and what cannot be text; a rule
//! therefore sees files that are not committed yet as well.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use expect_test::Expect;

/// One violated rule: where, and what was found there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    place: String,
    said: String,
}

impl Finding {
    /// `place` is a path below the root, with a line where there is one; `said` is for a person.
    pub(crate) fn new(place: impl Into<String>, said: impl Into<String>) -> Self {
        Self { place: place.into(), said: said.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.said)
    }
}

/// The files below one root, by path with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Names directly below the root, folders included.
    top: Vec<String>,
    /// Text of every file that is UTF-8; `None` for the others.
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// This repository.
    pub(crate) fn of_this_repository() -> Self {
        Self::read(&root())
    }

    /// Reads every file below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        for entry in fs::read_dir(root).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            // Not part of the tree: the repository itself (a file in a worktree) and what is built.
            if name == ".git" || name == "target" {
                continue;
            }
            tree.add(&entry.path(), &name);
            tree.top.push(name);
        }
        tree.top.sort();
        tree
    }

    fn add(&mut self, at: &Path, name: &str) {
        if fs::symlink_metadata(at).unwrap().is_dir() {
            for entry in fs::read_dir(at).unwrap() {
                let entry = entry.unwrap();
                let below = entry.file_name().into_string().unwrap();
                self.add(&entry.path(), &format!("{name}/{below}"));
            }
        } else {
            // A symbolic link that leads nowhere is kept as a name without text.
            let text = fs::read(at).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            self.files.insert(name.to_owned(), text);
        }
    }

    /// Every path, text or not, in order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Every text file with its path, in order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Every Rust source with its path, in order.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether anything lies in this folder.
    pub(crate) fn has_folder(&self, folder: &str) -> bool {
        self.paths().any(|path| path.starts_with(&format!("{folder}/")))
    }
}

/// The root of this repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A rule: what it finds wrong in a tree.
pub(crate) type Rule = fn(&Tree) -> Vec<Finding>;

/// Asserts that `rule` finds nothing in this repository.
#[track_caller]
pub(crate) fn holds(rule: Rule) {
    let said = listed(rule(&Tree::of_this_repository()));
    assert!(said.is_empty(), "\n{said}");
}

/// Plants `files` in a folder of its own and compares what `rule` finds there.
#[track_caller]
pub(crate) fn finds(rule: Rule, files: &[(&str, &str)], want: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let at = folder.path().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }
    want.assert_eq(&listed(rule(&Tree::read(folder.path()))));
}

fn listed(mut findings: Vec<Finding>) -> String {
    findings.sort();
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

/// What lies at the top, and nothing else: each name with whether it must be there.
const TOP: &[(&str, Presence)] = &[
    (".cargo", Presence::Must),
    (".ci", Presence::Must),
    (".clippy.toml", Presence::Must),
    (".config", Presence::Must),
    (".deny.toml", Presence::Must),
    (".gitattributes", Presence::May),
    (".gitignore", Presence::Must),
    (".rustfmt.toml", Presence::Must),
    ("Cargo.lock", Presence::Must),
    ("Cargo.toml", Presence::Must),
    ("README.md", Presence::Must),
    ("agent", Presence::Must),
    ("collector", Presence::Must),
    ("proto", Presence::Must),
    ("shared", Presence::Must),
    ("tests", Presence::Must),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Must,
    May,
}

/// The top of the repository holds five crates, one page and the manifests.
fn top(tree: &Tree) -> Vec<Finding> {
    let known = |name: &str| TOP.iter().any(|(it, _)| *it == name);
    let strangers = tree
        .top
        .iter()
        .filter(|name| !known(name))
        .map(|name| Finding::new(name, "nothing else is added at the top of the repository"));
    let missing = TOP
        .iter()
        .filter(|(name, presence)| {
            *presence == Presence::Must && !tree.top.iter().any(|it| it == name)
        })
        .map(|(name, _)| Finding::new(*name, "is missing from the top of the repository"));
    strangers.chain(missing).collect()
}

#[test]
fn the_top_of_the_repository_is_as_designed() {
    holds(top);
}

#[cfg(test)]
mod planted {
    use expect_test::expect;

    use super::{TOP, finds, top};

    #[test]
    fn a_stranger_at_the_top_is_found() {
        let mut files = whole();
        files.push(("scripts/deploy.sh", ""));
        finds(top, &files, &expect!["scripts: nothing else is added at the top of the repository"]);
    }

    #[test]
    fn a_missing_manifest_is_found() {
        let mut files = whole();
        files.retain(|(path, _)| *path != ".deny.toml");
        finds(top, &files, &expect![".deny.toml: is missing from the top of the repository"]);
    }

    /// A tree that has every name of the table.
    fn whole() -> Vec<(&'static str, &'static str)> {
        TOP.iter().map(|(name, _)| (*name, "")).collect()
    }
}
