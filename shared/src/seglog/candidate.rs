//! One file with a segment's name, as opening meets it: header, records, preface.
//!
//! On the road: below `open.rs`, which decides what becomes of it. Damage is a value here, not an
//! error.
//!
//! - **SP-3**: [`Candidate::settle`] cuts an unfinished end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Damage, Disk, Gap, GapCause, Index, LogId, Preface, SeglogError, Torn,
    disk::{DiskFile, Mode},
    format::{
        HeaderError, RECORD_BYTES_MIN, SEGMENT_HEAD_BYTES, Seal, SegmentHeader, segment_path,
    },
    segment::{Found, Scan, insist, is_refused},
    successor::copy,
};

/// A file with a segment's name.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) first: Index,
    pub(super) path: PathBuf,
    /// `None` when it cannot be opened.
    file: Option<Arc<dyn DiskFile>>,
    pub(super) bytes: u64,
    pub(super) header: Option<SegmentHeader>,
    pub(super) damage: Option<Damage>,
}

/// What the newest segment's records say.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) end: Index,
    /// What the records call durable.
    durable: Index,
    pub(super) records: u64,
    pub(super) gaps: Vec<Gap>,
    /// Where an unfinished end begins.
    torn_at: Option<u64>,
    pub(super) has_refused: bool,
}

impl Candidate {
    /// Reads a segment's header.
    pub(super) fn inspect(disk: &dyn Disk, dir: &Path, first: Index) -> Result<Self, SeglogError> {
        let path = segment_path(dir, first);
        let mut candidate = Self { first, path, file: None, bytes: 0, header: None, damage: None };
        let mut head = [0; SEGMENT_HEAD_BYTES];
        let read = insist(|| {
            let file = disk.open(&candidate.path, Mode::Existing)?;
            candidate.bytes = file.bytes()?;
            let read = file.read_at(&mut head, 0)?;
            candidate.file = Some(file);
            Ok(read)
        });
        let read = match read {
            Ok(read) => read,
            Err(error) if is_refused(&error) => {
                candidate.file = None;
                candidate.damage = Some(Damage::Unreadable);
                return Ok(candidate);
            }
            Err(error) => return Err(SeglogError::disk("read", &candidate.path, error)),
        };
        match SegmentHeader::decode(&head[..read]) {
            Ok(header) if header.first != first => candidate.damage = Some(Damage::OtherLog),
            Ok(header) => candidate.header = Some(header),
            Err(HeaderError::Short) => candidate.damage = Some(Damage::Empty),
            Err(HeaderError::Damaged) => candidate.damage = Some(Damage::Header),
            Err(HeaderError::Version(version)) => {
                return Err(SeglogError::Version { path: candidate.path, version });
            }
        }
        Ok(candidate)
    }

    pub(super) fn log_id(&self) -> Option<LogId> {
        self.header.map(|header| header.log_id)
    }

    pub(super) fn records_at(&self) -> u64 {
        self.header.map_or(SEGMENT_HEAD_BYTES as u64, |header| header.records_at())
    }

    pub(super) fn disk_error(
        &self,
        doing: &'static str,
    ) -> impl Fn(io::Error) -> SeglogError + use<> {
        let path = self.path.clone();
        move |error| SeglogError::disk(doing, &path, error)
    }

    fn scan(&self, seal: Seal) -> Option<Scan> {
        let file = self.file.clone()?;
        Some(Scan::new(file, seal, self.records_at(), self.bytes, self.first))
    }

    /// Reads all records.
    pub(super) fn read(&self, seal: Seal) -> Result<Newest, SeglogError> {
        let mut newest = Newest {
            end: self.first,
            durable: self.first,
            records: 0,
            gaps: Vec::new(),
            torn_at: None,
            has_refused: false,
        };
        let Some(mut scan) = self.scan(seal) else { return Ok(newest) };
        loop {
            let from = scan.expected();
            match scan.next().map_err(self.disk_error("read"))? {
                Found::Record { durable, .. } => {
                    newest.records += 1;
                    newest.durable = newest.durable.max(durable);
                }
                Found::Gap { until, cause } => newest.gaps.push(Gap { from, until, cause }),
                Found::End => break,
                Found::Torn { at, .. } => {
                    newest.torn_at = Some(at);
                    break;
                }
            }
        }
        newest.end = scan.expected();
        newest.has_refused = scan.has_refused();
        if newest.has_refused {
            // What the disk refuses today it may give tomorrow: nothing is cut, and the numbers
            // that records in there may have are not given out again.
            newest.torn_at = None;
            let unread = self.bytes.saturating_sub(scan.offset());
            newest.end = newest.end.plus(unread.div_ceil(RECORD_BYTES_MIN));
            let until = newest.end;
            newest.gaps.push(Gap { from: scan.expected(), until, cause: GapCause::Unreadable });
        }
        Ok(newest)
    }

