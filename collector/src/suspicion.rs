//! What people report: something odd becomes a detection to triage like any other.
//!
//! Beside the road: the API hands a report in; a detection goes into the store, which puts it into an
//! incident that is open on that host or opens one, by the same pure rules as those of the watch.
//! It moves no automation: nobody signed for what a person says, and there is no event to cite.

use cordon_shared::{
    detection::{Basis, Detection, RuleSummary, Severity, Subject},
    digest::Sha256,
    entropy::Entropy,
    error::{Classify, Kind},
    id::{AgentId, DetectionId, HostId, IncidentId, ProcessUid, SuppressionId},
    incident::Phases,
    time::{Clock, Timestamp},
};

use crate::{
    incident::{self, phase},
    store::{Answer, By, Gathered, Joined, Judge, NewIncident, OpenIncident, Store, StoreError},
};

/// What stands for a rule in such a detection.
pub const RULE_ID: &str = "staff-report";

/// Bytes of what a person says (chosen: a page).
pub const TEXT_BYTES_MAX: usize = 2_000;

/// Bytes of a path (`PATH_MAX` of linux/limits.h).
pub const PATH_BYTES_MAX: usize = 4_096;

/// How far a reporter's clock may be ahead (chosen: what people's watches are).
const AHEAD_MAX: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// What somebody saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// On which machine.
    pub host: HostId,
    /// Its agent.
    pub agent: AgentId,
    /// In words.
    pub text: String,
    /// The file that it is about.
    pub file: Option<String>,
    /// The process that it is about.
    pub process: Option<ProcessUid>,
    /// When; when it was reported, if nobody says.
    pub at: Option<Timestamp>,
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A field breaks a rule.
    #[error("`{field}` must be {want}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it must be.
        want: &'static str,
    },
    /// The store could not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Classify for ReportError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } => Kind::BadInput,
            Self::Store(error) => error.kind(),
        }
    }
}

/// Takes a report: detection, incident, timeline and audit entry in one transaction.
///
/// # Errors
/// [`ReportError`]: nothing of it is true.
pub async fn take(
    store: &Store,
    report: &Report,
    by: &By,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
) -> Result<(Detection, Gathered), ReportError> {
    let id = DetectionId::random(clock, entropy);
    let detection = detection(id, report, by)?;
    let mut desk = Desk { clock, entropy, now: by.at };
    let gathered = store.report(&detection, by, &mut desk).await?;
    Ok((detection, gathered))
}

/// The detection that a report makes.
///
/// # Errors
/// [`ReportError::Field`].
pub fn detection(id: DetectionId, report: &Report, by: &By) -> Result<Detection, ReportError> {
    let refuse = |field, want| Err(ReportError::Field { field, want });
    let text = report.text.trim();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return refuse("text", "1 to 2000 bytes");
    }
    let is_path = |it: &String| it.starts_with('/') && it.len() <= PATH_BYTES_MAX;
    if !report.file.as_ref().is_none_or(is_path) {
        return refuse("file", "an absolute path of at most 4096 bytes");
    }
    let at = report.at.unwrap_or(by.at);
    if at > by.at.saturating_add(AHEAD_MAX) || at <= Timestamp::from_ns(0) {
        return refuse("at", "a time that has come");
    }
    let file = report.file.as_ref().map(|it| format!(" (file {it})")).unwrap_or_default();
    Ok(Detection {
        id,
        rule: rule(),
        basis: Basis::Report(by.principal.clone()),
        agent: report.agent,
        host: report.host,
        at,
        // Which pid it had, and what it descends from, only its launch would say.
        subject: report.process.map(|uid| Subject { key: None, uid, ancestry: Vec::new() }),
        exercise: None,
        summary: one_line(text) + &one_line(&file),
    })
}

fn rule() -> RuleSummary {
    RuleSummary {
        id: RULE_ID.to_owned(),
        sha256: Sha256::of(RULE_ID.as_bytes()),
        title: "Staff report".to_owned(),
        severity: Severity::Medium,
        techniques: Vec::new(),
    }
}

/// What breaks lines becomes a space.
fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Decides where a report belongs, as the watch does about what rules find.
struct Desk<'a> {
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    now: Timestamp,
}

impl Judge for Desk<'_> {
    fn open(&mut self) -> NewIncident {
        let id = IncidentId::random(self.clock, self.entropy);
        NewIncident { id, phases: phase::opening(), at: self.now }
    }

    fn place(&mut self, detection: &Detection, open: &[OpenIncident]) -> Option<IncidentId> {
        incident::place(detection, open)
    }

    fn suppressed(&self, _: &Detection) -> Option<SuppressionId> {
        None
    }

    fn joined(&mut self, joined: &Joined) -> Option<Phases> {
        let trigger = phase::found(&joined.phases, joined.at);
        phase::next(&joined.phases.map(|(state, _)| state), trigger)
    }

    fn answer(&mut self, _: &Detection, _: &Gathered) -> Answer {
        Answer::Nothing
    }

    fn ordered(&mut self, _: &Phases) -> Option<Phases> {
        None
    }
}

#[cfg(test)]
mod tests;
