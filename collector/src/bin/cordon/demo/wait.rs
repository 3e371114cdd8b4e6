//! Waiting until something is so, or the demo has failed.

use std::{thread, time::Duration};

use anyhow::Context as _;
use cordon_shared::time::{Clock as _, SystemClock};

use crate::wait;

/// Pause between two looks: what it adds to the times that the demo shows.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something.
///
/// # Errors
/// What `look` says, or that time is up; both name `what`.
pub(super) fn until<T>(
    what: &str,
    within: Duration,
    look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let found = wait::until(within, PAUSE, look).with_context(|| format!("wait until {what}"))?;
    found.with_context(|| format!("waited {} s until {what}", within.as_secs()))
}

/// Lets time pass, so that something is under way.
pub(super) fn pause(duration: Duration) {
    let begin = SystemClock.boottime();
    while SystemClock.boottime().since(begin) < duration {
        thread::park_timeout(PAUSE);
    }
}
