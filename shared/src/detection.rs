//! A detection: a rule, an indicator or a signature matched an event.
//!
//! Made by the collector's detection, gathered into incidents, cited by automation's commands. Few
//! detections are incidents, and one incident may hold many.

use crate::{
    digest::Sha256,
    id::{AgentId, DetectionId, EventId, ExerciseId, HostId, ProcessKey, ProcessUid},
    time::Timestamp,
};

/// How bad it would be, as Sigma's `level` and OCSF's `severity_id` 1 to 5 have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Rarely malicious.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at now.
    High,
    /// To be acted on now.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in rules, the API and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What a detection says of its rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleSummary {
    /// The rule's own id, a UUID in Sigma.
    pub id: String,
    /// Digest of the rule's text: what a person arms is this text and no other.
    pub sha256: Sha256,
    /// Its title.
    pub title: String,
    /// Its level.
    pub severity: Severity,
    /// ATT&CK techniques, `T1059.004`.
    pub techniques: Vec<String>,
}

/// What a detection rests on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Basis {
    /// A rule matched this event.
    Event(EventId),
    /// This person reported it.
    Report(String),
}

impl Basis {
    /// The event, when it is one.
    #[must_use]
    pub fn event(&self) -> Option<EventId> {
        match self {
            Self::Event(event) => Some(*event),
            Self::Report(_) => None,
        }
    }

    /// The person, when it is one.
    #[must_use]
    pub fn reporter(&self) -> Option<&str> {
        match self {
            Self::Event(_) => None,
            Self::Report(who) => Some(who),
        }
    }
}

/// Whom a detection is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The process on its host; a person who reports it does not know this.
    pub key: Option<ProcessKey>,
    /// The process in the world.
    pub uid: ProcessUid,
    /// Its ancestors, nearest first.
    pub ancestry: Vec<ProcessUid>,
}

/// A rule matched an event, or a person saw something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detection {
    /// Of an event derived from it and the rule: a second derivation has the same name.
    pub id: DetectionId,
    /// Which rule.
    pub rule: RuleSummary,
    /// What it rests on.
    pub basis: Basis,
    /// Where: the enrolment.
    pub agent: AgentId,
    /// Where: the machine.
    pub host: HostId,
    /// When the event happened, by the collector's clock.
    pub at: Timestamp,
    /// Whom it is about, when it is about a process.
    pub subject: Option<Subject>,
    /// The exercise that the event belongs to: nothing is ordered about it.
    pub exercise: Option<ExerciseId>,
    /// The event in one line, for people.
    pub summary: String,
}

impl Detection {
    /// The name of what `rule` makes of `event`: the first 16 bytes of
    /// SHA-256("CordonDetectionV1" ‖ 0 ‖ rule id ‖ 0 ‖ event id as text).
    ///
    /// # Panics
    /// Never: no text is known whose digest begins with 16 zeros.
    #[must_use]
    pub fn id_of(rule: &str, event: EventId) -> DetectionId {
        let text = format!("CordonDetectionV1\0{rule}\0{event}");
        let digest = Sha256::of(text.as_bytes());
        let (id, _) = digest.as_bytes().split_first_chunk::<16>().expect("SHA-256 has 32 bytes");
        DetectionId::from_slice(id).expect("no text is known whose digest begins with 16 zeros")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Detection, Severity};
    use crate::id::EventId;

    #[test]
    fn the_same_rule_and_event_make_the_same_detection() {
        let event =
            EventId::parse("07070707-0707-0707-0707-070707070707.0000000012345678.network.1");
        let event = event.expect("this is an event's id");
        let id = Detection::id_of("rule", event);
        expect!["9f50f174-5b05-86d2-b9f1-3d09d29e66e9"].assert_eq(&id.to_string());
        assert_eq!(id, Detection::id_of("rule", event));
        assert_ne!(id, Detection::id_of("other", event));
    }

    #[test]
    fn severities_rise() {
        assert!(Severity::Low < Severity::Critical);
        assert_eq!(Severity::parse("high"), Some(Severity::High));
        assert_eq!(Severity::parse("HIGH"), None);
    }
}
