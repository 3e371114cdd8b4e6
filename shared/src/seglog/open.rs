//! Opening a log: which files are its segments, where its end is, and what is missing.
//!
//! On the road: once, before it. The directory's names and each segment's header are read, and the
//! newest segment's records; older segments are believed until they are read. It deletes nothing
//! that could have held a record.
//!
//! - **SP-3**: the newest segment's unfinished end is cut here, before anybody reads it.
//! - Nothing is handed out that a loss of power could take back: what came after the last point
//!   that the records themselves call durable is written once more and synced, since a kernel that
//!   has forgotten a failed sync would vouch for pages that it never wrote (F-8).

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    Damage, DamagedFile, Disk, Gap, GapCause, Index, Log, LogId, Options, Preface, Recovery,
    SeglogError,
    candidate::{Candidate, Newest},
    format::{Name, Seal, parse_name},
    log::{Shared, Table},
};

/// How far a file's name may put the next index ahead of what was read (chosen: 2^40 records, more
/// than a log ever holds), so that a stray name cannot use up the numbers.
const NAME_AHEAD_MAX: u64 = 1 << 40;

/// The directory's files, sorted.
#[derive(Debug, Default)]
struct Sorted {
    /// Segments whose records can be read, by rising index.
    kept: Vec<Candidate>,
    /// Segments whose records cannot.
    excluded: Vec<Candidate>,
}

/// Opens the log in `dir`: everything that [`Recovery`] tells, and the handle.
pub(super) fn recover(
    disk: Arc<dyn Disk>,
    dir: &Path,
    options: &Options,
) -> Result<(Log, Recovery), SeglogError> {
    let in_dir = |doing| move |error| SeglogError::disk(doing, dir, error);
    disk.create_dir(dir).map_err(in_dir("make"))?;
    let lock = disk.lock(dir).map_err(|error| {
        if error.kind() == ErrorKind::WouldBlock {
            SeglogError::Locked { path: dir.to_owned() }
        } else {
            SeglogError::disk("take", dir, error)
        }
    })?;
    let (firsts, strangers) = list(&*disk, dir)?;
    let is_new = firsts.is_empty();
    let mut candidates = Vec::new();
    for first in firsts {
        candidates.push(Candidate::inspect(&*disk, dir, first)?);
    }
    let known_id = majority(&candidates);
    let log_id = known_id.unwrap_or(options.new_log_id);
    let seal = Seal::of(log_id);
    let mut sorted = Sorted::new(candidates, known_id);
    let newest = sorted.read_newest(seal)?;
    let before = sorted.kept.iter().rev().nth(1).map(|segment| segment.first);
    let torn = match (&newest, sorted.kept.last_mut()) {
        (Some(newest), Some(segment)) => segment.settle(&*disk, newest, log_id, before)?,
        (_, _) => None,
    };
    disk.sync_dir(dir).map_err(in_dir("sync"))?;

    let next = sorted.next_index(newest.as_ref(), options);
    let gaps = sorted.gaps(newest.as_ref(), next, options.needed_from, seal)?;
    let oldest = sorted.kept.first().map_or(next, |segment| segment.first);
    let preface = sorted.newest_preface();
    sorted.set_aside(&*disk, next)?;
    let damaged = sorted.damaged();
    let mut table = Table { flushed: next, durable: next, ..Table::default() };
    for segment in &sorted.kept {
        table.push(segment.first, segment.records_at(), segment.bytes);
    }
    let shared =
        Shared { disk, dir: dir.to_owned(), log_id, seal, _lock: lock, table: Mutex::new(table) };
    let recovery =
        Recovery { log_id, is_new, oldest, next, torn, gaps, damaged, strangers, preface };
    Ok((Log::new(shared), recovery))
}

/// The first indexes of the segments, rising, and the files that are none of the log's. Removes
/// segments that were being made: no record in them was ever flushed.
fn list(disk: &dyn Disk, dir: &Path) -> Result<(Vec<Index>, Vec<PathBuf>), SeglogError> {
    let names = disk.list(dir).map_err(|error| SeglogError::disk("list", dir, error))?;
    let mut firsts = Vec::new();
    let mut strangers = Vec::new();
    for name in names {
        let path = dir.join(&name);
        match parse_name(Path::new(&name)) {
            Name::Segment(first) => firsts.push(first),
            Name::Stranger => strangers.push(path),
            Name::Unfinished => {
                disk.remove(&path).map_err(|error| SeglogError::disk("delete", &path, error))?;
            }
        }
    }
    firsts.sort_unstable();
    strangers.sort_unstable();
    Ok((firsts, strangers))
}

/// The log id of most segments; of the oldest among equals. A stray file must not make strangers
/// of all the others.
fn majority(candidates: &[Candidate]) -> Option<LogId> {
    let mut counts: BTreeMap<LogId, usize> = BTreeMap::new();
    let ids = || candidates.iter().filter_map(Candidate::log_id);
    for id in ids() {
        *counts.entry(id).or_default() += 1;
    }
    let most = counts.values().max()?;
    ids().find(|id| counts.get(id) == Some(most))
}

