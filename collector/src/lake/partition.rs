//! Which file a row goes to: its class and its day; pure.
//!
//! ```text
//! lake/
//!   class=1007/eventDay=20251124/COLLECTOR-00000000000000000042.parquet
//!   aside/          what is being written
//!   catalog/        which of the files count
//! ```
//!
//! A folder's names are read by engines as columns `class` and `eventDay`, as in Amazon Security
//! Lake; the number in a file's name is the catalog record that brought it. Names hold nothing that
//! a host has said.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use cordon_shared::{
    id::CollectorId,
    limit::{PLAUSIBLE_FUTURE, PLAUSIBLE_PAST},
    time::Timestamp,
};

/// A UTC day, as the number `YYYYMMDD`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub(super) struct Day(u32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// Where rows of one class and day lie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Partition {
    /// The OCSF class.
    pub(super) class: u32,
    /// The day of its rows.
    pub(super) day: Day,
}

/// The day that an event is filed under: that of its corrected time when a host can plausibly have
/// sent it so late or early, else that of its reception. A host with a wrong clock therefore cannot
/// scatter its rows over a century of folders.
pub(super) fn day(corrected: Timestamp, received: Timestamp) -> Day {
    let earliest = received.saturating_sub(PLAUSIBLE_PAST);
    let latest = received.saturating_add(PLAUSIBLE_FUTURE);
    let is_plausible = (earliest..=latest).contains(&corrected);
    let text = if is_plausible { corrected.day() } else { received.day() };
    // Eight digits: nanoseconds since 1970 in 64 bits end in the year 2262.
    Day(text.parse().unwrap_or(0))
}

impl Partition {
    /// Its folder below the lake's.
    pub(super) fn folder(self) -> PathBuf {
        self.class_folder().join(format!("eventDay={}", self.day))
    }

    /// The folder of its class below the lake's.
    pub(super) fn class_folder(self) -> PathBuf {
        Path::new(&format!("class={}", self.class)).to_owned()
    }
}

/// The class that a folder's name names, if it is one of ours.
pub(super) fn class_of(folder: &str) -> Option<u32> {
    folder.strip_prefix("class=")?.parse().ok()
}

/// The day that a folder's name names, if it is one of ours.
pub(super) fn day_of(folder: &str) -> Option<Day> {
    let digits = folder.strip_prefix("eventDay=").filter(|it| it.len() == 8)?;
    digits.parse().ok().map(Day)
}

/// The name of the file that a catalog record brings to a partition.
pub(super) fn file_name(collector: CollectorId, record: u64) -> String {
    format!("{collector}-{record:020}.parquet")
}

/// Whether a name is one that [`file_name`] makes: only such files are ever removed.
pub(super) fn is_file_name(name: &str) -> bool {
    let parsed = name.strip_suffix(".parquet").and_then(|it| it.rsplit_once('-'));
    parsed.is_some_and(|(collector, record)| {
        let is_number = record.len() == 20 && record.bytes().all(|it| it.is_ascii_digit());
        is_number && CollectorId::parse(collector).is_some_and(|it| it.to_string() == collector)
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(corrected: &str, received: &str, want: &Expect) {
        let [corrected, received] =
            [corrected, received].map(|it| Timestamp::parse(it).expect("RFC 3339"));
        want.assert_eq(&day(corrected, received).to_string());
    }

    #[test]
    fn an_event_lies_on_its_own_day_when_that_is_plausible() {
        let received = "2025-11-24T00:00:05Z";
        check("2025-11-24T00:00:04Z", received, &expect!["20251124"]);
        check("2025-11-23T23:59:59Z", received, &expect!["20251123"]);
        check("2025-10-25T00:00:05Z", received, &expect!["20251025"]);
        check("2025-10-25T00:00:04.999Z", received, &expect!["20251124"]);
        check("1970-01-01T00:00:00Z", received, &expect!["20251124"]);
        check("2025-11-24T00:15:05Z", received, &expect!["20251124"]);
        check("2025-11-24T00:15:05Z", "2025-11-23T23:59:59Z", &expect!["20251123"]);
        check("2025-11-24T00:14:59Z", "2025-11-23T23:59:59Z", &expect!["20251124"]);
        check("2262-04-11T00:00:00Z", received, &expect!["20251124"]);
    }

    #[test]
    fn only_our_own_names_are_known() {
        let collector = CollectorId::from_slice(&[7; 16]).unwrap();
        let name = file_name(collector, 42);
        expect!["07070707-0707-0707-0707-070707070707-00000000000000000042.parquet"]
            .assert_eq(&name);
        assert!(is_file_name(&name));
        for other in [
            "x.parquet",
            "part-0.parquet",
            &name.replace("42.", "4x."),
            name.trim_start_matches('0'),
        ] {
            assert!(!is_file_name(other), "{other}");
        }
        assert_eq!(class_of("class=1007"), Some(1007));
        assert_eq!((class_of("catalog"), class_of("class=x")), (None, None));
        assert_eq!(day_of("eventDay=20251124").map(|it| it.to_string()).unwrap(), "20251124");
        assert_eq!((day_of("eventDay=2025"), day_of("eventDay=2025112x")), (None, None));
    }
}
