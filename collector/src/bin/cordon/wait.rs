//! Waiting until something is so, by looking again.

use std::{thread, time::Duration};

use cordon_shared::time::{Clock as _, SystemClock};

/// Looks until `look` finds something, with a pause between two looks; nothing when time is up.
///
/// # Errors
/// What `look` says.
pub(crate) fn until<T>(
    within: Duration,
    pause: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let begin = SystemClock.boottime();
    loop {
        let is_over = SystemClock.boottime().since(begin) >= within;
        let found = look()?;
        if found.is_some() || is_over {
            return Ok(found);
        }
        // Nobody unparks this thread; waking early only means looking once more.
        thread::park_timeout(pause);
    }
}
