//! The steps of a plan that are about files.
//!
//! A file that is another than the one that was planned for is left alone: nothing was done then, and
//! the command is refused. After a failure what was done is put back, last first. What was removed is
//! looked for once more before it is called gone, and processes that run it still are named.

use cordon_shared::{
    command::scope::FileIs,
    event::receipt::{Finding, StepOutcome},
    id::LedgerId,
    text::Text,
    time::Timestamp,
};

use crate::containment::{
    files::{Files, FilesError, Look},
    ledger::{Change, Entry},
    plan::file::FileStep,
};

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Done {
    /// As it should, with a word on it.
    Well(StepOutcome, String),
    /// These stayed open.
    Open(Vec<String>),
    /// It is not the file that was meant, and nothing was done.
    Refused(String),
    /// Not; the plan is given up.
    Not(String),
}

/// What a plan does to files, and how to take it back.
#[derive(Debug)]
pub(super) struct OnFiles<'a> {
    door: &'a dyn Files,
    /// In order.
    done: Vec<Entry>,
    /// Entries of the ledger that were worked on, and whether they are in effect now.
    pub(super) in_effect: Vec<(LedgerId, bool)>,
    /// What was seen.
    pub(super) findings: Vec<Finding>,
}

impl<'a> OnFiles<'a> {
    pub(super) fn new(door: &'a dyn Files) -> Self {
        Self { door, done: Vec::new(), in_effect: Vec::new(), findings: Vec::new() }
    }

    pub(super) fn step(&mut self, step: &FileStep) -> Done {
        match step {
            FileStep::Check(file) => match self.door.look(&file.path) {
                Look::File(found) if found.file == *file => well(""),
                Look::File(_) | Look::Nothing | Look::Not { .. } => {
                    Done::Refused(format!("{} is another file by now", file.path))
                }
            },
            FileStep::Do(entry) => {
                let done = apply(self.door, entry);
                if done.is_ok() {
                    self.done.push((**entry).clone());
                    self.in_effect.push((entry.id, true));
                }
                self.told(done, entry)
            }
            FileStep::Undo(entry) => {
                let done = revert(self.door, entry);
                self.in_effect.push((entry.id, done.is_err()));
                self.told(done, entry)
            }
            FileStep::ConfirmAbsent(path) => match self.door.look(path) {
                Look::Nothing => well(""),
                Look::File(_) => Done::Open(vec![format!("{path} is there again")]),
                Look::Not { what, .. } => Done::Open(vec![format!("{path} is {what}")]),
            },
            FileStep::ConfirmNoLine { path, line } => self.confirm_no_line(path, line),
            FileStep::ConfirmContents { path, sha256 } => match self.door.look(path) {
                Look::File(found) if found.file.sha256 == *sha256 => well(""),
                Look::File(_) | Look::Nothing | Look::Not { .. } => {
                    Done::Open(vec![format!("{path} is not as it was")])
                }
            },
            FileStep::NameRunners(file) => self.name_runners(file),
        }
    }

    fn told(&self, done: Result<(), FilesError>, entry: &Entry) -> Done {
        match done {
            Ok(()) => well(&format!("ledger entry {}", entry.id)),
            Err(FilesError::Differs(why)) if self.done.is_empty() => Done::Refused(why),
            Err(error) => Done::Not(chain(&error)),
        }
    }

    fn confirm_no_line(&self, path: &Text, line: &Text) -> Done {
        let found = match self.door.look(path) {
            Look::Nothing => return well("the file is not there"),
            Look::File(found) => found,
            Look::Not { what, .. } => return Done::Open(vec![format!("{path} is {what}")]),
        };
        match self.door.weigh(&found.file, line) {
            Ok(cut) if cut.lines == 0 => well(""),
            Ok(_) => Done::Open(vec![format!("the line is in {path} again")]),
            Err(error) => Done::Open(vec![format!("{path} was not read: {}", chain(&error))]),
        }
    }

    fn name_runners(&mut self, file: &FileIs) -> Done {
        let runners = match self.door.runners(file.device, file.inode) {
            Ok(runners) => runners,
            Err(error) => {
                return Done::Open(vec![format!("processes were not seen: {}", chain(&error))]);
            }
        };
        if runners.is_empty() {
            return well("none");
        }
        self.findings.extend(runners.iter().map(|it| Finding {
            file: Some(file.clone()),
            size_bytes: 0,
            modified: Timestamp::from_ns(0),
            process: Some(*it),
            question: 0,
            note: "still runs what was taken away".to_owned(),
        }));
        let open = runners.iter().map(|it| format!("{} runs {} still: end it", it.pid, file.path));
        Done::Open(open.collect())
    }

    /// Puts back what was done; says of each entry what came of that.
    pub(super) fn roll_back(&mut self) -> Vec<(String, Result<(), String>)> {
        let mut told = Vec::new();
        for entry in std::mem::take(&mut self.done).into_iter().rev() {
            let back = revert(self.door, &entry).map_err(|it| chain(&it));
            let ours = self.in_effect.iter_mut().find(|it| it.0 == entry.id);
            if let Some(it) = ours {
                it.1 = back.is_err();
            }
            told.push((FileStep::Do(Box::new(entry)).to_string(), back));
        }
        told
    }
}

fn well(detail: &str) -> Done {
    Done::Well(StepOutcome::Done, detail.to_owned())
}

fn apply(door: &dyn Files, entry: &Entry) -> Result<(), FilesError> {
    match &entry.change {
        Change::Taken { kept, .. } => door.take(&kept.file, entry.id),
        Change::Cut { kept, line, .. } => door.cut(kept, line, entry.id),
        Change::Unlinked(link) => door.unlink(link),
    }
}

fn revert(door: &dyn Files, entry: &Entry) -> Result<(), FilesError> {
    match &entry.change {
        Change::Taken { kept, .. } => door.put_back(kept, entry.id),
        Change::Cut { kept, after, .. } => door.uncut(kept, *after, entry.id),
        Change::Unlinked(link) => door.relink(link),
    }
}

/// An error with what is behind it.
fn chain(error: &FilesError) -> String {
    match error {
        FilesError::Differs(why) => why.clone(),
        FilesError::Failed { source, .. } => format!("{error}: {source}"),
    }
}
