//! Waiting for something to become true: looks again and again until it is, or until time is up.
//!
//! Level-triggered: what was true for a moment between two looks does not count, and what stays true
//! cannot be missed. The only place in the tests where time is spent doing nothing.

use std::{fmt::Display, time::Duration};

use anyhow::bail;
use cordon_shared::time::{Clock, SystemClock};
use rustix::thread::{NanosleepRelativeResult, nanosleep};

/// First pause between two looks; doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(2);
/// Longest pause between two looks: what a failing test may add to its deadline.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Looks until `look` says `Ok`, and returns what it said.
///
/// `look` is called at least twice: at once and after the deadline. What it says while it is not
/// satisfied is what a person reads when time is up.
///
/// # Errors
/// Names `what`, the deadline and the last thing that was seen.
pub fn until<T, S: Display>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<T, S>,
) -> anyhow::Result<T> {
    let clock = SystemClock;
    let begin = clock.boottime();
    let mut pause_length = PAUSE_FIRST;
    loop {
        let is_over = clock.boottime().since(begin) >= deadline;
        match look() {
            Ok(found) => return Ok(found),
            Err(seen) if is_over => bail!("waited {deadline:?} until {what}; last seen: {seen}"),
            Err(_) => pause(pause_length),
        }
        pause_length = (pause_length * 2).min(PAUSE_MAX);
    }
}

/// Looks until `is_so` says yes; what was seen meanwhile is of no interest.
///
/// # Errors
/// As [`until`].
pub fn until_so(
    what: &str,
    deadline: Duration,
    mut is_so: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    until(what, deadline, || if is_so() { Ok(()) } else { Err("not so") })
}

/// Lets `duration` pass: for loads that must last a while, never to wait for something.
pub fn pause(duration: Duration) {
    let mut left = rustix::time::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    };
    while let NanosleepRelativeResult::Interrupted(rest) = nanosleep(&left) {
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::until;

    #[test]
    fn what_is_true_at_once_is_returned_at_once() {
        assert_eq!(until("ready", Duration::ZERO, || Ok::<_, String>(7)).unwrap(), 7);
    }

    #[test]
    fn what_becomes_true_is_returned() {
        let mut looks = 0;
        let found = until("third look", Duration::from_secs(60), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn the_last_thing_seen_is_in_the_error() {
        let mut looks = 0;
        let error = until("never", Duration::from_millis(20), || {
            looks += 1;
            Err::<(), _>(format!("look {looks}"))
        });
        let said = error.unwrap_err().to_string();
        assert_eq!(said, format!("waited 20ms until never; last seen: look {looks}"));
        assert!(looks >= 2);
    }
}
