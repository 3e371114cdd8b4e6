//! What opening the journal finds: damage to be told, and which numbers it holds.
//!
//! On the road: once, before it. It reads, and changes nothing.

use cordon_shared::{
    digest::Sha256,
    seglog::{Entry, Record, Recovery, SeglogError, Writer},
};
use tracing::{error, info, warn};

use super::{
    GROUP_BATCHES, GROUP_BYTES,
    preface::{self, Said},
};
use crate::{
    ingest::{
        dedupe::{Known, Source, Verdict},
        fanout::gap,
        record,
    },
    metric::Count,
};

/// Says what opening found. Damage is no reason not to start: it is a loss to be shown, unless what
/// was lost is elsewhere in the journal.
pub(super) fn report(recovery: &Recovery, skipped: &[u64]) {
    if let Some(torn) = recovery.torn {
        info!(at = %torn.at, bytes = torn.bytes, "the journal's torn end was cut");
    }
    for gap in recovery.gaps.iter().flat_map(|it| gap::without(it, skipped)) {
        error!(from = %gap.from, until = %gap.until, cause = gap.cause.as_str(),
            "the journal has lost records");
        Count::JournalLost.add(gap.records());
    }
    for file in &recovery.damaged {
        error!(path = %file.path.display(), damage = ?file.damage, "a journal segment is damaged");
    }
    for path in &recovery.strangers {
        warn!(path = %path.display(), "a file in the journal's directory is none of its own");
    }
}

/// What the journal holds.
pub(super) struct Found {
    /// Which numbers.
    pub(super) known: Known,
    /// Records that nobody is to see: their batches are elsewhere in the journal (IG-1).
    pub(super) skipped: Vec<u64>,
}

/// Learns what the journal holds: from the newest preface and the records after it, or from all
/// records when there is no whole preface.
pub(super) fn read(writer: &Writer, recovery: &Recovery) -> Result<Found, SeglogError> {
    let preface = recovery.preface.as_ref();
    let said = preface.and_then(|it| Some((it.first, preface::decode(&it.bytes)?)));
    let (first, Said { known, mut skipped }) = said.unwrap_or_default();
    skipped.sort_unstable();
    let from = if known.is_some() { first } else { recovery.oldest };
    let hidden = skipped.clone();
    let mut found = Found { known: known.unwrap_or_default(), skipped };
    let mut reader = writer.log().reader(from);
    let mut source = Source::Agent;
    loop {
        let entries = reader.next_batch(GROUP_BATCHES, GROUP_BYTES)?;
        if entries.is_empty() {
            return Ok(found);
        }
        for entry in entries {
            match entry {
                // It may have come back with the disk; its batch is elsewhere, or comes again.
                Entry::Record(record) if hidden.binary_search(&record.index.as_u64()).is_ok() => (),
                Entry::Record(record) => {
                    if found.learn(&record, source).is_none() {
                        source = Source::Damaged;
                    }
                }
                Entry::Gap(_) => source = Source::Damaged,
            }
        }
    }
}

impl Found {
    /// Takes one record; nothing when it cannot be used.
    fn learn(&mut self, record: &Record, source: Source) -> Option<()> {
        let (head, sealed) = record::decode(&record.payload)
            .inspect_err(|error| error!(index = %record.index, "a record cannot be used: {error}"))
            .ok()?;
        let (header, digest) = (sealed.header(), Sha256::of(sealed.bytes()));
        match self.known.judge(head.agent, header, digest) {
            Verdict::Fresh { .. } => self.known.add(head.agent, header, digest, source),
            Verdict::Repeat { .. } | Verdict::Refused { .. } => {
                error!(index = %record.index, "the journal holds a batch twice");
                self.skipped.push(record.index.as_u64());
            }
        }
        Some(())
    }
}
