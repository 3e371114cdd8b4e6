//! Counts marked launches in the lake: every one must be there, none twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::ensure;
use serde_json::Value;

use super::wait as waiting;
use crate::client::{Client, Query};

/// How long events may take from the host into the lake (chosen: ten of its intervals).
const FILED_WITHIN: Duration = Duration::from_secs(30);
/// Events that are looked at (chosen: more than ten times what the demo makes).
const EVENTS_MAX: usize = 20_000;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    /// Markers that were seen.
    pub(super) distinct: u64,
    /// Markers that were seen more than once.
    pub(super) repeated: u64,
}

impl Tally {
    /// Whether all is there, once.
    ///
    /// # Errors
    /// When not.
    pub(super) fn judge(&self, count: u64) -> anyhow::Result<()> {
        ensure!(
            self.distinct == count,
            "{} of {count} launches are missing",
            count - self.distinct
        );
        ensure!(self.repeated == 0, "{} launches are in the lake twice", self.repeated);
        Ok(())
    }
}

/// Waits until the lake has `count` launches whose argument begins with `marker`, or time is up.
///
/// # Errors
/// When the lake cannot be asked.
pub(super) fn wait(desk: &Client, marker: &str, count: u64) -> anyhow::Result<Tally> {
    let mut seen = None;
    let found = waiting::until("the launches are in the lake", FILED_WITHIN, || {
        let tally = take(desk, marker)?;
        let is_whole = tally.distinct >= count;
        seen = Some(tally.clone());
        Ok(is_whole.then_some(tally))
    });
    match (found, seen) {
        (Err(_), Some(seen)) => Ok(seen),
        (found, _) => found,
    }
}

fn take(desk: &Client, marker: &str) -> anyhow::Result<Tally> {
    let mut by_marker = BTreeMap::<String, BTreeSet<String>>::new();
    let query: Query = vec![("class", "1007".to_owned()), ("name", "true".to_owned())];
    let events: Vec<Value> = desk.list("/api/v1/events", &query, EVENTS_MAX)?;
    for event in &events {
        note(event, marker, &mut by_marker);
    }
    let repeated = by_marker.values().filter(|it| it.len() > 1).count();
    Ok(Tally { distinct: by_marker.len().try_into()?, repeated: repeated.try_into()? })
}

/// Keeps a launch by its marker, with the event's own id.
fn note(event: &Value, marker: &str, by_marker: &mut BTreeMap<String, BTreeSet<String>>) {
    let line = event["process"]["cmd_line"].as_str().unwrap_or_default();
    let word = line.split(' ').find(|it| it.starts_with(marker));
    let (Some(word), Some(uid)) = (word, event["metadata"]["uid"].as_str()) else { return };
    if event["activity_id"] == 1 {
        by_marker.entry(word.to_owned()).or_default().insert(uid.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BTreeMap, note};

    #[test]
    fn a_launch_is_counted_by_its_marker_and_its_own_id() {
        let mut seen = BTreeMap::new();
        let event = |uid: &str, activity: u8| {
            json!({ "activity_id": activity, "metadata": { "uid": uid },
                "process": { "cmd_line": "/bin/true mark-7" } })
        };
        note(&event("a", 1), "mark", &mut seen);
        note(&event("b", 2), "mark", &mut seen);
        note(&event("a", 1), "other", &mut seen);
        assert_eq!(seen["mark-7"].len(), 1, "an exit is no launch, and the same event is one");
        note(&event("c", 1), "mark", &mut seen);
        assert_eq!(seen["mark-7"].len(), 2);
        assert_eq!(seen.len(), 1);
    }
}
