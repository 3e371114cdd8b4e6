//! What the catalog says, as a value, and its records as bytes; pure.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Change;
use crate::lake::partition::{self, Day, Partition};

/// A file that counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct File {
    /// The OCSF class of its rows.
    pub(crate) class: u32,
    /// The day that its rows are filed under.
    pub(crate) day: Day,
    /// Its name in the folder of its class and day.
    pub(crate) name: String,
    /// Rows.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// The earliest `time` of its rows: milliseconds since 1970.
    pub(crate) time_min_ms: i64,
    /// The latest.
    pub(crate) time_max_ms: i64,
    /// How often its rows were compacted.
    pub(crate) level: u8,
}

impl File {
    /// Where it lies.
    pub(crate) fn partition(&self) -> Partition {
        Partition { class: self.class, day: self.day }
    }

    /// Its path below the lake's folder; its name in the catalog.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.partition().folder().display(), self.name)
    }
}

/// What the catalog says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct State {
    /// By path below the lake's folder.
    pub(crate) files: BTreeMap<String, Arc<File>>,
    /// Every batch of the journal below it is filed.
    pub(crate) position: u64,
}

/// One record of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// Files came and went.
    Change { added: Vec<File>, removed: Vec<String>, position: u64 },
    /// A part of the whole state; the parts follow each other.
    Snapshot { part: usize, parts: usize, files: Vec<File>, position: u64 },
}

impl Record {
    pub(super) fn change(it: Change) -> Self {
        Self::Change { added: it.added, removed: it.removed, position: it.position }
    }

    /// JSON.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers have a JSON form")
    }

    /// Reads JSON; names that are not of our making are refused, since files are removed by them.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        let (Self::Change { added: files, .. } | Self::Snapshot { files, .. }) = &record;
        files.iter().all(|it| partition::is_file_name(&it.name)).then_some(record)
    }
}

impl State {
    /// Applies a change.
    pub(super) fn apply(&mut self, record: &Record) {
        let Record::Change { added, removed, position } = record else { return };
        for path in removed {
            self.files.remove(path);
        }
        self.add(added);
        self.position = *position;
    }

    fn add(&mut self, files: &[File]) {
        self.files.extend(files.iter().map(|it| (it.path(), Arc::new(it.clone()))));
    }

    /// The whole state as records of at most `files_max` files; at least one.
    pub(super) fn parts(&self, files_max: usize) -> Vec<Record> {
        let files: Vec<File> = self.files.values().map(|it| File::clone(it)).collect();
        let parts = files.len().div_ceil(files_max).max(1);
        (0..parts)
            .map(|part| {
                let files = files.iter().skip(part * files_max).take(files_max).cloned().collect();
                Record::Snapshot { part, parts, files, position: self.position }
            })
            .collect()
    }
}

/// Reads the log from its oldest record on.
#[derive(Debug)]
pub(super) struct Folding {
    /// None while it is not known.
    state: Option<State>,
    /// The parts of a snapshot so far.
    parts: Option<(usize, State)>,
}

impl Folding {
    /// `is_whole` when the log begins with its first record.
    pub(super) fn new(is_whole: bool) -> Self {
        Self { state: is_whole.then(State::default), parts: None }
    }

    pub(super) fn record(&mut self, bytes: &[u8]) {
        match Record::parse(bytes) {
            Some(Record::Snapshot { part, parts, files, position }) => {
                self.part((part, parts), &files, position);
            }
            Some(change @ Record::Change { .. }) => {
                self.parts = None;
                if let Some(state) = &mut self.state {
                    state.apply(&change);
                }
            }
            None => self.gap(),
        }
    }

    fn part(&mut self, (part, parts): (usize, usize), files: &[File], position: u64) {
        let so_far = if part == 0 { Some((0, State::default())) } else { self.parts.take() };
        let Some((_, mut state)) = so_far.filter(|(expected, _)| *expected == part) else { return };
        state.add(files);
        state.position = position;
        if part + 1 == parts {
            self.state = Some(state);
        } else {
            self.parts = Some((part + 1, state));
        }
    }

    /// Records are missing: nothing is known until a whole snapshot comes.
    pub(super) fn gap(&mut self) {
        self.state = None;
        self.parts = None;
    }

    pub(super) fn finish(self) -> Option<State> {
        self.state
    }
}
