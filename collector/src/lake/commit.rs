//! Batches of the journal as files of the lake, all of them or none.
//!
//! In: arrivals in journal order and the position behind them. Out: one file for each class and day,
//! and one catalog record that makes all of them and the position true. When it fails, nothing has
//! happened and the caller comes again with the same arrivals; when only the last sync failed, the
//! catalog settles it first, so that no row is filed twice.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use cordon_shared::{
    arrival::Arrival,
    event::Event,
    id::EventId,
    ocsf::{Context, Mapper, class},
};

use super::{
    ASIDE, Lake, LakeError,
    batch::Rows,
    catalog::{Catalog, Change, File},
    partition::{self, Partition},
    schema::Effort,
    writer::{self, Writer},
};

/// What a file's name ends with while it is written: nothing that an engine takes for Parquet.
pub(super) const ASIDE_END: &str = ".new";

/// What a commit brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filed {
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Filed {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Events of one class and day: which of an arrival's, in the order of the file.
type Share<'a> = Vec<(&'a Arrival, EventId, &'a Event)>;

impl Lake {
    /// Files batches: afterwards everything below `position` is filed. What is filed already is left
    /// out: after an error it may turn out that it had been filed after all.
    ///
    /// # Errors
    /// [`LakeError`]: nothing was filed, or it is not known yet; call again.
    pub fn file(&self, arrivals: &[Arc<Arrival>], position: u64) -> Result<Filed, LakeError> {
        let mut catalog = self.catalog();
        self.settle(&mut catalog)?;
        let filed = catalog.state().position;
        if filed >= position {
            return Ok(Filed::default());
        }
        let mut change = Change { position, ..Change::default() };
        let name = partition::file_name(self.0.collector, catalog.next());
        let arrivals = arrivals.iter().map(AsRef::as_ref).filter(|it| it.position >= filed);
        let written = shares(arrivals).into_iter().try_for_each(|(partition, share)| {
            change.added.push(self.write(partition, &name, &share)?);
            Ok(())
        });
        self.finish(&mut catalog, written, change)
    }

    /// Makes a change true whose files are in place, or takes them away again.
    pub(super) fn finish(
        &self,
        catalog: &mut Catalog,
        written: Result<(), LakeError>,
        change: Change,
    ) -> Result<Filed, LakeError> {
        let filed = Filed {
            rows: change.added.iter().map(|it| it.rows).sum(),
            files: u64::try_from(change.added.len()).unwrap_or(u64::MAX),
            bytes: change.added.iter().map(|it| it.bytes).sum(),
        };
        let added: Vec<_> = change.added.iter().map(File::path).collect();
        let done = written.and_then(|()| catalog.commit(change));
        self.0.seen.store(catalog.state());
        if done.is_err() && !catalog.is_pending() {
            // The error that matters is the first; a leftover is removed at open.
            drop(self.remove(added.iter().map(String::as_str)));
        }
        done.map(|()| filed)
    }

    /// Goes on with a commit whose last sync failed.
    pub(super) fn settle(&self, catalog: &mut Catalog) -> Result<(), LakeError> {
        let settled = catalog.settle();
        self.0.seen.store(catalog.state());
        settled
    }

    /// Writes and publishes one file, which does not count yet.
    fn write(
        &self,
        partition: Partition,
        name: &str,
        share: &Share<'_>,
    ) -> Result<File, LakeError> {
        let aside = self.aside(partition, name);
        let written = self.encode(&aside, (partition, name), share);
        self.settled((partition, name), written.and_then(|it| self.publish(&aside, it)))
    }

    /// Writes one file aside.
    fn encode(
        &self,
        aside: &Path,
        (partition, name): (Partition, &str),
        share: &Share<'_>,
    ) -> Result<File, LakeError> {
        let class = partition.class;
        let size = (share.len(), Effort::Filing);
        let mut writer = Writer::begin(&*self.0.disk, aside.to_owned(), class, size)?;
        let (mut rows, mut mapper) = (Rows::new(class), Mapper::default());
        let (mut time_min_ms, mut time_max_ms) = (i64::MAX, i64::MIN);
        for (arrival, id, event) in share {
            let context = context(arrival, *id, event);
            time_min_ms = time_min_ms.min(context.time.as_ms());
            time_max_ms = time_max_ms.max(context.time.as_ms());
            rows.begin();
            mapper.map(event, &context, &mut rows);
            if rows.is_full() {
                writer.write(&take(&mut rows, aside)?)?;
            }
        }
        if rows.len() > 0 {
            writer.write(&take(&mut rows, aside)?)?;
        }
        Ok(File {
            class,
            day: partition.day,
            name: name.to_owned(),
            rows: u64::try_from(share.len()).unwrap_or(u64::MAX),
            bytes: writer.finish()?,
            time_min_ms,
            time_max_ms,
            level: 0,
        })
    }

    /// Passes a file on; the room of one that did not come to be is given back at once, since its
    /// disk may be full (F-7).
    pub(super) fn settled(
        &self,
        (partition, name): (Partition, &str),
        written: Result<File, LakeError>,
    ) -> Result<File, LakeError> {
        if written.is_err() {
            let published = self.0.dir.join(partition.folder()).join(name);
            for path in [self.aside(partition, name), published] {
                // The error that matters is the first; a leftover is removed at open.
                drop(self.0.disk.remove(&path));
            }
        }
        written
    }

    /// Where a file lies while it is written.
    pub(super) fn aside(&self, partition: Partition, name: &str) -> std::path::PathBuf {
        let Partition { class, day } = partition;
        self.0.dir.join(ASIDE).join(format!("{class}-{day}-{name}{ASIDE_END}"))
    }

    /// Gives a file that lies aside its place.
    pub(super) fn publish(&self, aside: &Path, file: File) -> Result<File, LakeError> {
        let dir = &self.0.dir;
        let (class, day) = (file.partition().class_folder(), file.partition().folder());
        let folders = [dir.join(class), dir.join(day)];
        let folders: Vec<_> = folders.iter().map(AsRef::as_ref).collect();
        writer::publish(&*self.0.disk, aside, &dir.join(file.path()), &folders)?;
        Ok(file)
    }
}

fn take(rows: &mut Rows, path: &Path) -> Result<arrow_array::RecordBatch, LakeError> {
    rows.take().map_err(|it| LakeError::parquet("encode", path, it.into()))
}

/// What is known of whom an event came from, and when.
pub(super) fn context<'a>(arrival: &'a Arrival, id: EventId, event: &Event) -> Context<'a> {
    Context {
        id: Some(id),
        agent: arrival.agent,
        host: &arrival.host,
        boot: arrival.boot(),
        time: arrival.corrected(event.boottime),
        received: Some(arrival.received),
    }
}

/// Which event goes to which file, in the order of the files' rows: by agent, epoch, lane and
/// number, the lane as its column reads.
fn shares<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> BTreeMap<Partition, Share<'a>> {
    let mut sorted: Vec<&Arrival> = arrivals.collect();
    sorted.sort_by_key(|it| {
        (it.agent, it.header.epoch(), it.header.lane().as_str(), it.header.first_seq())
    });
    let mut shares: BTreeMap<Partition, Share<'_>> = BTreeMap::new();
    for arrival in sorted {
        for (id, event) in arrival.events() {
            let class = u32::try_from(class::of(&event.body).uid).unwrap_or(0);
            let corrected = arrival.corrected(event.boottime);
            let day = partition::day(corrected, arrival.received);
            shares.entry(Partition { class, day }).or_default().push((arrival, id, event));
        }
    }
    shares
}
