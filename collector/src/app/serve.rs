//! `serve`: the application, from its start to a polite request to stop.

use std::pin::pin;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::config::Config;

/// Serves until SIGTERM or SIGINT; `say` is told the addresses, as JSON, before anything is accepted.
///
/// # Errors
/// Why the collector did not start, or did not go on.
pub async fn serve(config: &Config, say: impl FnOnce(&str)) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let app = App::build(config).await.context("start")?;
    say(&serde_json::to_string(&app.addresses()).context("tell the addresses")?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let waiting = async move {
        tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
        drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
        asked.cancel();
    };
    drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    let mut running = pin!(app.run(stop));
    // It may end before anybody asked: then nobody is waited for.
    let served = tokio::select! {
        served = &mut running => served,
        () = waiting => running.await,
    };
    served.context("serve")
}
