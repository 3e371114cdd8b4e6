//! Snapshot: what is taken, in order of volatility.

use cordon_shared::{command::action::SnapshotProfile, event::receipt::Refusal, id::ProcessKey};

use super::{Plan, PlanError, Step};
use crate::snapshot;

/// Takes what a profile names. A process that has ended by then is told of in the manifest.
pub(super) fn snapshot(
    profile: SnapshotProfile,
    processes: &[ProcessKey],
    bytes_max: u64,
) -> Result<Plan, PlanError> {
    match profile {
        SnapshotProfile::Triage => (),
        SnapshotProfile::Memory | SnapshotProfile::Full => {
            let name = profile.as_str();
            let detail = format!("this agent takes no snapshot of profile `{name}` yet");
            return Err(PlanError::new(Refusal::UnknownAction, detail));
        }
    }
    let plan = snapshot::plan::triage(processes, bytes_max);
    let plan = plan.map_err(|it| PlanError::new(Refusal::BadInput, it.to_string()))?;
    Ok(Plan { steps: vec![Step::Snapshot(plan)], open: Vec::new() })
}
