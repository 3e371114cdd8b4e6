//! The words of an incident as values: its six phases, what people say of it and of its hosts, what
//! is looked for. What moves a phase is the collector's `incident::phase`.

use std::{fmt, net::IpAddr};

use crate::{digest::Sha256, limit};

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
    /// Those that each host in scope has of its own.
    pub const OF_HOST: [Self; 3] = [Self::Containment, Self::Eradication, Self::Recovery];

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

/// What people found an incident to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// An adversary, or a breach of policy.
    TruePositive,
    /// What was detected did not happen.
    FalsePositive,
    /// It happened, and was allowed.
    Benign,
    /// It was staged.
    Test,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TruePositive, Self::FalsePositive, Self::Benign, Self::Test];

    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::Benign => "benign",
            Self::Test => "test",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What people say of a host in scope that no command reaches, or need not reach.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Declaration {
    /// Switched off.
    Off,
    /// It does not exist any more.
    Gone,
    /// Somebody else keeps it from others: a firewall, a pulled cable.
    ContainedElsewhere,
    /// It was looked at, and the adversary was never there: a sweep can hit what is innocent.
    Unaffected,
}

impl Declaration {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Gone, Self::ContainedElsewhere, Self::Unaffected];

    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Gone => "gone",
            Self::ContainedElsewhere => "contained_elsewhere",
            Self::Unaffected => "unaffected",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What kind of work a task is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TaskKind {
    /// Something to be better at next time; its end is not waited for.
    ActionItem,
    /// What let the adversary in.
    Weakness,
    /// A secret that the adversary may know.
    Credential,
}

impl TaskKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ActionItem, Self::Weakness, Self::Credential];

    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActionItem => "action_item",
            Self::Weakness => "weakness",
            Self::Credential => "credential",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What an indicator is a value of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum IndicatorKind {
    /// Contents of a file.
    Sha256,
    /// Place of a file.
    Path,
    /// The other side of a connection.
    Address,
}

impl IndicatorKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Path, Self::Address];

    /// The word in the API, the CLI and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Path => "path",
            Self::Address => "address",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A value to look for, in one spelling: two that mean the same are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Indicator {
    kind: IndicatorKind,
    value: String,
}

impl Indicator {
    /// Contents of a file.
    #[must_use]
    pub fn sha256(digest: Sha256) -> Self {
        Self { kind: IndicatorKind::Sha256, value: digest.to_string() }
    }

    /// The other side of a connection; an IPv4 address in IPv6 clothes is itself.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self { kind: IndicatorKind::Address, value: address.to_canonical().to_string() }
    }

    /// Reads a value: 64 hexadecimal digits, an absolute path of at most 4,096 bytes that is no
    /// folder's name, an address.
    #[must_use]
    pub fn parse(kind: IndicatorKind, text: &str) -> Option<Self> {
        match kind {
            IndicatorKind::Sha256 => Sha256::parse(&text.to_ascii_lowercase()).map(Self::sha256),
            IndicatorKind::Address => text.parse().ok().map(Self::address),
            IndicatorKind::Path => {
                let is_path = text.starts_with('/') && !text.ends_with('/');
                let is_fit =
                    text.len() <= limit::TEXT_BYTES_MAX && !text.contains(char::is_control);
                (is_path && is_fit).then(|| Self { kind, value: text.to_owned() })
            }
        }
    }

    /// Of what.
    #[must_use]
    pub fn kind(&self) -> IndicatorKind {
        self.kind
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Indicator, IndicatorKind};

    #[test]
    fn an_indicator_has_one_spelling() {
        let read = |kind, text: &str| Indicator::parse(kind, text).map(|it| it.to_string());
        let digest = "AB".repeat(32);
        let want = format!("sha256 {}", digest.to_lowercase());
        assert_eq!(read(IndicatorKind::Sha256, &digest), Some(want));
        let address = read(IndicatorKind::Address, "::ffff:192.0.2.1");
        assert_eq!(address.as_deref(), Some("address 192.0.2.1"));
        let path = read(IndicatorKind::Path, "/tmp/x");
        assert_eq!(path.as_deref(), Some("path /tmp/x"));
        for bad in ["", "tmp/x", "/tmp/", "/tmp/\n"] {
            assert_eq!(read(IndicatorKind::Path, bad), None, "{bad}");
        }
        assert_eq!(read(IndicatorKind::Sha256, "ab"), None);
        assert_eq!(read(IndicatorKind::Address, "example.org"), None);
    }
}
