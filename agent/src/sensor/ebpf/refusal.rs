//! What the kernel refused, as one line for people, and whether more rights would help.
//!
//! In: an error of the loader library's, which may carry megabytes of the verifier's log. Out: a
//! [`SensorError`] whose text is one short line.

use std::{error::Error, io};

use crate::sensor::SensorError;

/// Characters that are kept of what the kernel says (chosen: two lines of a terminal).
const CHARS_MAX: usize = 160;

/// Lines that the verifier ends its log with, whatever it found (kernel/bpf/verifier.c,
/// `print_verification_stats`).
const STATISTICS: &[&str] = &["processed ", "verification time ", "stack depth "];

/// An error while doing what the verb phrase `doing` says, on the way to a loaded sensor.
pub(super) fn of(doing: &str, error: &(dyn Error + 'static)) -> SensorError {
    let cause = cause(error);
    let text = error.to_string();
    let verdict = text.lines().rev().find(|line| is_verdict(line)).filter(|_| text.contains('\n'));
    let mut message = match &cause {
        Some(cause) => format!("cannot {doing}: {cause}"),
        None => format!("cannot {doing}: {text}"),
    };
    if let Some(verdict) = verdict {
        message = format!("{message}: {}", verdict.trim());
    }
    let message = message.lines().next().unwrap_or_default().chars().take(CHARS_MAX).collect();
    match cause.and_then(io::Error::raw_os_error) {
        Some(libc::EPERM) => SensorError::Forbidden(message),
        Some(_) | None => SensorError::Unsupported(message),
    }
}

/// As [`of`], while working on the program `name`.
pub(super) fn of_program(name: &str, error: &(dyn Error + 'static)) -> SensorError {
    of(&format!("load the kernel program `{name}`"), error)
}

/// An error of something that worked, or should have.
pub(super) fn broken(doing: &'static str) -> impl Fn(io::Error) -> SensorError {
    move |source| SensorError::Broken { doing, source }
}

/// The kernel's own error at the bottom.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut at = Some(error);
    while let Some(it) = at {
        if let Some(found) = it.downcast_ref::<io::Error>() {
            return Some(found);
        }
        at = it.source();
    }
    None
}

fn is_verdict(line: &str) -> bool {
    !line.trim().is_empty() && !STATISTICS.iter().any(|it| line.starts_with(it))
}

#[cfg(test)]
mod tests {
    use std::io;

    use expect_test::{Expect, expect};

    use super::of;

    /// As the loader library shows a refused program.
    #[derive(Debug, thiserror::Error)]
    #[error("the BPF_PROG_LOAD syscall returned {source}. Verifier output: {log}")]
    struct Refused {
        source: io::Error,
        log: &'static str,
    }

    #[track_caller]
    fn check(number: i32, log: &'static str, want: &Expect) {
        let source = io::Error::from_raw_os_error(number);
        want.assert_eq(&format!("{:?}", of("load `on_exec`", &Refused { source, log })));
    }

    #[test]
    fn a_missing_right_is_told_from_a_missing_feature() {
        check(
            libc::EPERM,
            "",
            &expect![[
                r#"Forbidden("cannot load `on_exec`: Operation not permitted (os error 1)")"#
            ]],
        );
        check(
            libc::EINVAL,
            "",
            &expect![[r#"Unsupported("cannot load `on_exec`: Invalid argument (os error 22)")"#]],
        );
    }

    #[test]
    fn of_the_verifiers_log_the_last_line_that_says_anything_is_kept() {
        check(
            libc::EACCES,
            "0: (bf) r6 = r1\n1: (79) r7 = *(u64 *)(r6 +0)\nR7 invalid mem access 'scalar'\nprocessed 2 insns\n",
            &expect![[
                r#"Unsupported("cannot load `on_exec`: Permission denied (os error 13): R7 invalid mem access 'scalar'")"#
            ]],
        );
    }
}