    /// Cuts the unfinished end (SP-3) and makes the rest durable.
    pub(super) fn settle(
        &mut self,
        disk: &dyn Disk,
        newest: &Newest,
        log_id: LogId,
        previous: Option<Index>,
    ) -> Result<Option<Torn>, SeglogError> {
        let Some(file) = self.file.clone() else { return Ok(None) };
        let seal = Seal::of(log_id);
        let mut torn = None;
        if let Some(at) = newest.torn_at {
            file.set_bytes(at).map_err(self.disk_error("cut"))?;
            torn = Some(Torn { at: newest.end, bytes: self.bytes - at });
            self.bytes = at;
        }
        if newest.has_refused {
            file.sync().map_err(self.disk_error("sync"))?;
        } else if newest.durable == self.first || self.header.is_none() {
            // Not even its header and its name are known to be durable. A header that a loss of
            // power took is made anew, or its records could not be told from others' when this
            // is the last segment that is left.
            let header = SegmentHeader::new(log_id, self.first, previous, &[]);
            let lost = header.filter(|_| self.header.is_none() && self.bytes >= self.records_at());
            self.file =
                Some(self.write_again(disk, &*file, lost).map_err(self.disk_error("rewrite"))?);
        } else {
            let from = self.offset_of(newest.durable, seal)?;
            copy(&*file, from..self.bytes, &*file, from).map_err(self.disk_error("rewrite"))?;
            file.sync().map_err(self.disk_error("sync"))?;
        }
        Ok(torn)
    }

    /// Writes the whole file aside, syncs it, and gives it the name anew.
    fn write_again(
        &self,
        disk: &dyn Disk,
        file: &dyn DiskFile,
        header: Option<SegmentHeader>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let write = || {
            let again = disk.open(&aside, Mode::Emptied)?;
            copy(file, 0..self.bytes, &*again, 0)?;
            if let Some(header) = header {
                again.write_at(&header.encode(), 0)?;
            }
            again.sync()?;
            disk.rename(&aside, &self.path)?;
            Ok(again)
        };
        // A leftover is removed by the next open.
        write().inspect_err(|_| drop(disk.remove(&aside)))
    }

    /// Where the first record at or after `index` begins; the end when there is none.
    fn offset_of(&self, index: Index, seal: Seal) -> Result<u64, SeglogError> {
        let Some(mut scan) = self.scan(seal) else { return Ok(self.bytes) };
        if index == self.first {
            return Ok(self.records_at().min(self.bytes));
        }
        loop {
            match scan.next().map_err(self.disk_error("read"))? {
                Found::Record { index: found, at, .. } if found >= index => return Ok(at),
                Found::Record { .. } | Found::Gap { .. } => (),
                Found::End | Found::Torn { .. } => return Ok(self.bytes),
            }
        }
    }

    /// The preface, if it has one: `None` when that is damaged.
    pub(super) fn preface(&self) -> Option<Option<Preface>> {
        let header = self.header.filter(|header| header.preface_bytes > 0)?;
        let mut bytes = vec![0; usize::try_from(header.preface_bytes).unwrap_or(0)];
        let file = self.file.as_ref()?;
        let read = insist(|| file.read_at(&mut bytes, SEGMENT_HEAD_BYTES as u64)).unwrap_or(0);
        let is_whole = read == bytes.len() && crc32c::crc32c(&bytes) == header.preface_crc;
        Some(is_whole.then(|| Preface { first: self.first, bytes: bytes.into() }))
    }

    /// Past the last index that its records could have.
    pub(super) fn index_bound(&self, segment_bytes_max: u64) -> Index {
        let bytes = match self.damage {
            Some(Damage::OtherLog) => return Index::ZERO,
            Some(Damage::Empty) => 0,
            Some(Damage::Unreadable) if self.bytes == 0 => segment_bytes_max,
            Some(Damage::Unreadable | Damage::Header | Damage::Preface) | None => self.bytes,
        };
        self.first.plus(bytes / RECORD_BYTES_MIN)
    }
}
