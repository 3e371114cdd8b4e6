//! The spool: sealed batches on disk until the collector has them.
//!
//! In: sealed batches, from the road. Out: leases, to the session: the same bytes, oldest first, as
//! often as it takes. Three lanes, each with a segment log, a sequence and a quota of its own, so
//! that a flood in one costs the others nothing. Each opening numbers its events in a new random
//! epoch; what older epochs left behind comes first, since the log is in order of time.
//!
//! It knows bytes and the headers of batches, never an event. It never ends the agent: what a full
//! disk or a quota takes is told to the caller as a range of numbers, to be declared.
//!
//! - **SP-1**: a batch is deleted only after its acknowledgement, or is a declared loss.
//! - **SP-2**: leases come in sequence order; what is missing is a declared loss.
//! - **SP-3**: a torn tail is cut at open and never handed out (by `seglog`).
//!
//! Numbers: the critical lane may use half of the spool, the others a quarter each. A lane's segment
//! is an eighth of its quota, 64 KiB to 8 MiB, and is the unit in which it sheds.

mod lane;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cordon_shared::{
    batch::{Sealed, Source},
    digest::Sha256,
    entropy::Entropy,
    error::{Classify, Kind},
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Disk, SeglogError},
};

pub use self::lane::LaneSpool;

/// Why the spool cannot be had. Once open, it refuses nothing.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A folder cannot be made: look at the disk and the configuration.
    #[error("failed to make the folder `{path}`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A lane's log cannot be opened or read.
    #[error("failed to open the {lane} lane of the spool")]
    Log {
        /// Which lane.
        lane: Lane,
        /// Why.
        #[source]
        source: SeglogError,
    },
}

impl Classify for SpoolError {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder { .. } => Kind::Unavailable,
            Self::Log { source, .. } => source.kind(),
        }
    }
}

/// Numbered events that are no longer here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shed {
    /// Whose.
    pub lane: Lane,
    /// Why.
    pub cause: LossCause,
    /// Which; `None` when damage left no header to read them from.
    pub range: Option<(Epoch, EventSeq, EventSeq)>,
    /// How many events, or records when no header was left.
    pub count: u64,
}

/// How far an epoch of a lane was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acked {
    /// Whose.
    pub lane: Lane,
    /// Which opening.
    pub epoch: Epoch,
    /// The last event, and the digest of the batch that it ends.
    pub at: Option<(EventSeq, Sha256)>,
}

/// How the spool is opened.
#[derive(Debug)]
pub struct Settings<'a> {
    /// The spool's folder; its parent is there.
    pub folder: &'a Path,
    /// Quota of all lanes together.
    pub bytes_max: u64,
    /// The door to the file system.
    pub disk: Arc<dyn Disk>,
    /// Makes epochs.
    pub entropy: &'a dyn Entropy,
}

/// Three lanes.
#[derive(Debug)]
pub struct Spool {
    lanes: [LaneSpool; 3],
    bytes_max: u64,
}

impl Spool {
    /// Opens all lanes, each in a new epoch.
    ///
    /// # Errors
    /// [`SpoolError`] naming the folder or the lane.
    pub fn open(settings: &Settings<'_>) -> Result<Self, SpoolError> {
        settings
            .disk
            .create_dir(settings.folder)
            .map_err(|source| SpoolError::Folder { path: settings.folder.to_owned(), source })?;
        let open = |lane: Lane| {
            let folder = settings.folder.join(lane.as_str());
            settings
                .disk
                .create_dir(&folder)
                .map_err(|source| SpoolError::Folder { path: folder.clone(), source })?;
            let share = if lane == Lane::Critical { 2 } else { 4 };
            let bytes_max = settings.bytes_max / share;
            LaneSpool::open(lane, &folder, bytes_max, settings)
                .map_err(|source| SpoolError::Log { lane, source })
        };
        let lanes = [open(Lane::Critical)?, open(Lane::Network)?, open(Lane::File)?];
        Ok(Self { lanes, bytes_max: settings.bytes_max })
    }

    /// One lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &LaneSpool {
        let [critical, network, file] = &self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    /// One lane, to change it.
    pub fn lane_mut(&mut self, lane: Lane) -> &mut LaneSpool {
        let [critical, network, file] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    /// Takes a batch in and writes it, so that it survives `kill -9`. What had to go for it, or could
    /// not be taken, is returned (SP-1).
    ///
    /// When the disk is full although the lane is within its quota, the lanes give way in the order
    /// file, network, critical; never the other way.
    pub fn push(&mut self, batch: &Sealed) -> Vec<Shed> {
        let lane = batch.header().lane();
        let mut shed = Vec::new();
        self.lane_mut(lane).keep_quota(batch.bytes().len(), &mut shed);
        for victim in [Lane::File, Lane::Network, Lane::Critical] {
            if self.lane_mut(lane).push(batch).is_ok() {
                return shed;
            }
            // A lesser lane takes nothing from a greater one.
            if victim.index() >= lane.index() {
                self.lane_mut(victim).shed_oldest(LossCause::Quota, &mut shed);
            }
        }
        if self.lane_mut(lane).push(batch).is_err() {
            shed.push(lane::shed_of(batch.header(), LossCause::Quota));
        }
        shed
    }

    /// Makes everything durable against a loss of power. A disk that fails keeps what it has; the
    /// next call tries again.
    pub fn sync(&mut self) {
        for lane in &mut self.lanes {
            lane.sync();
        }
    }

    /// Up to `batches_max` batches and `bytes_max` bytes of one lane, oldest first, that are not
    /// leased yet (SP-2). What is missing in between is returned beside them.
    ///
    /// # Errors
    /// [`SpoolError::Log`] when the disk does not let them be read: try again later.
    pub fn lease(
        &mut self,
        lane: Lane,
        batches_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Sealed>, Vec<Shed>), SpoolError> {
        self.lane_mut(lane)
            .lease(batches_max, bytes_max)
            .map_err(|source| SpoolError::Log { lane, source })
    }

    /// The newest batches of a lane that are on disk, acknowledged or not, oldest first: as many as
    /// hold `events_max` events or less. What cannot be read is left out.
    ///
    /// # Errors
    /// [`SpoolError::Log`] when the disk refuses.
    pub fn newest(&self, lane: Lane, events_max: usize) -> Result<Vec<Sealed>, SpoolError> {
        self.lane(lane).newest(events_max).map_err(|source| SpoolError::Log { lane, source })
    }

    /// Everything of the epoch up to and with `seq` is on the collector's disk: it may go (SP-1).
    pub fn ack(&mut self, lane: Lane, epoch: Epoch, seq: EventSeq) {
        self.lane_mut(lane).ack(epoch, seq);
    }

    /// What was leased and is not acknowledged will be leased again.
    pub fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.rewind();
        }
    }

    /// How far each epoch that is still held was acknowledged.
    #[must_use]
    pub fn positions(&self) -> Vec<Acked> {
        self.lanes.iter().flat_map(LaneSpool::positions).collect()
    }

    /// Where a lane's source stood after its newest batch.
    #[must_use]
    pub fn resume(&self, lane: Lane) -> Option<Source> {
        self.lane(lane).resume()
    }

    /// Bytes on disk, and the quota.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.lanes.iter().map(LaneSpool::bytes_used).sum(), self.bytes_max)
    }
}

#[cfg(test)]
mod tests;
