//! Server-sent events for consoles: what is new, from now on. A client that is too slow misses some
//! and gets a `missed` with their number; the connection is never the collector's brake.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::Stream;

use super::Api;
use crate::notice::Notice;

/// A comment is sent after so much silence, so that proxies keep the connection (chosen).
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events, detections, incidents and receipts as they come.
#[utoipa::path(get, path = "/api/v1/live", operation_id = "live", tag = "live",
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn live(
    State(api): State<Arc<Api>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut notices = api.board.read();
    let stop = api.stop.clone();
    // One notice waits per client beside what the board keeps for all.
    let (outbox, inbox) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(inbox);
    let pump = async move {
        loop {
            // All are cancel-safe.
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = outbox.closed() => return,
                notice = notices.recv() => match notice {
                    Ok(Notice { kind, json }) => Event::default().event(kind).data(&*json),
                    Err(RecvError::Lagged(count)) => {
                        Event::default().event("missed").data(format!("{{\"count\":{count}}}"))
                    }
                    Err(RecvError::Closed) => return,
                },
            };
            // A client that has stopped reading does not hold up the stop.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                sent = outbox.send(Ok(event)) => if sent.is_err() { return },
            }
        }
    };
    api.streams.spawn(pump);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
