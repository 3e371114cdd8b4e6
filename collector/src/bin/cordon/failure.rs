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
    /// It was done in part; what is shown is true and not all.
    Partial = 4,
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

/// Whoever read the output has stopped: `cordon host list | head`. Nothing failed.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output")]
pub(crate) struct Unread;

/// Whether an error only says that nobody reads any more.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error>::is::<Unread>)
}

/// The exit code of an error: what its cause says, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(why(error) as u8)
}

fn why(error: &anyhow::Error) -> Why {
    let failure = error.chain().find_map(|it| it.downcast_ref::<Failure>());
    failure.map_or(Why::Failed, |it| it.why)
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
    use expect_test::expect;

    use super::{Failure, Unread, Why, is_unread, of_status, why};

    #[test]
    fn a_code_survives_what_is_said_around_it() {
        let failed: anyhow::Result<()> = Err(Failure::new(Why::NotFound, "no such host").into());
        let error = failed.context("show the host").unwrap_err();
        assert_eq!(why(&error), Why::NotFound);
        assert_eq!(format!("{error:#}"), "show the host: no such host");
        assert_eq!(why(&anyhow::anyhow!("anything else")), Why::Failed);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        assert!(is_unread(&anyhow::Error::from(Unread).context("show the host")));
        assert!(!is_unread(&anyhow::anyhow!("anything else")));
    }

    #[test]
    fn every_refusal_of_the_collector_has_a_code() {
        let statuses = [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 504];
        let lines: Vec<_> = statuses
            .iter()
            .map(|it| format!("{it} {:?} {}", of_status(*it), of_status(*it) as u8))
            .collect();
        expect![[r"
            400 Usage 2
            401 Refused 3
            403 Refused 3
            404 NotFound 5
            409 Refused 3
            413 Usage 2
            422 Usage 2
            429 Failed 1
            500 Failed 1
            503 Unreachable 6
            504 Unreachable 6"]]
        .assert_eq(&lines.join("\n"));
    }
}
