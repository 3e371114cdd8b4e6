//! What a command does to files, on record: the look before it, the ledger before and after it, and
//! what a restart finds of one that was cut off.
//!
//! Entries are on disk as begun before the first step, and as done or void after the last; a crash in
//! between is settled by what lies there. It decides nothing: plans do.

use cordon_shared::{
    command::{
        Command,
        action::{Action, Artefact},
        scope::Precondition,
    },
    event::receipt::{Refusal, Verdict},
    id::LedgerId,
    text::Text,
};
use tracing::{error, warn};

use super::{
    Containment,
    execute::Report,
    files::{FileFacts, Look},
    journal::Intent,
    ledger::{Change, Entry, Scene, State, file::FileError, settled},
    plan::Plan,
};

/// Conditions on files that one command may have: each is read whole (chosen: so that a kill waits a
/// second at most).
const CONDITIONS_MAX: usize = 4;

impl Containment {
    /// One look at the files that a command names.
    pub(super) fn look_at_files(&self, command: &Command) -> FileFacts {
        let (files, ledger) = (&self.parts.files, &self.parts.ledger);
        let mut facts = FileFacts { own: files.own(), ..FileFacts::default() };
        let conditions = command.preconditions.iter().filter_map(|it| match it {
            Precondition::FileIs(file) => Some(&file.path),
            Precondition::ProcessIs { .. } => None,
        });
        // A condition beyond these was not looked at, and so does not hold.
        for path in conditions.take(CONDITIONS_MAX) {
            facts.looks.insert(path.clone(), files.look(path));
        }
        let action = &command.action;
        if let Action::Quarantine(file) | Action::Remove(Artefact::File(file)) = action {
            self.look_at(&file.path, &mut facts);
        } else if let Action::Remove(
            Artefact::CronLine { path, line }
            | Artefact::AuthorizedKey { path, line }
            | Artefact::TextLine { path, line },
        ) = action
        {
            self.look_at(path, &mut facts);
            if let Some(Look::File(found)) = facts.looks.get(path) {
                facts.cut = files.weigh(&found.file, line).ok();
            }
        } else if let Action::Remove(Artefact::SystemdUnit { path, .. }) = action {
            self.look_at(path, &mut facts);
            facts.unit = files.unit(path).ok();
        } else if let Action::Restore(id) | Action::Undo(id) = action
            && let Some(entry) = ledger.find(*id)
        {
            let path = entry.change.path();
            facts.looks.insert(path.clone(), files.look(path));
            facts.kept = files.kept(*id).unwrap_or_default();
        }
        facts
    }

    /// What lies at a path, and whose it is.
    fn look_at(&self, path: &Text, facts: &mut FileFacts) {
        let files = &self.parts.files;
        let mut look = files.look(path);
        if let Look::File(found) = &mut look {
            match files.package(path) {
                Ok(package) => found.package = package,
                Err(error) => {
                    let what = format!("not known to be no package's: {error}");
                    look = Look::Not { refusal: Refusal::Protected, what };
                }
            }
        }
        facts.looks.insert(path.clone(), look);
    }

    /// Makes durable what a plan is about to do to files.
    pub(super) fn enter(&mut self, command: &Command, plan: &Plan) -> Result<(), FileError> {
        let undoing = |id| (id, State::Undoing(command.id));
        self.parts.ledger.begin(plan.entries())?;
        let undoes: Vec<_> = plan.undoes().into_iter().map(undoing).collect();
        self.parts.ledger.mark(&undoes)
    }

