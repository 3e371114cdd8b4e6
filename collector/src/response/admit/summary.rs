//! What the audit log and the timeline say of a command: one sentence for each action. Pure.

use cordon_shared::command::{
    Command,
    action::{Action, Artefact, ProcessTarget, Question},
    scope::LeaseEnd,
};

/// What the audit log and the timeline say of it.
pub(super) fn of(command: &Command, persons: &[&str]) -> String {
    let why = if command.reason.is_empty() { "" } else { ": " };
    let dry = if command.is_dry_run { " (dry run)" } else { "" };
    let what = what(&command.action);
    format!("{what}{dry}, signed by {}{why}{}", persons.join(" and "), command.reason)
}

fn what(action: &Action) -> String {
    let name = action.name();
    match action {
        Action::Kill(it) | Action::Suspend(it) | Action::Resume(it) => process(name, it),
        Action::Release { hold } => format!("release from {hold}"),
        Action::Isolate { allowed, .. } if !allowed.is_empty() => {
            let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            format!("isolate but for {}", allowed.join(", "))
        }
        Action::RenewLease { hold, lease } => {
            let minutes = lease.duration.as_secs() / 60;
            let end = match lease.end {
                LeaseEnd::Release => "is released",
                LeaseEnd::Hold => "stays",
            };
            format!("renew the hold of {hold} for {minutes} min, after which it {end}")
        }
        Action::Quarantine(it) => format!("quarantine {} (sha256 {})", it.path, it.sha256),
        Action::Restore(it) => format!("restore entry {it}"),
        Action::Undo(it) => format!("undo entry {it}"),
        Action::Remove(it) => artefact(it),
        Action::Snapshot { bytes_max, .. } => format!("snapshot of at most {bytes_max} bytes"),
        Action::Sweep { sweep, questions } => {
            let questions: Vec<_> = questions.iter().map(question).collect();
            format!("sweep {sweep} for {}", questions.join(", "))
        }
        Action::LockAccount(it) => format!("lock account {it}"),
        Action::EndSessions(it) => format!("end the sessions of {it}"),
        Action::DisableUnit(it) => format!("disable unit {it}"),
        Action::Isolate { .. }
        | Action::Block(_)
        | Action::Unblock { .. }
        | Action::Cut { .. }
        | Action::UnlockAccount { .. }
        | Action::Collect { .. }
        | Action::Scan { .. }
        | Action::Rehearse { .. }
        | Action::SetPolicy(_)
        | Action::SetRules { .. }
        | Action::SetCollector { .. }
        | Action::UpdateKeyring(_) => name.to_owned(),
    }
}

fn process(name: &str, target: &ProcessTarget) -> String {
    let whom = if target.is_tree { "the tree of pid" } else { "pid" };
    format!("{name} {whom} {}", target.process.pid)
}

fn artefact(artefact: &Artefact) -> String {
    match artefact {
        Artefact::CronLine { path, line } => format!("remove from crontab {path}: {line}"),
        Artefact::SystemdUnit { path, .. } => format!("remove unit {path}"),
        Artefact::AuthorizedKey { path, .. } => format!("remove a key from {path}"),
        Artefact::TextLine { path, line } => format!("remove from {path}: {line}"),
        Artefact::Account(it) => format!("remove account {it}"),
        Artefact::File(it) => format!("remove file {} (sha256 {})", it.path, it.sha256),
    }
}

fn question(question: &Question) -> String {
    match question {
        Question::Sha256(it) => format!("sha256 {it}"),
        Question::Path(it) => format!("path {it}"),
        Question::Network(it) => format!("network {it}"),
        Question::Domain(it) => format!("domain {it}"),
        Question::Yara(it) => format!("rules {it}"),
    }
}
