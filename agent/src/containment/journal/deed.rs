//! What a command does, as far as a restart has to know.

use cordon_shared::{
    command::{
        Command,
        action::{Action, ProcessTarget},
    },
    id::ProcessKey,
};

use super::{Deed, DeedKind};

impl Deed {
    /// What a restart has to know of a command.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        let deed = |kind, target: &ProcessTarget| Deed {
            kind,
            process: target.process,
            is_tree: target.is_tree,
        };
        match &command.action {
            Action::Kill(target) => deed(DeedKind::Kill, target),
            Action::Suspend(target) => deed(DeedKind::Suspend, target),
            Action::Resume(target) => deed(DeedKind::Resume, target),
            Action::Isolate { .. }
            | Action::Release { .. }
            | Action::Block(_)
            | Action::Unblock { .. }
            | Action::Cut { .. }
            | Action::LockAccount(_)
            | Action::UnlockAccount { .. }
            | Action::EndSessions(_)
            | Action::DisableUnit(_)
            | Action::Snapshot { .. }
            | Action::Collect { .. }
            | Action::Sweep { .. }
            | Action::Scan { .. }
            | Action::RenewLease { .. }
            | Action::Rehearse { .. }
            | Action::SetPolicy(_)
            | Action::SetRules { .. }
            | Action::SetCollector { .. }
            | Action::UpdateKeyring(_) => of_no_process(DeedKind::Other),
            Action::Quarantine(_) | Action::Restore(_) | Action::Remove(_) | Action::Undo(_) => {
                of_no_process(DeedKind::Files)
            }
        }
    }
}

fn of_no_process(kind: DeedKind) -> Deed {
    Deed { kind, process: ProcessKey { pid: 0, start_ticks: 0 }, is_tree: false }
}
