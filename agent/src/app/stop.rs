//! When to stop: at SIGTERM or SIGINT.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Told when the program is to stop.
///
/// # Errors
/// What the system says when it lets no signal be watched.
pub fn on_signal() -> io::Result<CancellationToken> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "waits for signals until the process ends")]
    drop(tokio::spawn(async move {
        tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
        asked.cancel();
    }));
    Ok(stop)
}
