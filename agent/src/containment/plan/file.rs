//! Quarantine, restore, remove, undo: what is done to which file, and what is left alone.
//!
//! Every effect is an [`Entry`] of the undo ledger, made here with all that undoes it. A file that is
//! another than the one that was signed is refused as such; what is never touched, as protected; a
//! file of a package, unless the command says so and two persons signed it. A configuration file of a
//! package may lose a line without that: it is meant to be edited.

use std::fmt;

use cordon_shared::{
    command::{
        Command,
        action::Artefact,
        scope::{FileIs, Override},
    },
    digest::Sha256,
    event::receipt::Refusal,
    id::LedgerId,
    text::Text,
};

use super::{Ground, Plan, PlanError, Step};
use crate::containment::{
    files::{Found, Look, Package, Unit, guarded, is_plain},
    ledger::{Change, Entry, KEPT_BYTES_MAX, Kept, Link, State},
};

/// One thing to do with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileStep {
    /// Go on only if the file is this one.
    Check(FileIs),
    /// Do what the entry says.
    Do(Box<Entry>),
    /// Undo it.
    Undo(Box<Entry>),
    /// See that nothing is there.
    ConfirmAbsent(Text),
    /// See that the line is not there.
    ConfirmNoLine {
        /// In which file.
        path: Text,
        /// Which.
        line: Text,
    },
    /// See that the contents are these.
    ConfirmContents {
        /// Of which file.
        path: Text,
        /// Their digest.
        sha256: Sha256,
    },
    /// Name the processes that run the file, wherever it lies by then.
    NameRunners(FileIs),
}

impl fmt::Display for FileStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(file) => write!(f, "check that {} is the file that was meant", file.path),
            Self::Do(entry) => match &entry.change {
                Change::Taken { kept, is_removal: false } => {
                    write!(f, "quarantine {}", kept.file.path)
                }
                Change::Taken { kept, is_removal: true } => {
                    write!(f, "remove {}, with a backup", kept.file.path)
                }
                Change::Cut { kept, line, .. } => {
                    write!(f, "remove the line `{line}` from {}, with a backup", kept.file.path)
                }
                Change::Unlinked(link) => write!(f, "remove the link {}", link.path),
            },
            Self::Undo(entry) => match &entry.change {
                Change::Taken { kept, .. } => write!(f, "put {} back", kept.file.path),
                Change::Cut { kept, .. } => write!(f, "put the line back into {}", kept.file.path),
                Change::Unlinked(link) => write!(f, "put the link {} back", link.path),
            },
            Self::ConfirmAbsent(path) => write!(f, "confirm that {path} is gone"),
            Self::ConfirmNoLine { path, .. } => {
                write!(f, "confirm that the line is gone from {path}")
            }
            Self::ConfirmContents { path, .. } => write!(f, "confirm that {path} is as it was"),
            Self::NameRunners(file) => write!(f, "look for processes that run {}", file.path),
        }
    }
}

fn refuse<T>(refusal: Refusal, detail: String) -> Result<T, PlanError> {
    Err(PlanError { refusal, detail })
}

/// A plan of these steps.
fn steps(steps: Vec<FileStep>, open: Vec<String>) -> Plan {
    Plan { steps: steps.into_iter().map(Step::OnFile).collect(), open }
}

/// Takes a file to where nothing runs it.
pub(super) fn quarantine(
    command: &Command,
    file: &FileIs,
    ground: Ground<'_>,
) -> Result<Plan, PlanError> {
    match at(&file.path, ground)? {
        Some(found) => take(command, file, &found, ground),
        None => refuse(Refusal::IdentityMismatch, format!("nothing is at {}", file.path)),
    }
}

/// Removes a trace of the adversary; one that is not there is as good as removed.
pub(super) fn remove(
    command: &Command,
    artefact: &Artefact,
    ground: Ground<'_>,
) -> Result<Plan, PlanError> {
    match artefact {
        Artefact::File(file) => match at(&file.path, ground)? {
            Some(found) => take(command, file, &found, ground),
            // What is gone may run still.
            None => {
                let absent = FileStep::ConfirmAbsent(file.path.clone());
                Ok(steps(vec![absent, FileStep::NameRunners(file.clone())], Vec::new()))
            }
        },
        Artefact::SystemdUnit { path, sha256 } => unit(command, path, *sha256, ground),
        Artefact::CronLine { path, line }
        | Artefact::AuthorizedKey { path, line }
        | Artefact::TextLine { path, line } => cut(command, path, line, ground),
        Artefact::Account(_) => {
            let detail = "this agent has no plan for the removal of an account";
            refuse(Refusal::UnknownAction, detail.to_owned())
        }
    }
}

