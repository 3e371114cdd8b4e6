//! The journal's records ↔ bytes; the format is in the parent.

use std::collections::BTreeMap;

use cordon_shared::{
    crypto::signing::SignedBytes,
    digest::Sha256,
    id::{BootId, CommandId, IncidentId, ProcessKey},
    limit,
    time::Timestamp,
    wire,
};

use super::{Deed, DeedKind, Entry, Intent, receipt_from};

/// Begins the file.
const HEADER: [u8; 8] = *b"CDNJ\x01\0\0\0";

/// A receipt of the largest size, and its frame.
const PAYLOAD_BYTES_MAX: usize = limit::COMMAND_BYTES_MAX + 4_096;

/// One line of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Begun(Intent),
    Ended { command: CommandId, expires: Timestamp, payload_sha256: Sha256, receipt: SignedBytes },
    Reported(CommandId),
}

/// A whole file that says what `entries` say.
pub(super) fn write(entries: &BTreeMap<CommandId, Entry>) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for (command, entry) in entries {
        if let Some(intent) = entry.intent {
            bytes.extend(encode(&Record::Begun(intent)));
        }
        if let Some(receipt) = entry.receipt.clone() {
            let (expires, payload_sha256) = (entry.expires, entry.payload_sha256);
            let command = *command;
            bytes.extend(encode(&Record::Ended { command, expires, payload_sha256, receipt }));
        }
        if entry.is_reported {
            bytes.extend(encode(&Record::Reported(*command)));
        }
    }
    bytes
}

/// The records of a file up to the first that is torn or damaged, and where they end: what was
/// written after that was never promised to anybody. 0 when the file is none of ours.
pub(super) fn read(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(&HEADER) else { return (records, 0) };
    while let Some((record, after)) = next(rest) {
        records.push(record);
        rest = after;
    }
    (records, bytes.len() - rest.len())
}

fn next(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(length)?;
    if crc32c::crc32c(payload) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((decode(payload)?, rest))
}

/// A record with its frame.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let payload = payload(record);
    let mut bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    bytes.extend(crc32c::crc32c(&payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn payload(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(160);
    match record {
        Record::Begun(it) => {
            bytes.push(1);
            bytes.extend(it.command.as_bytes());
            bytes.extend(it.expires.as_ns().to_le_bytes());
            bytes.extend(it.realtime.as_ns().to_le_bytes());
            bytes.extend(it.boot.0);
            bytes.extend(it.payload_sha256.as_bytes());
            bytes.extend(it.incident.map_or([0; 16], |it| *it.as_bytes()));
            bytes.push(u8::from(it.is_automation));
            bytes.push(kind_to(it.deed.kind));
            bytes.extend(it.deed.process.pid.to_le_bytes());
            bytes.extend(it.deed.process.start_ticks.to_le_bytes());
            bytes.push(u8::from(it.deed.is_tree));
        }
        Record::Ended { command, expires, payload_sha256, receipt } => {
            bytes.push(2);
            bytes.extend(command.as_bytes());
            bytes.extend(expires.as_ns().to_le_bytes());
            bytes.extend(payload_sha256.as_bytes());
            bytes.extend(wire::signed::encode(receipt));
        }
        Record::Reported(command) => {
            bytes.push(3);
            bytes.extend(command.as_bytes());
        }
    }
    bytes
}

fn decode(payload: &[u8]) -> Option<Record> {
    let (kind, rest) = payload.split_first()?;
    let (command, rest) = rest.split_first_chunk::<16>()?;
    let command = CommandId::from_slice(command)?;
    match kind {
        1 => begun(command, rest).map(Record::Begun),
        2 => {
            let (expires, rest) = rest.split_first_chunk::<8>()?;
            let (digest, rest) = rest.split_first_chunk::<32>()?;
            Some(Record::Ended {
                command,
                expires: Timestamp::from_ns(i64::from_le_bytes(*expires)),
                payload_sha256: Sha256::from_slice(digest)?,
                receipt: receipt_from(rest)?,
            })
        }
        3 if rest.is_empty() => Some(Record::Reported(command)),
        _ => None,
    }
}

fn begun(command: CommandId, rest: &[u8]) -> Option<Intent> {
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (realtime, rest) = rest.split_first_chunk::<8>()?;
    let (boot, rest) = rest.split_first_chunk::<16>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (incident, rest) = rest.split_first_chunk::<16>()?;
    let (flags, rest) = rest.split_first_chunk::<2>()?;
    let (pid, rest) = rest.split_first_chunk::<4>()?;
    let (start_ticks, rest) = rest.split_first_chunk::<8>()?;
    let [is_tree] = *rest else { return None };
    let process =
        ProcessKey { pid: u32::from_le_bytes(*pid), start_ticks: u64::from_le_bytes(*start_ticks) };
    Some(Intent {
        command,
        incident: IncidentId::from_slice(incident),
        expires: Timestamp::from_ns(i64::from_le_bytes(*expires)),
        realtime: Timestamp::from_ns(i64::from_le_bytes(*realtime)),
        boot: BootId(*boot),
        payload_sha256: Sha256::from_slice(digest)?,
        is_automation: flags[0] != 0,
        deed: Deed { kind: kind_from(flags[1])?, process, is_tree: is_tree != 0 },
    })
}

fn kind_to(kind: DeedKind) -> u8 {
    match kind {
        DeedKind::Other => 0,
        DeedKind::Kill => 1,
        DeedKind::Suspend => 2,
        DeedKind::Resume => 3,
        DeedKind::Files => 4,
    }
}

fn kind_from(number: u8) -> Option<DeedKind> {
    let kinds =
        [DeedKind::Other, DeedKind::Kill, DeedKind::Suspend, DeedKind::Resume, DeedKind::Files];
    kinds.into_iter().find(|it| kind_to(*it) == number)
}
