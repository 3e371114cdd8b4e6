//! Reading a lane's log from its end: what the newest batches say, acknowledged or not.

use std::collections::VecDeque;

use cordon_shared::{
    batch::{Header, Sealed, Source},
    id::{Epoch, EventSeq},
    seglog::{Entry, Log, SeglogError},
};

/// The newest batches that hold `events_max` events or less, oldest first.
pub(super) fn newest(log: &Log, events_max: usize) -> Result<Vec<Sealed>, SeglogError> {
    let (mut newest, mut room) = (VecDeque::new(), events_max);
    for segment in log.segments().iter().rev() {
        let mut reader = log.reader(segment.first);
        let (mut batches, mut events, mut is_cut) = (VecDeque::new(), 0, false);
        while reader.position() < segment.until {
            let Some(entry) = reader.next_entry()? else { break };
            let Entry::Record(record) = entry else { continue };
            let Ok(batch) = Sealed::parse(record.payload) else { continue };
            events += batch.header().count();
            batches.push_back(batch);
            while events > room
                && let Some(oldest) = batches.pop_front()
            {
                events -= oldest.header().count();
                is_cut = true;
            }
        }
        batches.append(&mut newest);
        newest = batches;
        room -= events;
        if is_cut {
            break;
        }
    }
    Ok(newest.into())
}

/// Where the source stood after the newest batch that says so: the newest segments are read until
/// one does.
pub(super) fn newest_source(log: &Log) -> Result<Option<Source>, SeglogError> {
    for segment in log.segments().iter().rev() {
        let mut reader = log.reader(segment.first);
        let mut newest = None;
        while reader.position() < segment.until {
            let Some(entry) = reader.next_entry()? else { break };
            let Entry::Record(record) = entry else { continue };
            let source = Header::parse(&record.payload).map(|it| it.source());
            newest = source.ok().filter(|it| *it != Source::default()).or(newest);
        }
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// Whether the newest records hold a batch of the epoch that ends with `last_seq` or later.
pub(super) fn holds(log: &Log, epoch: Epoch, last_seq: EventSeq) -> Result<bool, SeglogError> {
    let segments = log.segments();
    let Some(newest) = segments.iter().rev().find(|it| it.first < it.until) else {
        return Ok(false);
    };
    let mut reader = log.reader(newest.first);
    while let Some(entry) = reader.next_entry()? {
        let Entry::Record(record) = entry else { continue };
        let header = Header::parse(&record.payload);
        if header.is_ok_and(|it| it.epoch() == epoch && it.last_seq() >= last_seq) {
            return Ok(true);
        }
    }
    Ok(false)
}
