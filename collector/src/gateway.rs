//! The receiving end of the road: sessions of agents and their enrolment. tonic lives here and
//! nowhere else.
//!
//! On the road: `cordon.v1` messages come in over TLS; checked batches go to [`crate::ingest`],
//! acknowledgements and signed commands go out. Identity comes from the peer's certificate alone,
//! never from a field of a message.
//!
//! It never looks into an event, never decides on a command, and never names a table, a path or a
//! queue by anything that a peer sent.

pub mod session;

pub mod enrolment;

pub mod upload;

pub mod hello;

pub mod registry;

pub mod admission;

pub mod concern;

pub mod keyring;

pub mod seen;

pub mod status;

use std::{io, sync::Arc, time::Duration};

use cordon_proto::v1::{
    enrolment_server::EnrolmentServer, session_server::SessionServer,
    snapshots_server::SnapshotsServer,
};
use cordon_shared::limit;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::Connected};

use self::{enrolment::Enrolments, session::Sessions, upload::Uploads};
use crate::listen::{Conn, Peer};

/// Streams of one connection (F-30): a session and a few uploads.
const STREAMS_MAX: u32 = 8;

/// Bytes of one request's headers (F-30): ours have a tenth.
const HEADER_BYTES_MAX: u32 = 8 << 10;

/// Streams that a peer may reset before we have accepted them (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 16;

/// How much of a stream, and of a connection, may wait unread: one message and the next.
const WINDOW_BYTES: u32 = 2 << 20;

/// How long a call of enrolment may take.
const ENROLMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// A peer that was let in by TLS must say what it came for within this time (F-31).
pub const SETTLE_WITHIN: Duration = limit::HANDSHAKE_TIMEOUT;

impl Connected for Conn {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(self.peer())
    }
}

fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(limit::HEARTBEAT_DEAD))
        .http2_keepalive_timeout(Some(limit::HEARTBEAT_DEAD))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .tcp_nodelay(true)
}

/// Serves sessions and snapshots on 7443, until told to stop and all connections are done.
///
/// # Errors
/// What the transport says.
pub async fn serve_sessions(
    (sessions, uploads): (Sessions, Uploads),
    incoming: mpsc::Receiver<io::Result<Conn>>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let sessions = SessionServer::new(sessions).max_decoding_message_size(limit::MESSAGE_BYTES_MAX);
    let uploads = SnapshotsServer::new(uploads).max_decoding_message_size(limit::MESSAGE_BYTES_MAX);
    server()
        .add_service(sessions)
        .add_service(uploads)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.cancelled_owned())
        .await
}

/// Serves enrolment and renewal on 7444, until told to stop and all connections are done.
///
/// # Errors
/// What the transport says.
pub async fn serve_enrolment(
    enrolments: Enrolments,
    incoming: mpsc::Receiver<io::Result<Conn>>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let enrolments =
        EnrolmentServer::new(enrolments).max_decoding_message_size(enrolment::ENROLMENT_BYTES_MAX);
    server()
        .timeout(ENROLMENT_TIMEOUT)
        .add_service(enrolments)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.cancelled_owned())
        .await
}