    /// Makes durable what a plan did to files.
    pub(super) fn leave(&mut self, command: &Command, plan: &Plan, report: &mut Report) {
        let is_in_effect =
            |id: LedgerId| report.entries.iter().find(|it| it.0 == id).map(|it| it.1);
        let done = plan.entries().into_iter().map(|it| {
            let is_done = is_in_effect(it.id).unwrap_or(false);
            (it.id, if is_done { State::Done } else { State::Void })
        });
        let undone = plan.undoes().into_iter().map(|id| {
            let is_done = is_in_effect(id).unwrap_or(true);
            (id, if is_done { State::Done } else { State::Undone(command.id) })
        });
        let states: Vec<_> = done.chain(undone).collect();
        if let Err(error) = self.parts.ledger.mark(&states) {
            // The next start finds out from what lies there.
            error!("failed to note what was done to files: {error}");
        }
    }

    /// Finds out how far entries got that a crash cut off.
    pub(super) fn settle_entries(&mut self) {
        let is_open = |it: &&Entry| matches!(it.state, State::Begun | State::Undoing(_));
        let open: Vec<Entry> =
            self.parts.ledger.entries().iter().filter(is_open).cloned().collect();
        let mut states = Vec::new();
        for entry in open {
            let state = settled(&entry, &self.scene(&entry));
            if let Some(kept) = entry.change.kept()
                && !matches!(state, State::Begun | State::Undoing(_))
            {
                let is_kept = state == State::Done;
                if let Err(error) = self.parts.files.tidy(kept, entry.id, is_kept) {
                    error!("failed to tidy up after entry {}: {error}", entry.id);
                }
            }
            warn!("entry {} of the undo ledger was cut off: {state:?}", entry.id);
            states.push((entry.id, state));
        }
        if let Err(error) = self.parts.ledger.mark(&states) {
            error!("failed to note what a restart found of files: {error}");
        }
    }

    fn scene(&self, entry: &Entry) -> Scene {
        let files = &self.parts.files;
        let target = match &entry.change {
            Change::Unlinked(link) => files.target(&link.path).unwrap_or_default(),
            Change::Taken { .. } | Change::Cut { .. } => None,
        };
        let look = files.look(entry.change.path());
        Scene { look, target, kept: files.kept(entry.id).unwrap_or_default() }
    }

    /// What is known of a command about files that a crash cut off, its entries being settled.
    pub(super) fn aftermath_of_files(&self, intent: &Intent) -> Report {
        let entries = self.parts.ledger.entries();
        let is_undo = |it: &Entry| {
            let by = [State::Undone(intent.command), State::Undoing(intent.command)];
            by.contains(&it.state)
        };
        let (mut done, mut open, mut void) = (Vec::new(), Vec::new(), 0_usize);
        for it in entries.iter().filter(|it| it.command == intent.command || is_undo(it)) {
            match it.state {
                State::Done | State::Undone(_) => {
                    done.push((it.id, it.state == State::Done));
                    open.extend(self.still_running(it));
                }
                State::Void => void += 1,
                State::Begun | State::Undoing(_) => {
                    open.push(format!("what became of {} is not known", it.change.path()));
                }
            }
        }
        let verdict = match (done.is_empty(), open.is_empty()) {
            // An undo that was not begun has its entry as it was.
            (true, true) => Verdict::Failed,
            (true, false) => Verdict::Unknown,
            (false, true) if void == 0 => Verdict::Complete,
            (false, _) => {
                if void > 0 {
                    open.push(format!("{void} of its deeds were not done"));
                }
                Verdict::Partial
            }
        };
        Report { open, entries: done, ..Report::of(verdict) }
    }

    /// Processes that run what an entry took away.
    fn still_running(&self, entry: &Entry) -> Vec<String> {
        let (Change::Taken { kept, .. }, State::Done) = (&entry.change, entry.state) else {
            return Vec::new();
        };
        let (device, inode) = (kept.file.device, kept.file.inode);
        match self.parts.files.runners(device, inode) {
            Ok(runners) => {
                let said = |pid| format!("{pid} runs {} still: end it", kept.file.path);
                runners.into_iter().map(|it| said(it.pid)).collect()
            }
            Err(error) => vec![format!("processes were not seen: {error}")],
        }
    }
}

#[cfg(test)]
mod tests;