/// What lies at a path that may be touched; `None` when nothing does.
fn at(path: &Text, ground: Ground<'_>) -> Result<Option<Found>, PlanError> {
    if !is_plain(path) {
        let detail = format!("{path} is not written plainly: it has `.`, `..` or an empty part");
        return refuse(Refusal::BadInput, detail);
    }
    if let Some(whose) = guarded(path, &ground.files.own, ground.protected) {
        return refuse(Refusal::Protected, format!("{path} is {whose}"));
    }
    match ground.files.at(path) {
        Look::Nothing => Ok(None),
        Look::File(found) if found.is_own => {
            refuse(Refusal::Protected, format!("{path} is a name of the agent's own file"))
        }
        Look::File(found) => Ok(Some(*found)),
        Look::Not { refusal, what } => refuse(refusal, format!("{path} is {what}")),
    }
}

/// Whether a file of a package may be touched.
fn packaged(
    command: &Command,
    path: &Text,
    package: Option<&Package>,
    persons: u32,
) -> Result<(), PlanError> {
    let Some(Package { name, .. }) = package else { return Ok(()) };
    if !command.overrides.contains(&Override::PackagedFile) {
        let detail = format!(
            "{path} belongs to the package `{name}`: it is touched only when the command says so \
             (override `packaged_file`) and two persons sign"
        );
        return refuse(Refusal::Protected, detail);
    }
    if persons < 2 {
        let detail = format!("two persons sign for {path}: it belongs to the package `{name}`");
        return refuse(Refusal::MoreSigners, detail);
    }
    Ok(())
}

fn same(file: &FileIs, found: &Found) -> Result<(), PlanError> {
    let FileIs { path, device, inode, sha256 } = file;
    let there = &found.file;
    let detail = if (there.device, there.inode) != (*device, *inode) {
        format!(
            "{path} is another file: {}:{} rather than {device}:{inode}",
            there.device, there.inode
        )
    } else if there.sha256 != *sha256 {
        format!("{path} has other contents: SHA-256 {}", there.sha256)
    } else {
        return Ok(());
    };
    refuse(Refusal::IdentityMismatch, detail)
}

/// An entry of this command; its name follows from the command's, so that a plan is made twice alike.
fn entry(
    command: &Command,
    index: usize,
    change: Change,
    ground: Ground<'_>,
) -> Result<Box<Entry>, PlanError> {
    let named = [command.id.as_bytes().as_slice(), &index.to_le_bytes()].concat();
    let digest = Sha256::of(&named);
    let id = digest.as_bytes().first_chunk::<16>().and_then(|it| LedgerId::from_slice(it));
    let Some(id) = id else {
        return refuse(Refusal::BadInput, "an entry of the ledger has no name".to_owned());
    };
    let at = ground.now.sample.realtime;
    let (command, incident, state) = (command.id, command.incident, State::Begun);
    Ok(Box::new(Entry { id, command, incident, at, change, state }))
}

fn keep(found: &Found, ground: Ground<'_>) -> Result<Kept, PlanError> {
    let held = ground.ledger.kept_bytes();
    if held.saturating_add(found.size_bytes) > KEPT_BYTES_MAX {
        let detail = format!("the quarantine holds {held} bytes, and has no room for more");
        return refuse(Refusal::LocalPolicy, detail);
    }
    let attributes = found.attributes.clone();
    Ok(Kept { file: found.file.clone(), size_bytes: found.size_bytes, attributes })
}

/// What a file leaves open when it is taken.
fn left(found: &Found) -> Vec<String> {
    let path = &found.file.path;
    let mut open = Vec::new();
    if found.names > 1 {
        let others = found.names - 1;
        open.push(format!("{path} has {others} other name(s): hard links, which stay"));
    }
    if found.attributes.is_cut {
        open.push(format!("{path} has more extended attributes than are kept"));
    }
    open
}

fn take(
    command: &Command,
    file: &FileIs,
    found: &Found,
    ground: Ground<'_>,
) -> Result<Plan, PlanError> {
    same(file, found)?;
    packaged(command, &file.path, found.package.as_ref(), ground.persons)?;
    let is_removal = command.action.name() == "remove";
    let change = Change::Taken { kept: keep(found, ground)?, is_removal };
    let list = vec![
        FileStep::Do(entry(command, 0, change, ground)?),
        FileStep::ConfirmAbsent(file.path.clone()),
        FileStep::NameRunners(file.clone()),
    ];
    Ok(steps(list, left(found)))
}

fn unit(
    command: &Command,
    path: &Text,
    sha256: Sha256,
    ground: Ground<'_>,
) -> Result<Plan, PlanError> {
    let found = at(path, ground)?;
    let (mut list, mut gone, mut open) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(found) = &found {
        same(&FileIs { sha256, ..found.file.clone() }, found)?;
        packaged(command, path, found.package.as_ref(), ground.persons)?;
        open = left(found);
    }
    let around = ground.files.unit.clone().unwrap_or_else(|| {
        open.push("the folders of units could not be read: links may enable it still".to_owned());
        Unit::default()
    });
    // Its links first: so there is no moment in which a link enables what is not there.
    for (index, link) in around.links.iter().enumerate() {
        gone.push(FileStep::ConfirmAbsent(link.path.clone()));
        let change = Change::Unlinked(link.clone());
        list.push(FileStep::Do(entry(command, index + 1, change, ground)?));
    }
    gone.push(FileStep::ConfirmAbsent(path.clone()));
    if let Some(found) = found {
        let change = Change::Taken { kept: keep(&found, ground)?, is_removal: true };
        list.push(FileStep::Do(entry(command, 0, change, ground)?));
    }
    list.extend(gone);
    if !around.pids.is_empty() {
        let pids: Vec<_> = around.pids.iter().map(ToString::to_string).collect();
        open.push(format!("{path} runs: end its processes {}", pids.join(" ")));
    }
    if around.is_read {
        open.push(format!("systemd may act on {path} until `systemctl daemon-reload` or a reboot"));
    }
    Ok(steps(list, open))
}

