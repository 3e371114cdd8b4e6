//! What went wrong, as scripts see it: one exit code for each kind of failure.

use std::process::ExitCode;

/// Why nothing, or not all, was done. The numbers are a contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// It failed.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// It was refused, or this caller may not.
    Refused = 3,
    /// It is not there.
    NotFound = 5,
    /// The collector cannot be reached.
    Unreachable = 6,
}

/// A failure with its exit code and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    why: Why,
    text: String,
}

impl Failure {
    /// A failure that a person can do something about; `text` says what.
    pub(crate) fn new(why: Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }
}

/// The exit code of an error: what its cause says, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let failure = error.chain().find_map(|it| it.downcast_ref::<Failure>());
    ExitCode::from(failure.map_or(Why::Failed, |it| it.why) as u8)
}

/// What an answer's HTTP status means.
pub(crate) fn of_status(status: u16) -> Why {
    match status {
        400 | 413 | 422 => Why::Usage,
        401 | 403 | 409 => Why::Refused,
        404 => Why::NotFound,
        503 | 504 => Why::Unreachable,
        _ => Why::Failed,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{Failure, Why, exit_code, of_status};

    #[test]
    fn a_code_survives_what_is_said_around_it() {
        let failed: anyhow::Result<()> = Err(Failure::new(Why::NotFound, "no such host").into());
        let error = failed.context("show the host").unwrap_err();
        assert_eq!(
            format!("{:?}", exit_code(&error)),
            format!("{:?}", std::process::ExitCode::from(5))
        );
        assert_eq!(format!("{error:#}"), "show the host: no such host");
    }

    #[test]
    fn every_refusal_of_the_collector_has_a_code() {
        let codes =
            [400, 401, 403, 404, 409, 413, 429, 500, 503, 504].map(|it| of_status(it) as u8);
        assert_eq!(codes, [2, 3, 3, 5, 3, 2, 1, 1, 6, 6]);
    }
}
