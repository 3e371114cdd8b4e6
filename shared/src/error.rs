//! The only failure vocabulary of the edges: what kind of failure it is, so that gRPC, HTTP and the
//! exit code say the same thing.
//!
//! Every boundary error implements [`Classify`]. Retry policy follows from [`Kind`] alone.

use std::fmt;

/// What kind of failure, as the caller's next act sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input breaks a rule; sending it again will not help.
    BadInput,
    /// The caller has not shown who it is.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The named thing is not there.
    NotFound,
    /// The state moved on; read it again first.
    Conflict,
    /// The input is larger than a stated bound.
    TooLarge,
    /// A quota or a queue is full; back off.
    Busy,
    /// A disk, a peer or a service is away; back off.
    Unavailable,
    /// It took too long; back off.
    Timeout,
    /// Stored bytes fail their checksum.
    Corrupt,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Whether the same request may be sent again, after a delay.
    #[must_use]
    pub fn is_retried(self) -> bool {
        match self {
            Self::Busy | Self::Unavailable | Self::Timeout => true,
            Self::BadInput
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::TooLarge
            | Self::Corrupt
            | Self::Internal => false,
        }
    }

    /// The name that logs, JSON and metrics carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadInput => "bad_input",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Implemented by every boundary error.
pub trait Classify {
    /// The kind that the edges translate.
    fn kind(&self) -> Kind;
}
