//! The closed set of actions ↔ wire, both directions.

use ::bytes::Bytes;
use cordon_proto::v1;
use cordon_proto::v1::command::Action as Wire;

use super::{
    super::{WireError, bytes, kinds, refuse, required},
    file_from, file_to, lease_from, lease_to,
    operand::{
        NAME_BYTES_MAX, OPERANDS_MAX, artefact_from, artefact_to, blocked_from, blocked_to, name,
        networks_from, networks_to, question_from, question_to,
    },
    path_from, process_from, process_to,
};
use crate::{
    command::action::{Action, ProcessTarget},
    digest::Sha256,
    id::{CommandId, ExerciseId, LedgerId, ProcessKey, SweepId},
    text::Text,
    wire,
};

/// Collectors that an agent knows, and authorities that it trusts.
const COLLECTORS_MAX: usize = 16;

#[expect(clippy::too_many_lines, reason = "a table: one arm for each action")]
pub(super) fn to_wire(action: &Action) -> Wire {
    let id = |it: &CommandId| bytes(it.as_bytes());
    let paths = |it: &[Text]| it.iter().map(Text::to_bytes).collect::<Vec<_>>();
    let processes = |it: &[ProcessKey]| it.iter().map(|it| process_to(*it)).collect::<Vec<_>>();
    match action {
        Action::Kill(ProcessTarget { process, is_tree }) => {
            Wire::Kill(v1::Kill { process: Some(process_to(*process)), is_tree: *is_tree })
        }
        Action::Suspend(ProcessTarget { process, is_tree }) => {
            Wire::Suspend(v1::Suspend { process: Some(process_to(*process)), is_tree: *is_tree })
        }
        Action::Resume(ProcessTarget { process, is_tree }) => {
            Wire::Resume(v1::Resume { process: Some(process_to(*process)), is_tree: *is_tree })
        }
        Action::Isolate { allowed, container } => Wire::Isolate(v1::Isolate {
            allowed: networks_to(allowed),
            container: container.to_bytes(),
        }),
        Action::Release { hold } => Wire::Release(v1::Release { hold: id(hold) }),
        Action::Block(it) => Wire::Block(v1::Block { blocked: blocked_to(it) }),
        Action::Unblock { blocked, hold } => {
            Wire::Unblock(v1::Unblock { blocked: blocked_to(blocked), hold: id(hold) })
        }
        Action::Cut { process, remote } => {
            Wire::Cut(v1::Cut { process: process.map(process_to), remote: networks_to(remote) })
        }
        Action::Quarantine(it) => Wire::Quarantine(v1::Quarantine { file: Some(file_to(it)) }),
        Action::Restore(it) => Wire::Restore(v1::Restore { ledger_entry: bytes(it.as_bytes()) }),
        Action::Remove(it) => Wire::Remove(v1::Remove { artefact: Some(artefact_to(it)) }),
        Action::LockAccount(it) => Wire::LockAccount(v1::LockAccount { account: it.clone() }),
        Action::UnlockAccount { account, hold } => {
            Wire::UnlockAccount(v1::UnlockAccount { account: account.clone(), hold: id(hold) })
        }
        Action::EndSessions(it) => Wire::EndSessions(v1::EndSessions { account: it.clone() }),
        Action::DisableUnit(it) => Wire::DisableUnit(v1::DisableUnit { unit: it.clone() }),
        Action::Snapshot { profile, processes: of, bytes_max } => {
            Wire::Snapshot(v1::TakeSnapshot {
                profile: kinds::snapshot_to(*profile),
                processes: processes(of),
                bytes_max: *bytes_max,
            })
        }
        Action::Collect { paths: of, bytes_max } => {
            Wire::Collect(v1::Collect { paths: paths(of), bytes_max: *bytes_max })
        }
        Action::Sweep { sweep, questions } => Wire::Sweep(v1::Sweep {
            sweep_id: bytes(sweep.as_bytes()),
            questions: questions.iter().map(question_to).collect(),
        }),
        Action::Scan { rules_sha256, paths: of, processes: also } => Wire::Scan(v1::Scan {
            rules_sha256: bytes(rules_sha256.as_bytes()),
            paths: paths(of),
            processes: processes(also),
        }),
        Action::RenewLease { hold, lease } => Wire::Renew(v1::RenewLease {
            hold: bytes(hold.as_bytes()),
            lease: Some(lease_to(*lease)),
        }),
        Action::Undo(it) => Wire::Undo(v1::Undo { ledger_entry: bytes(it.as_bytes()) }),
        Action::Rehearse { exercise, scenario, step } => Wire::Rehearse(v1::Rehearse {
            exercise: bytes(exercise.as_bytes()),
            scenario: scenario.clone(),
            step: *step,
        }),
        Action::SetPolicy(it) => Wire::SetPolicy(v1::SetPolicy { policy: it.clone() }),
        Action::SetRules { rules_sha256, rules } => Wire::SetRules(v1::SetRules {
            rules_sha256: bytes(rules_sha256.as_bytes()),
            rules: rules.clone(),
        }),
        Action::SetCollector { addresses, authorities } => Wire::SetCollector(v1::SetCollector {
            addresses: addresses.clone(),
            authorities: authorities.clone(),
        }),
        Action::UpdateKeyring(it) => {
            Wire::UpdateKeyring(v1::UpdateKeyring { keyring: Some(wire::keyring::to_wire(it)) })
        }
    }
}

