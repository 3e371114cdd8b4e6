//! Named tasks that are always waited for.
//!
//! A program spawns through one [`Tasks`]; at its end it asks all of them to stop, waits, and names
//! in the log who was late. A task that panics ends the program's wait as any other does, and is
//! named too.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error_span, warn};

/// The tasks of a program. Cloning gives another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// Takes a name off the list when its task ends, however it ends.
struct Named {
    name: &'static str,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

impl Tasks {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends by itself; it is to look at [`Tasks::stop_signal`].
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = Arc::clone(&self.running);
        *running.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert(0) += 1;
        let named = Named { name, running };
        let task = async move {
            let _named = named;
            task.await;
        };
        drop(self.tracker.spawn(task.instrument(error_span!("task", name))));
    }

    /// Tells each task that it is time to stop.
    #[must_use]
    pub fn stop_signal(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks all tasks to stop and waits for them, at most `grace`. Says whether all ended in time.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return true;
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let late: Vec<_> = running.keys().copied().collect();
        warn!(late = late.join(", "), "tasks did not stop within {grace:?}");
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Tasks;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn a_task_that_heeds_the_signal_is_waited_for() {
        block_on(async {
            let tasks = Tasks::new();
            let stop = tasks.stop_signal();
            tasks.spawn("good", async move { stop.cancelled().await });
            assert!(tasks.stop(Duration::from_secs(10)).await);
        });
    }

    #[test]
    fn a_task_that_does_not_is_late() {
        block_on(async {
            let tasks = Tasks::new();
            tasks.spawn("bad", std::future::pending());
            assert!(!tasks.stop(Duration::from_millis(10)).await);
        });
    }
}
