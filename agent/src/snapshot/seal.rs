//! Takes what a plan names, entry by entry, and seals it: digests, container, signed manifest.
//!
//! One entry is in memory at a time. What is on disk under another name than a sealed one's is never
//! handed on, so a crash at any point leaves a whole snapshot or none.

use std::{fs::File, io::BufWriter};

use cordon_shared::{
    command::action::SnapshotProfile,
    digest::Sha256,
    id::{CommandId, IncidentId, SnapshotId},
    limit,
    snapshot::{
        Entry, Manifest, Outcome,
        container::{Writer, Written},
    },
    time::ClockSample,
    wire,
};

use super::{
    Kit, Patience, SnapshotError,
    artefact::Take,
    draft::{Draft, Finished, Stop},
    plan::{Item, Plan},
    shelf::ShelfError,
};

/// For which command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Which.
    pub command: CommandId,
    /// Its incident.
    pub incident: Option<IncidentId>,
}

impl Kit {
    /// Takes a snapshot and seals it.
    ///
    /// # Errors
    /// [`SnapshotError`]: there is none.
    pub fn take(
        &self,
        order: Order,
        plan: &Plan,
        patience: &Patience,
    ) -> Result<Manifest, SnapshotError> {
        self.shelf.room()?;
        let id = SnapshotId::random(&*self.clock, &*self.entropy);
        let file = self.shelf.begin(id)?;
        let taken = self.fill(id, &file, (order, plan, patience));
        if taken.is_err() {
            self.shelf.give_up(id);
        }
        taken
    }

    fn fill(
        &self,
        id: SnapshotId,
        file: &File,
        (order, plan, patience): (Order, &Plan, &Patience),
    ) -> Result<Manifest, SnapshotError> {
        let failed = |source| ShelfError::Disk {
            doing: "write a snapshot to",
            path: self.shelf.folder().to_owned(),
            source,
        };
        let began = self.clock.sample();
        let mut out = BufWriter::new(file);
        let mut writer = Writer::new(&mut out);
        let mut take = Take::new(self, &plan.processes, patience);
        let mut entries = Vec::new();
        let mut left_bytes = plan.bytes_max;
        for item in &plan.items {
            self.shelf.is_disk_roomy()?;
            let it = draw(&mut take, item, left_bytes);
            left_bytes = left_bytes.saturating_sub(it.bytes.len() as u64);
            let name = item.artefact.name();
            let is_there = it.outcome != Outcome::Missed;
            let packed_bytes = match is_there {
                true => writer.add(&name, &it.bytes, self.clock.now()).map_err(failed)?,
                false => 0,
            };
            entries.push(Entry {
                name,
                outcome: it.outcome,
                reason: sentence(&it.reason),
                size_bytes: it.bytes.len() as u64,
                sha256: is_there.then(|| Sha256::of(&it.bytes)),
                packed_bytes,
            });
        }
        let written = writer.finish().map_err(failed)?;
        let manifest = self.manifest(id, order, (began, entries, written));
        self.shelf.seal(id, file, &wire::snapshot::sign(&manifest, &self.key))?;
        Ok(manifest)
    }

    fn manifest(
        &self,
        snapshot: SnapshotId,
        order: Order,
        (began, entries, written): (ClockSample, Vec<Entry>, Written),
    ) -> Manifest {
        Manifest {
            snapshot,
            command: order.command,
            agent: self.agent,
            incident: order.incident,
            host_name: self.host_name.clone(),
            boot: self.boot,
            profile: SnapshotProfile::Triage,
            began,
            ended: self.clock.sample(),
            entries,
            size_bytes: written.size_bytes,
            sha256: written.sha256,
        }
    }
}

/// One entry, within what is left of the whole.
fn draw(take: &mut Take<'_>, item: &Item, left_bytes: u64) -> Finished {
    let is_left_less = left_bytes < item.bytes_max;
    let mut draft = Draft::new(item.bytes_max.min(left_bytes));
    let ended = match take.take(item.artefact, &mut draft) {
        Err(Stop::Full(bytes_max)) if is_left_less => {
            let why = format!("more than the {bytes_max} bytes that the command left for it");
            Err(Stop::Failed(why))
        }
        ended => ended,
    };
    draft.finish(ended)
}

/// As much of a reason as a manifest takes.
fn sentence(text: &str) -> String {
    let mut end = text.len().min(limit::RECEIPT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
