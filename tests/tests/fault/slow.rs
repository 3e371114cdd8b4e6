//! Strangers who say little, and slowly, so that others find no place.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cordon_shared::{
    crypto::{cert, tls},
    digest::Sha256,
    limit,
    time::SystemClock,
};
use cordon_tests::{peer::Peer, testbed::Testbed};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Of each kind at each port (chosen: fewer than may shake hands at once).
const STRANGERS: usize = 20;

/// When the last of them must be gone: the bound itself, and a busy machine.
const GONE_WITHIN: Duration = limit::HANDSHAKE_TIMEOUT.saturating_mul(2);

/// Waits for the end of a connection of which nothing more is said.
async fn is_cut(mut connection: impl AsyncReadExt + Unpin) -> bool {
    let mut heard = Vec::new();
    // Cut by a close or by a reset: both are an end.
    let end = connection.read_to_end(&mut heard);
    tokio::time::timeout(GONE_WITHIN, end).await.is_ok()
}

/// Says `said` over TLS, or over nothing but TCP, and then no more.
async fn stranger(address: SocketAddr, config: Option<Arc<ClientConfig>>, said: &[u8]) -> bool {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let Some(config) = config else {
        tcp.write_all(said).await.unwrap();
        return is_cut(tcp).await;
    };
    let connector = TlsConnector::from(config);
    let mut tls = connector.connect(tls::collector_name(), tcp).await.unwrap();
    tls.write_all(said).await.unwrap();
    is_cut(tls).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f_31_who_says_little_and_slowly_is_cut_off_at_every_port() {
    let testbed = Testbed::start().unwrap();
    let addresses = testbed.collector().addresses();
    let token = testbed.api().token(1).unwrap();
    let peer = Peer::enrol(&token, addresses.sessions).await.unwrap();
    let pem = testbed.collector().data().join("pki/authority.pem");
    let authority = cert::read_certificates(&pem).unwrap();
    let pin = Sha256::of(authority.first().unwrap());
    let open = tls::enrolment_client(pin, Arc::new(SystemClock)).unwrap();
    let mut web = ClientConfig::clone(&open);
    web.alpn_protocols = vec![tls::ALPN_HTTP_1.to_vec()];
    let (open, web) = (Some(open), Some(Arc::new(web)));
    let session = Some(peer.tls().unwrap());

    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let half = b"GET /api/v1/hosts HTTP/1.1\r\nhost: x\r\nauthorization: Bear".as_slice();
    let cases = [
        ("sessions, TCP alone", addresses.sessions, &None, b"".as_slice()),
        ("sessions, half a record", addresses.sessions, &None, b"\x16\x03\x01\x02"),
        ("sessions, TLS alone", addresses.sessions, &session, b""),
        ("sessions, a preface", addresses.sessions, &session, preface),
        ("enrolment, TCP alone", addresses.enrolment, &None, b""),
        ("enrolment, TLS alone", addresses.enrolment, &open, b""),
        ("enrolment, a preface", addresses.enrolment, &open, preface),
        ("responders, TCP alone", addresses.api, &None, b""),
        ("responders, TLS alone", addresses.api, &open, b""),
        ("responders, a preface", addresses.api, &open, preface),
        ("responders, half a request", addresses.api, &web, half),
    ];
    let mut under_way = tokio::task::JoinSet::new();
    for (name, address, config, said) in cases {
        for _ in 0..STRANGERS {
            let stranger = stranger(address, config.clone(), said);
            under_way.spawn(async move { (name, stranger.await) });
        }
    }
    // Meanwhile others are served.
    testbed.api().host(&peer.id.to_string()).unwrap();
    peer.session().await.unwrap();
    for (name, is_cut) in under_way.join_all().await {
        assert!(is_cut, "{name}");
    }
    peer.session().await.unwrap();
    testbed.api().host(&peer.id.to_string()).unwrap();
}
