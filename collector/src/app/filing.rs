//! The lake behind the journal: opened before it, since the lake knows from where the journal is
//! needed; fed by a thread that ends after it.

use std::{io, sync::Arc};

use cordon_shared::{entropy::Entropy, id::CollectorId, seglog::Disk, time::Clock};

use super::error::{StartError, system};
use crate::{
    evidence::Vault,
    ingest::{
        Ingest,
        fanout::{Fanout, Sight},
        journal::{self, Journal, JournalError},
    },
    lake::{Lake, LakeError, Opening, filer::Filer},
    layout::Layout,
    metric::Count,
    notice::Board,
    reserve::{Reserve, ReservedDisk},
};

/// The disk of journal and lake, which leaves room for the state.
pub(super) fn disk(layout: &Layout) -> io::Result<(Reserve, Arc<dyn Disk>)> {
    let reserve = Reserve::open(layout.root())?;
    let disk = Arc::new(ReservedDisk::new(reserve.clone()));
    Ok((reserve, disk))
}

/// The folder of evidence, which leaves the same room.
pub(super) fn vault(layout: &Layout, reserve: &Reserve) -> Result<Vault, StartError> {
    let opened = Vault::open(layout.evidence(), reserve.clone());
    opened.map_err(system("make the folder of evidence"))
}

/// Opens the lake; the watch has read the journal up to `watched`.
pub(super) fn open(
    (layout, disk): (&Layout, &Arc<dyn Disk>),
    (collector, watched): (CollectorId, u64),
    (clock, entropy): (Arc<dyn Clock>, &dyn Entropy),
) -> Result<Lake, LakeError> {
    let dir = &layout.lake();
    let disk = Arc::clone(disk);
    let lake = Lake::open(Opening { disk, dir, collector, clock, entropy, is_used: watched > 0 })?;
    Count::LakeMissing.add(lake.missing());
    Ok(lake)
}

/// Opens the journal, which is needed from where its readers ended: the lake, and the watch at
/// `watched`.
pub(super) fn journal(
    (layout, disk): (&Layout, &Arc<dyn Disk>),
    (lake, watched): (&Lake, u64),
    (clock, entropy): (Arc<dyn Clock>, &dyn Entropy),
) -> Result<(Journal, Ingest, Arc<Fanout>), JournalError> {
    let consumers = &[lake.position(), watched];
    let (disk, dir) = (Arc::clone(disk), &layout.journal());
    Journal::open(journal::Opening { disk, dir, consumers, clock, entropy })
}

/// The thread that files, not running yet: from now on the journal forgets nothing that the lake
/// lacks.
pub(super) fn filer(
    (lake, fanout): (&Lake, &Arc<Fanout>),
    board: &Board,
    clock: Arc<dyn Clock>,
) -> Filer {
    let feed = fanout.feed("lake", Sight::Durable, lake.position());
    Filer::new(lake.clone(), feed, clock).telling(board.troubles().clone())
}
