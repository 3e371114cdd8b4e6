//! Conservation: what was generated or acknowledged, against what the lake holds.
//!
//! `generated − stored − declared losses = 0`, no event id twice, nothing altered. The oracle knows
//! markers and ids only, so it cannot be wrong in the same way as what it judges.

mod numbers;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

pub use self::numbers::{Numbered, Numbers, numbers};

/// A row of the lake, as far as the oracle looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// `AGENT.EPOCH.lane.SEQ`.
    pub event_id: String,
    /// What the deed was marked with.
    pub marker: String,
    /// Everything else that must not change on the way, in any fixed spelling; empty when unknown.
    pub payload: String,
}

/// What went in: each marker with the payload that it must still have (empty: any).
pub type Generated = BTreeMap<String, String>;

/// Markers that are to be found once each, whatever their payload.
pub fn generated(markers: impl IntoIterator<Item = String>) -> Generated {
    markers.into_iter().map(|marker| (marker, String::new())).collect()
}

/// What the oracle found; [`fmt::Display`] is for a person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// How many were generated.
    pub generated: u64,
    /// How many of them are stored.
    pub stored: u64,
    /// Losses that the system declared.
    pub declared: u64,
    /// Generated and not stored.
    pub missing: Vec<String>,
    /// Stored under more than one event id.
    pub repeated: Vec<String>,
    /// Event ids that name more than one row.
    pub double_ids: Vec<String>,
    /// Stored with another payload than generated.
    pub altered: Vec<String>,
    /// Stored and never generated.
    pub strangers: Vec<String>,
}

impl Verdict {
    /// Generated − stored − declared: 0 when nothing is lost or doubled in silence.
    #[must_use]
    pub fn difference(&self) -> i128 {
        i128::from(self.generated) - i128::from(self.stored) - i128::from(self.declared)
    }

    /// Whether every promise held.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        let faults = [&self.repeated, &self.double_ids, &self.altered, &self.strangers];
        self.difference() == 0 && faults.iter().all(|it| it.is_empty())
    }

    /// Fails with the whole verdict unless every promise held.
    ///
    /// # Errors
    /// The verdict as text.
    pub fn must_hold(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.is_conserved(), "{self}");
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generated, stored, declared, .. } = self;
        write!(out, "{generated} generated - {stored} stored - {declared} declared lost")?;
        write!(out, " = {}", self.difference())?;
        let lists = [
            ("missing", &self.missing),
            ("stored more than once", &self.repeated),
            ("event ids used twice", &self.double_ids),
            ("altered", &self.altered),
            ("never generated", &self.strangers),
        ];
        for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let first: Vec<_> = list.iter().take(5).map(String::as_str).collect();
            write!(out, "; {} {what}: {}", list.len(), first.join(", "))?;
            if list.len() > 5 {
                write!(out, ", …")?;
            }
        }
        Ok(())
    }
}

/// Judges.
#[must_use]
pub fn judge(generated: &Generated, rows: &[Row], declared: u64) -> Verdict {
    let mut ids = BTreeSet::new();
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut verdict = Verdict { generated: generated.len() as u64, declared, ..Verdict::default() };
    for row in rows {
        if !ids.insert(row.event_id.as_str()) {
            verdict.double_ids.push(row.event_id.clone());
        }
        let Some(payload) = generated.get(&row.marker) else {
            verdict.strangers.push(row.marker.clone());
            continue;
        };
        if !payload.is_empty() && *payload != row.payload {
            verdict.altered.push(row.marker.clone());
        }
        *seen.entry(&row.marker).or_default() += 1;
    }
    verdict.stored = seen.len() as u64;
    let repeated = seen.iter().filter(|(_, count)| **count > 1);
    verdict.repeated = repeated.map(|(marker, _)| (*marker).to_owned()).collect();
    let missing = generated.keys().filter(|marker| !seen.contains_key(marker.as_str()));
    verdict.missing = missing.cloned().collect();
    verdict
}

#[cfg(test)]
mod tests;
