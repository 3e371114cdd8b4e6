//! Waiting until something is so, by looking again.

use std::{thread, time::Duration};

use anyhow::{Context as _, bail};
use cordon_shared::time::{Clock as _, SystemClock};

/// Pause between two looks: what it adds to the times that the demo shows.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something.
///
/// # Errors
/// What `look` says, or that time is up; both name `what`.
pub(super) fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begin = SystemClock.boottime();
    loop {
        let is_over = SystemClock.boottime().since(begin) >= within;
        if let Some(found) = look().with_context(|| format!("wait until {what}"))? {
            return Ok(found);
        }
        if is_over {
            bail!("waited {} s until {what}", within.as_secs());
        }
        // Nobody unparks this thread; waking early only means looking once more.
        thread::park_timeout(PAUSE);
    }
}

/// Lets time pass, so that something is under way.
pub(super) fn pause(duration: Duration) {
    let begin = SystemClock.boottime();
    while SystemClock.boottime().since(begin) < duration {
        thread::park_timeout(PAUSE);
    }
}
