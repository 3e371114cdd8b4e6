//! A TLS connection to a collector, as a gRPC channel; through an HTTP proxy where one is configured.

use std::{io, sync::Arc};

use cordon_shared::{
    crypto::tls,
    error::{Classify, Kind},
    limit,
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// Of a proxy's answer to CONNECT: a status line and a few headers.
const PROXY_ANSWER_BYTES_MAX: usize = 8 << 10;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there, or the network does not lead there.
    #[error("no connection")]
    Network(#[source] io::Error),
    /// The proxy does not let us through.
    #[error("the proxy refused: {0}")]
    Proxy(String),
    /// The other side is not the collector that we trust.
    #[error("the collector's certificate is not by the authority that was pinned")]
    Untrusted(#[source] io::Error),
    /// The other side does not take our certificate, or the lack of one.
    #[error("the collector refuses our certificate: {0}")]
    Refused(&'static str),
    /// It took longer than 5 s.
    #[error("no answer within 5 s")]
    Timeout,
    /// Our own configuration is bad.
    #[error("failed to set up TLS")]
    Tls(#[source] tls::TlsError),
    /// HTTP/2 did not begin.
    #[error("failed to begin HTTP/2")]
    Http(#[source] tonic::transport::Error),
}

impl Classify for ConnectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Network(_) | Self::Http(_) => Kind::Unavailable,
            Self::Proxy(_) | Self::Untrusted(_) | Self::Refused(_) => Kind::Forbidden,
            Self::Timeout => Kind::Timeout,
            Self::Tls(_) => Kind::Internal,
        }
    }
}

/// Connects to `address`, `host:port`.
///
/// # Errors
/// [`ConnectError`].
pub async fn channel(
    address: &str,
    proxy: Option<&str>,
    config: Arc<ClientConfig>,
) -> Result<Channel, ConnectError> {
    let connecting = async {
        let tcp = match proxy {
            None => TcpStream::connect(address).await.map_err(ConnectError::Network)?,
            Some(proxy) => through(proxy, address).await?,
        };
        tcp.set_nodelay(true).map_err(ConnectError::Network)?;
        let connector = TlsConnector::from(config);
        let mut tls =
            connector.connect(tls::collector_name(), tcp).await.map_err(ConnectError::Untrusted)?;
        // A server judges our certificate after our side of the handshake (RFC 8446 section 2): its
        // verdict is an alert, or the first bytes of HTTP/2, which it sends unasked.
        match tls.fill_buf().await {
            Ok([]) => Err(ConnectError::Network(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(tls),
            Err(error) => Err(verdict(error)),
        }
    };
    let tls = timeout(limit::HANDSHAKE_TIMEOUT, connecting).await;
    let mut tls = Some(tls.map_err(|_elapsed| ConnectError::Timeout)??);
    // tonic asks for the connection once; when it breaks, the session begins anew, with what it
    // has learned.
    let once = tower::service_fn(move |_uri: tonic::codegen::http::Uri| {
        let tls = tls.take().map(TokioIo::new);
        std::future::ready(tls.ok_or(io::Error::from(io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static("http://collector")
        .connect_with_connector(once)
        .await
        .map_err(ConnectError::Http)
}

/// What the other side has against us, and what to do about it.
fn verdict(error: io::Error) -> ConnectError {
    use rustls::AlertDescription as Alert;

    let cause = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::AlertReceived(alert)) = cause else {
        return ConnectError::Network(error);
    };
    let why = [
        (
            [Alert::CertificateExpired].as_slice(),
            "it has expired; it is renewed at the addresses of `enrolment` for 30 days, then this \
             host must be enrolled anew",
        ),
        (
            &[Alert::CertificateRequired],
            "it asks for one, and we show none here: this is no port for enrolment",
        ),
        (
            &[Alert::UnknownCA, Alert::BadCertificate, Alert::DecryptError],
            "it is not by this collector's authority; enrol this host anew at this collector",
        ),
    ];
    match why.into_iter().find(|(alerts, _)| alerts.contains(alert)) {
        Some((_, why)) => ConnectError::Refused(why),
        None => ConnectError::Network(error),
    }
}

/// A tunnel through an HTTP proxy (RFC 9110 section 9.3.6).
async fn through(proxy: &str, address: &str) -> Result<TcpStream, ConnectError> {
    let mut tcp = TcpStream::connect(proxy).await.map_err(ConnectError::Network)?;
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.map_err(ConnectError::Network)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_ANSWER_BYTES_MAX {
            return Err(ConnectError::Proxy("its answer has no end".to_owned()));
        }
        // Byte by byte: what follows the answer belongs to TLS.
        answer.push(tcp.read_u8().await.map_err(ConnectError::Network)?);
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    match line.split_ascii_whitespace().nth(1) {
        Some(status) if status.starts_with('2') => Ok(tcp),
        _ => Err(ConnectError::Proxy(line.chars().take(100).collect())),
    }
}
