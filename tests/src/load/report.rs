//! What a load showed, as a table for people.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::percentiles;
use crate::histogram::Histogram;

/// What a load showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// Agents with a session.
    pub agents: u32,
    /// How long events were due.
    pub duration: Duration,
    /// Events that were due.
    pub offered: u64,
    /// Events that were acknowledged, late ones included.
    pub acked: u64,
    /// Events that were acknowledged until the end of the duration.
    pub acked_in_time: u64,
    /// Events that were acknowledged after it.
    pub late: u64,
    /// An event's weight before compression.
    pub raw_bytes_per_event: u64,
    /// An event's weight on the wire.
    pub sealed_bytes_per_event: u64,
    /// From when a batch was due to its acknowledgement.
    pub from_due: Histogram,
    /// From when it was sent.
    pub from_sent: Histogram,
    /// The disk alone.
    pub fdatasync_idle: Histogram,
    /// The disk beside the load.
    pub fdatasync_busy: Histogram,
    /// CPU time of the collector's threads, by name, in nanoseconds.
    pub cpu: Vec<(String, u64)>,
    /// CPU time of the generator.
    pub own_cpu_ns: u64,
    /// The most memory that the collector had.
    pub memory_bytes_peak: u64,
    /// Rows of the lake, after the collector has stopped.
    pub stored: u64,
    /// Bytes of the lake.
    pub lake_bytes: u64,
}

impl Report {
    fn rows(&self) -> Vec<(String, String)> {
        let seconds = self.duration.as_secs_f64();
        let acked = self.acked.max(1);
        let rate = |events: u64| format!("{:.0} events/s", ratio(events, 1) / seconds);
        let us = |ns: u64| format!("{:.2} us", ratio(ns, acked) / 1_000.0);
        let mut rows = vec![
            ("agents, seconds".to_owned(), format!("{}, {seconds}", self.agents)),
            ("offered".to_owned(), rate(self.offered)),
            (
                "achieved".to_owned(),
                format!("{}; {} events late", rate(self.acked_in_time), self.late),
            ),
            ("not acknowledged".to_owned(), (self.offered - self.acked).to_string()),
            (
                "bytes per event: raw, sent".to_owned(),
                format!("{}, {}", self.raw_bytes_per_event, self.sealed_bytes_per_event),
            ),
            ("ack, from due".to_owned(), percentiles(&self.from_due)),
            ("ack, from sent".to_owned(), percentiles(&self.from_sent)),
            ("fdatasync, alone".to_owned(), percentiles(&self.fdatasync_idle)),
            ("fdatasync, beside the load".to_owned(), percentiles(&self.fdatasync_busy)),
        ];
        let cpu: u64 = self.cpu.iter().map(|it| it.1).sum();
        rows.push(("collector CPU per event".to_owned(), us(cpu)));
        for (thread, ns) in self.cpu.iter().filter(|it| it.1 * 50 > cpu) {
            rows.push((format!("  of it `{thread}`"), us(*ns)));
        }
        rows.push(("generator CPU per event".to_owned(), us(self.own_cpu_ns)));
        let mib = |bytes: u64| format!("{:.0} MiB", ratio(bytes, 1 << 20));
        rows.push(("collector memory, peak".to_owned(), mib(self.memory_bytes_peak)));
        let stored = format!(
            "{} rows, {:.0} bytes each",
            self.stored,
            ratio(self.lake_bytes, self.stored.max(1))
        );
        rows.push(("in the lake".to_owned(), stored));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        rows.push(("load average".to_owned(), load.trim().to_owned()));
        rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(out, "{name:<30} {value}")?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, of three digits")]
fn ratio(of: u64, by: u64) -> f64 {
    of as f64 / by as f64
}

/// CPU time since `before`, by the name of the thread; threads of one name together, largest first.
pub(super) fn grown(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, ns) in before {
        sums.entry(name).or_default().0 += ns;
    }
    for (name, ns) in after {
        sums.entry(name).or_default().1 += ns;
    }
    let of = |(name, (before, after)): (&str, (u64, u64))| {
        (name.to_owned(), after.saturating_sub(before))
    };
    let mut grown: Vec<_> = sums.into_iter().map(of).collect();
    grown.sort_by_key(|it| std::cmp::Reverse(it.1));
    grown
}