impl Sorted {
    /// Sorts segments by whether their records can be told from others' (`log_id` is known).
    fn new(candidates: Vec<Candidate>, log_id: Option<LogId>) -> Self {
        let mut sorted = Self::default();
        for mut candidate in candidates {
            let id = candidate.log_id();
            if id.is_some() && id != log_id {
                candidate.damage = Some(Damage::OtherLog);
            }
            let is_kept = match candidate.damage {
                None => true,
                Some(Damage::Header) => log_id.is_some(),
                Some(Damage::Empty | Damage::OtherLog | Damage::Unreadable | Damage::Preface) => {
                    false
                }
            };
            if is_kept {
                sorted.kept.push(candidate);
            } else {
                sorted.excluded.push(candidate);
            }
        }
        sorted
    }

    /// Reads the newest segment; one without a header and without a record is none.
    fn read_newest(&mut self, seal: Seal) -> Result<Option<Newest>, SeglogError> {
        while let Some(candidate) = self.kept.pop() {
            let newest = candidate.read(seal)?;
            if candidate.header.is_some() || newest.records > 0 {
                self.kept.push(candidate);
                return Ok(Some(newest));
            }
            self.excluded.push(candidate);
        }
        Ok(None)
    }

    /// The end of what was read.
    fn end(&self, newest: Option<&Newest>) -> Index {
        let excluded = || self.excluded.first().map_or(Index::ZERO, |segment| segment.first);
        newest.map_or_else(excluded, |newest| newest.end)
    }

    /// The index that the next record gets: behind everything that was ever numbered, as far as
    /// files and consumers tell.
    fn next_index(&self, newest: Option<&Newest>, options: &Options) -> Index {
        let end = self.end(newest);
        let bounds = self.excluded.iter().map(|it| it.index_bound(options.segment_bytes_max));
        let named = bounds.filter(|bound| bound.since(end) <= NAME_AHEAD_MAX).max();
        end.max(options.next_min).max(named.unwrap_or(Index::ZERO))
    }

    /// What is missing from `needed_from` up to `next`, as far as names, headers and the newest
    /// segment tell.
    fn gaps(
        &self,
        newest: Option<&Newest>,
        next: Index,
        needed_from: Index,
        seal: Seal,
    ) -> Result<Vec<Gap>, SeglogError> {
        let mut gaps = Vec::new();
        if needed_from > Index::ZERO
            && let Some(oldest) = self.kept.first()
        {
            let cause = GapCause::Missing;
            gaps.push(Gap { from: needed_from, until: oldest.first, cause });
        }
        gaps.append(&mut self.gaps_between(seal)?);
        gaps.extend(newest.iter().flat_map(|newest| &newest.gaps));
        let is_unreadable = self.excluded.iter().any(|it| it.damage == Some(Damage::Unreadable));
        let cause = if is_unreadable { GapCause::Unreadable } else { GapCause::Missing };
        gaps.push(Gap { from: self.end(newest), until: next, cause });
        for gap in &mut gaps {
            gap.from = gap.from.max(needed_from);
        }
        gaps.retain(|gap| gap.records() > 0);
        Ok(gaps)
    }

    /// Missing segments: those whose successor names a predecessor that is not there.
    fn gaps_between(&self, seal: Seal) -> Result<Vec<Gap>, SeglogError> {
        let mut gaps = Vec::new();
        for pair in self.kept.windows(2) {
            let [earlier, later] = pair else { continue };
            let previous = later.header.and_then(|header| header.previous);
            if previous == Some(earlier.first) {
                continue;
            }
            let from = earlier.read(seal)?.end;
            gaps.push(Gap { from, until: later.first, cause: GapCause::Missing });
        }
        Ok(gaps)
    }

    /// The newest whole preface. Damaged ones on the way are noted.
    fn newest_preface(&mut self) -> Option<Preface> {
        for segment in self.kept.iter_mut().rev() {
            match segment.preface() {
                Some(Some(preface)) => return Some(preface),
                Some(None) => segment.damage = Some(Damage::Preface),
                None => (),
            }
        }
        None
    }

    /// Renames what holds bytes and has a name that a segment to come may need.
    fn set_aside(&mut self, disk: &dyn Disk, next: Index) -> Result<(), SeglogError> {
        for segment in &mut self.excluded {
            if segment.first < next || segment.damage == Some(Damage::Empty) {
                continue;
            }
            let mut aside = segment.path.clone().into_os_string();
            aside.push(".aside");
            let aside = PathBuf::from(aside);
            disk.rename(&segment.path, &aside).map_err(segment.disk_error("set aside"))?;
            segment.path = aside;
        }
        Ok(())
    }

    fn damaged(&self) -> Vec<DamagedFile> {
        let mut damaged: Vec<_> = self
            .kept
            .iter()
            .chain(&self.excluded)
            .filter_map(|it| it.damage.map(|damage| DamagedFile { path: it.path.clone(), damage }))
            .collect();
        damaged.sort_by(|a, b| a.path.cmp(&b.path));
        damaged
    }
}