fn cut(command: &Command, path: &Text, line: &Text, ground: Ground<'_>) -> Result<Plan, PlanError> {
    if line.is_empty() || line.as_bytes().contains(&b'\n') {
        let detail = "the line must be one whole line, and not an empty one".to_owned();
        return refuse(Refusal::BadInput, detail);
    }
    let gone = FileStep::ConfirmNoLine { path: path.clone(), line: line.clone() };
    let Some(found) = at(path, ground)? else { return Ok(steps(vec![gone], Vec::new())) };
    let Some(cut) = ground.files.cut else {
        return refuse(
            Refusal::BadInput,
            format!("{path} is too large, or changes while it is read"),
        );
    };
    if cut.lines == 0 {
        return Ok(steps(vec![gone], Vec::new()));
    }
    let package = found.package.as_ref().filter(|it| !it.is_configuration);
    packaged(command, path, package, ground.persons)?;
    let mut open = Vec::new();
    if found.names > 1 {
        let others = found.names - 1;
        open.push(format!("{path} has {others} other name(s), hard links: the line stays there"));
    }
    if found.attributes.is_cut {
        open.push(format!("{path} has more extended attributes than are kept"));
    }
    let (kept, line, after) = (keep(&found, ground)?, line.clone(), cut.after);
    let change = Change::Cut { kept, line, after };
    Ok(steps(vec![FileStep::Do(entry(command, 0, change, ground)?), gone], open))
}

/// Brings back what was quarantined.
pub(super) fn restore(id: LedgerId, ground: Ground<'_>) -> Result<Plan, PlanError> {
    match ground.ledger.find(id).map(|it| &it.change) {
        Some(Change::Cut { .. } | Change::Unlinked(_)) => {
            let detail = format!("entry {id} took no file away: it is for `undo`");
            refuse(Refusal::BadInput, detail)
        }
        Some(Change::Taken { .. }) | None => undo(id, ground),
    }
}

/// Undoes an entry, once.
pub(super) fn undo(id: LedgerId, ground: Ground<'_>) -> Result<Plan, PlanError> {
    let Some(entry) = ground.ledger.find(id) else {
        let aside = ground.ledger.set_aside().map_or_else(String::new, |it| {
            format!("; the ledger was damaged, and what it held is in `{}`", it.display())
        });
        return refuse(Refusal::BadInput, format!("the ledger has no entry {id}{aside}"));
    };
    match entry.state {
        State::Done => (),
        State::Begun | State::Undoing(_) => {
            let detail = format!("how far entry {id} got is not known: look at the host");
            return refuse(Refusal::IdentityMismatch, detail);
        }
        State::Void => return refuse(Refusal::BadInput, format!("entry {id} was never done")),
        State::Undone(by) => {
            return refuse(Refusal::BadInput, format!("command {by} has undone entry {id}"));
        }
    }
    let path = entry.change.path();
    if let Some(whose) = guarded(path, &ground.files.own, ground.protected) {
        return refuse(Refusal::Protected, format!("{path} is {whose}"));
    }
    let last = undoable(entry, ground)?;
    Ok(steps(
        std::iter::once(FileStep::Undo(Box::new(entry.clone()))).chain(last).collect(),
        Vec::new(),
    ))
}

/// Refuses when the world has changed since; with the step that sees that it is as it was.
fn undoable(entry: &Entry, ground: Ground<'_>) -> Result<Option<FileStep>, PlanError> {
    let changed = |detail: String| refuse(Refusal::IdentityMismatch, detail);
    let look = ground.files.at(entry.change.path());
    if let Some(kept) = entry.change.kept()
        && ground.files.kept != Some(kept.file.sha256)
    {
        let id = entry.id;
        return changed(format!(
            "what the quarantine holds of entry {id} is not what was put there"
        ));
    }
    let confirm = |kept: &Kept| FileStep::ConfirmContents {
        path: kept.file.path.clone(),
        sha256: kept.file.sha256,
    };
    match (&entry.change, look) {
        (Change::Taken { kept, .. }, Look::Nothing) => Ok(Some(confirm(kept))),
        (Change::Cut { kept, after, .. }, Look::File(found)) if found.file.sha256 == *after => {
            Ok(Some(confirm(kept)))
        }
        (Change::Cut { kept, .. }, _) => {
            changed(format!("{} has changed since the line was removed", kept.file.path))
        }
        (Change::Unlinked(Link { .. }), Look::Nothing) => Ok(None),
        (change, _) => changed(format!("something is at {} by now", change.path())),
    }
}

#[cfg(test)]
mod tests;
