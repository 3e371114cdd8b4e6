//! Who is logged in, and the last logins that worked and did not: utmp(5).

use std::{
    io::{Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use cordon_shared::{text::Text, time::Timestamp};
use serde_json::{Value, json};

use super::{Take, digest};
use crate::snapshot::draft::{Draft, Stop};

/// Bytes of a record (utmp(5), the layout of glibc on 64-bit architectures).
const RECORD_BYTES: usize = 384;

/// Records of one file, the newest (chosen: days of a host that people use).
const RECORDS_MAX: usize = 500;

/// Files of such records: now, the past, and those that failed.
const FILES: [&str; 3] = ["run/utmp", "var/log/wtmp", "var/log/btmp"];

/// `ut_type` that means something to a reader.
const KINDS: [&str; 10] = [
    "empty",
    "run_level",
    "boot",
    "new_time",
    "old_time",
    "init",
    "login",
    "session",
    "dead",
    "accounting",
];

impl Take<'_> {
    pub(super) fn sessions(&self, draft: &mut Draft) -> Result<(), Stop> {
        let mut found = 0;
        for name in FILES {
            let bytes = match tail(&self.ground.root.join(name)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    draft.lacks(format!("{name}: {error}"));
                    continue;
                }
            };
            found += 1;
            for record in bytes.chunks_exact(RECORD_BYTES) {
                if let Some(value) = read(name, record) {
                    draft.line(&value)?;
                }
            }
        }
        match found {
            0 => Err(Stop::Absent("this host keeps no record of logins".to_owned())),
            _ => Ok(()),
        }
    }
}

/// The newest records, from the border of one.
fn tail(path: &Path) -> std::io::Result<Vec<u8>> {
    let (mut file, about) = digest::open(path)?;
    let records = about.len() / RECORD_BYTES as u64;
    let skipped = records.saturating_sub(RECORDS_MAX as u64) * RECORD_BYTES as u64;
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take((RECORDS_MAX * RECORD_BYTES) as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One record; nothing when it is empty.
fn read(name: &str, record: &[u8]) -> Option<Value> {
    let number = |at: usize| record.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
    let text = |at: usize, len: usize| {
        let field = record.get(at..at + len).unwrap_or_default();
        Text::from(field.split(|it| *it == 0).next().unwrap_or_default()).to_string()
    };
    let kind = record.get(..2)?.try_into().ok().map(i16::from_ne_bytes)?;
    if kind == 0 {
        return None;
    }
    let (seconds, micros) = (i64::from(number(340)?), i64::from(number(344)?));
    let at = seconds.saturating_mul(1_000_000_000).saturating_add(micros.saturating_mul(1_000));
    Some(json!({
        "file": name,
        "kind": usize::try_from(kind).ok().and_then(|it| KINDS.get(it)),
        "pid": number(4)?,
        "line": text(8, 32),
        "user": text(44, 32),
        "host": text(76, 256),
        "session": number(336)?,
        "time": Timestamp::from_ns(at).to_string(),
        "address": address(record.get(348..364)?),
    }))
}

/// IPv4 in the first word, or IPv6 in all four; nothing when it was no login from elsewhere.
fn address(bytes: &[u8]) -> Option<String> {
    let words: [u8; 16] = bytes.try_into().ok()?;
    let (first, rest) = words.split_first_chunk::<4>()?;
    let address = match rest.iter().all(|it| *it == 0) {
        true => IpAddr::V4(Ipv4Addr::from(*first)),
        false => IpAddr::V6(Ipv6Addr::from(words)),
    };
    (!address.is_unspecified()).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{RECORD_BYTES, read};

    #[test]
    fn a_record_is_read_as_utmp_5_has_it() {
        let mut record = vec![0; RECORD_BYTES];
        record[0] = 7;
        record[4..8].copy_from_slice(&4_711_i32.to_ne_bytes());
        record[8..13].copy_from_slice(b"pts/0");
        record[44..47].copy_from_slice(b"bob");
        record[76..85].copy_from_slice(b"\xffhost.org");
        record[340..344].copy_from_slice(&1_764_001_000_i32.to_ne_bytes());
        record[348..352].copy_from_slice(&[192, 0, 2, 1]);
        let shown = read("run/utmp", &record).unwrap().to_string();
        expect![[r#"{"address":"192.0.2.1","file":"run/utmp","host":"\\xffhost.org","kind":"session","line":"pts/0","pid":4711,"session":0,"time":"2025-11-24T16:16:40.000Z","user":"bob"}"#]]
            .assert_eq(&shown);
        for cut in 0..364 {
            assert!(read("run/utmp", &record[..cut]).is_none(), "cut at {cut}");
        }
    }
}
