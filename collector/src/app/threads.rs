//! The threads of the road: journal, filer, watch. None of them may end before the collector stops.
//!
//! Beside the road. A thread that has panicked is a stage that is gone, and nobody would know: the
//! sessions would go on to be welcomed, and nothing be acknowledged, filed or detected. So the
//! collector stops with an error, and whoever supervises it starts it again.

use std::thread::JoinHandle;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Threads that are waited for, by name.
#[derive(Debug, Default)]
pub(super) struct Threads(JoinSet<&'static str>);

impl Threads {
    /// Waits for one more, without holding up the runtime.
    pub(super) fn add(&mut self, name: &'static str, thread: JoinHandle<()>) {
        self.0.spawn_blocking(move || {
            if thread.join().is_err() {
                error!(thread = name, "a thread ended badly");
            }
            name
        });
    }

    /// Waits for the stop; names a thread that ended before it, and stops the collector then.
    ///
    /// # Cancel safety
    /// Safe but for the name: a thread that ended is not named twice.
    pub(super) async fn watch(&mut self, stop: &CancellationToken) -> Option<&'static str> {
        // Both are cancel-safe. The stop comes first: what ends after it ends in its turn.
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            ended = self.0.join_next() => ended,
        };
        stop.cancel();
        let name = ended.and_then(Result::ok).unwrap_or("unknown");
        error!(thread = name, "a thread has ended before its time: the collector stops");
        Some(name)
    }

    /// Waits until all have ended.
    pub(super) async fn join(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio_util::sync::CancellationToken;

    use super::Threads;

    fn thread(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
        thread::Builder::new().spawn(body).unwrap()
    }

    #[tokio::test]
    async fn a_thread_that_panics_stops_the_collector_and_is_named() {
        let (mut threads, stop) = (Threads::default(), CancellationToken::new());
        let (held, wait) = std::sync::mpsc::channel::<()>();
        threads.add("journal", thread(move || assert!(wait.recv().is_err())));
        threads.add("filer", thread(|| panic!("a defect")));
        assert_eq!(threads.watch(&stop).await, Some("filer"));
        assert!(stop.is_cancelled());
        drop(held);
        threads.join().await;
    }

    #[tokio::test]
    async fn threads_that_end_after_the_stop_end_in_their_turn() {
        let (mut threads, stop) = (Threads::default(), CancellationToken::new());
        stop.cancel();
        threads.add("journal", thread(|| ()));
        assert_eq!(threads.watch(&stop).await, None);
        threads.join().await;
    }
}
