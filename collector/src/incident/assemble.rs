//! Which incident a detection joins: by ancestry, by host, by indicator, by time.
//!
//! On the road: a detection and the open incidents of its agent come in, newest first; a name goes
//! out, or nothing, and then it opens an incident of its own. Pure.
//!
//! Those of other hosts are asked last, and come here only when they look for what was found.
//! Kinship of processes is tried before nearness in time: two intruders on one host are two
//! incidents if their trees are apart and five minutes lie between them.

use std::time::Duration;

use cordon_shared::{
    detection::{Detection, Subject},
    id::{IncidentId, ProcessUid},
    time::Timestamp,
};

/// How far in time a detection about a related process may lie from an incident's events (chosen: a
/// day; a shell that was left open overnight is the same intrusion).
pub const KIN_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// The same for a detection on the same host whose process is not related (chosen: a breakout takes
/// minutes, and its steps often hang below different services).
pub const HOST_WINDOW: Duration = Duration::from_secs(5 * 60);

/// How long ago an incident on another host may have seen an indicator that it shares with a detection
/// (chosen: a day; an intruder who comes to the next host later comes with new tools, or new).
pub const INDICATOR_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// An open incident of the detection's agent, or of another with the same indicator.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name.
    pub id: IncidentId,
    /// The processes that it is about.
    pub subjects: &'a [ProcessUid],
    /// What they descend from.
    pub ancestors: &'a [ProcessUid],
    /// When the first and the last of its events happened; elsewhere, when it was opened and when it
    /// last saw the indicator.
    pub span: (Timestamp, Timestamp),
    /// Whether the detection's host is not in its scope.
    pub is_elsewhere: bool,
}

/// The incident that a detection joins; of several the first, which is the newest.
#[must_use]
pub fn place(detection: &Detection, open: &[Candidate<'_>]) -> Option<IncidentId> {
    let is_kin = |it: &&Candidate<'_>| {
        let subject = detection.subject.as_ref();
        subject.is_some_and(|subject| kin(subject, it)) && distance(detection.at, it) <= KIN_WINDOW
    };
    let is_near = |it: &&Candidate<'_>| {
        let window = if it.is_elsewhere { INDICATOR_WINDOW } else { HOST_WINDOW };
        distance(detection.at, it) <= window
    };
    open.iter().find(is_kin).or_else(|| open.iter().find(is_near)).map(|it| it.id)
}

/// Whether a process is one of an incident's, descends from one, or is an ancestor of one.
///
/// A shared ancestor alone is no kinship: everything shares the first process.
fn kin(subject: &Subject, open: &Candidate<'_>) -> bool {
    open.subjects.contains(&subject.uid)
        || open.ancestors.contains(&subject.uid)
        || subject.ancestry.iter().any(|it| open.subjects.contains(it))
}

/// How far a moment lies outside of an incident's span; zero inside of it.
fn distance(at: Timestamp, open: &Candidate<'_>) -> Duration {
    let (first, last) = open.span;
    first.since(at).max(at.since(last))
}

#[cfg(test)]
mod tests;