pub(super) fn from_wire(wire: &Wire) -> Result<Action, WireError> {
    let hold = |it: &Bytes| required("hold", it, CommandId::from_slice);
    Ok(match wire {
        Wire::Kill(it) => Action::Kill(target(it.process.as_ref(), it.is_tree)?),
        Wire::Suspend(it) => Action::Suspend(target(it.process.as_ref(), it.is_tree)?),
        Wire::Resume(it) => Action::Resume(target(it.process.as_ref(), it.is_tree)?),
        Wire::Isolate(it) => Action::Isolate {
            allowed: networks_from(&it.allowed)?,
            container: container(&it.container)?,
        },
        Wire::Release(it) => Action::Release { hold: hold(&it.hold)? },
        Wire::Block(it) => Action::Block(blocked_from(&it.blocked)?),
        Wire::Unblock(it) => {
            Action::Unblock { blocked: blocked_from(&it.blocked)?, hold: hold(&it.hold)? }
        }
        Wire::Cut(it) => Action::Cut {
            process: it.process.as_ref().map(|it| process_from(Some(it))).transpose()?,
            remote: networks_from(&it.remote)?,
        },
        Wire::Quarantine(it) => Action::Quarantine(file_from(it.file.as_ref())?),
        Wire::Restore(it) => Action::Restore(ledger(&it.ledger_entry)?),
        Wire::Remove(it) => Action::Remove(artefact_from(it)?),
        Wire::LockAccount(it) => Action::LockAccount(name("account", &it.account)?),
        Wire::UnlockAccount(it) => {
            Action::UnlockAccount { account: name("account", &it.account)?, hold: hold(&it.hold)? }
        }
        Wire::EndSessions(it) => Action::EndSessions(name("account", &it.account)?),
        Wire::DisableUnit(it) => Action::DisableUnit(name("unit", &it.unit)?),
        Wire::Snapshot(it) => Action::Snapshot {
            profile: kinds::snapshot_from(it.profile)?,
            processes: processes_from(&it.processes)?,
            bytes_max: it.bytes_max,
        },
        Wire::Collect(it) => {
            Action::Collect { paths: paths_from(&it.paths)?, bytes_max: it.bytes_max }
        }
        Wire::Sweep(it) => sweep_from(it)?,
        Wire::Scan(it) => Action::Scan {
            rules_sha256: required("rules_sha256", &it.rules_sha256, Sha256::from_slice)?,
            paths: paths_from(&it.paths)?,
            processes: processes_from(&it.processes)?,
        },
        Wire::Renew(it) => {
            let Some(lease) = &it.lease else { return refuse("lease", "present") };
            Action::RenewLease { hold: hold(&it.hold)?, lease: lease_from(lease)? }
        }
        Wire::Undo(it) => Action::Undo(ledger(&it.ledger_entry)?),
        Wire::Rehearse(it) => Action::Rehearse {
            exercise: required("exercise", &it.exercise, ExerciseId::from_slice)?,
            scenario: name("scenario", &it.scenario)?,
            step: it.step,
        },
        Wire::SetPolicy(it) => Action::SetPolicy(it.policy.clone()),
        Wire::SetRules(it) => Action::SetRules {
            rules_sha256: required("rules_sha256", &it.rules_sha256, Sha256::from_slice)?,
            rules: it.rules.clone(),
        },
        Wire::SetCollector(it) => collector_from(it)?,
        Wire::UpdateKeyring(it) => {
            let Some(keyring) = &it.keyring else { return refuse("keyring", "present") };
            Action::UpdateKeyring(wire::keyring::from_wire(keyring)?)
        }
    })
}

fn sweep_from(it: &v1::Sweep) -> Result<Action, WireError> {
    if it.questions.is_empty() || it.questions.len() > OPERANDS_MAX {
        return refuse("questions", "1..=4096");
    }
    Ok(Action::Sweep {
        sweep: required("sweep_id", &it.sweep_id, SweepId::from_slice)?,
        questions: it.questions.iter().map(question_from).collect::<Result<_, _>>()?,
    })
}

fn collector_from(it: &v1::SetCollector) -> Result<Action, WireError> {
    if it.addresses.is_empty() || it.addresses.len() > COLLECTORS_MAX {
        return refuse("addresses", "1..=16");
    }
    if it.authorities.len() > COLLECTORS_MAX {
        return refuse("authorities", "at most 16");
    }
    let addresses = it.addresses.iter().map(|it| name("addresses", it));
    Ok(Action::SetCollector {
        addresses: addresses.collect::<Result<_, _>>()?,
        authorities: it.authorities.clone(),
    })
}

fn target(process: Option<&v1::ProcessKey>, is_tree: bool) -> Result<ProcessTarget, WireError> {
    Ok(ProcessTarget { process: process_from(process)?, is_tree })
}

fn ledger(wire: &Bytes) -> Result<LedgerId, WireError> {
    required("ledger_entry", wire, LedgerId::from_slice)
}

fn container(wire: &Bytes) -> Result<Text, WireError> {
    if wire.len() > NAME_BYTES_MAX {
        return refuse("container", "at most 253 bytes");
    }
    Ok(Text::from_bytes(wire.clone()))
}

fn paths_from(wire: &[Bytes]) -> Result<Vec<Text>, WireError> {
    if wire.len() > OPERANDS_MAX {
        return refuse("paths", "at most 4096");
    }
    wire.iter().map(|it| path_from("paths", it)).collect()
}

fn processes_from(wire: &[v1::ProcessKey]) -> Result<Vec<ProcessKey>, WireError> {
    if wire.len() > OPERANDS_MAX {
        return refuse("processes", "at most 4096");
    }
    wire.iter().map(|it| process_from(Some(it))).collect()
}
