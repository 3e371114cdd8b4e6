//! The six phases of an incident as values. What moves them is the collector's `incident::phase`.

/// A phase of incident response (NIST SP 800-61, SANS).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Being ready.
    Preparation,
    /// Finding out what it is.
    Identification,
    /// Stopping it from spreading.
    Containment,
    /// Removing it.
    Eradication,
    /// Coming back, and watching.
    Recovery,
    /// Learning from it.
    LessonsLearned,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Preparation,
        Self::Identification,
        Self::Containment,
        Self::Eradication,
        Self::Recovery,
        Self::LessonsLearned,
    ];

    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparation => "preparation",
            Self::Identification => "identification",
            Self::Containment => "containment",
            Self::Eradication => "eradication",
            Self::Recovery => "recovery",
            Self::LessonsLearned => "lessons_learned",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Position in [`Phase::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Preparation => 0,
            Self::Identification => 1,
            Self::Containment => 2,
            Self::Eradication => 3,
            Self::Recovery => 4,
            Self::LessonsLearned => 5,
        }
    }
}

/// How far a phase is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PhaseState {
    /// Not begun.
    Pending,
    /// Worked on.
    Active,
    /// Closed on its gate's evidence.
    Done,
    /// Worked on again after it was closed.
    Reopened,
}

impl PhaseState {
    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Done => "done",
            Self::Reopened => "reopened",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Done, Self::Reopened]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// The state of each phase, in the order of [`Phase::ALL`].
pub type Phases = [PhaseState; 6];
