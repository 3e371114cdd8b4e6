//! The agent's side of the wire as a few functions, so that a test can say anything a peer could.
//!
//! A [`Peer`] is enrolled as a real agent is, over the real listener. Its [`Link`]s are real
//! sessions over mutual TLS; what they say is up to the test, down to single frames
//! ([`Peer::raw`]).

mod raw;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use cordon_proto::v1::{
    self, agent_message::Message as Up, collector_message::Message as Down,
    enrolment_client::EnrolmentClient, session_client::SessionClient,
};
use cordon_shared::{
    crypto::{
        cert::TlsKey,
        signing::SigningKey,
        tls::{self, Identity},
    },
    digest::Sha256,
    enrolment::Token,
    entropy::SystemEntropy,
    id::{AgentId, BootId, Epoch, EventSeq},
    limit,
    time::{Clock, SystemClock},
    wire,
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::{net::TcpSocket, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

pub use self::raw::Raw;
use crate::pki::Good;

/// How long a peer waits for the collector to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages that wait to be sent.
const UP_MAX: usize = 64;

/// An enrolled agent that is no program.
#[derive(Debug)]
pub struct Peer {
    /// As whom.
    pub id: AgentId,
    /// Its key and certificate.
    pub identity: Identity,
    /// Whom it trusts.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Its boot.
    pub boot: BootId,
    sessions: SocketAddr,
    source: Option<IpAddr>,
}

impl Peer {
    /// Enrols with a token as it was carried, and learns where the sessions are.
    ///
    /// # Errors
    /// What the collector said.
    pub async fn enrol(token: &str, sessions: SocketAddr) -> anyhow::Result<Self> {
        Self::enrol_from(token, sessions, None).await
    }

    /// The same, from an address of the peer's own.
    ///
    /// # Errors
    /// As [`Peer::enrol`].
    pub async fn enrol_from(
        token: &str,
        sessions: SocketAddr,
        source: Option<IpAddr>,
    ) -> anyhow::Result<Self> {
        let token = Token::parse(token).context("read a token")?;
        let address = token.addresses.first().context("a token has an address")?;
        let address: SocketAddr = address.parse().context("read a token's address")?;
        let config = tls::enrolment_client(token.authority, Arc::new(SystemClock))?;
        let mut client = EnrolmentClient::new(connect(address, source, config).await?);
        let (key, receipt) = (TlsKey::random()?, SigningKey::random(&SystemEntropy));
        let boot = BootId(*uuid::Uuid::now_v7().as_bytes());
        let request = request(&token, &key, &receipt, boot)?;
        let reply = client.enrol(request).await.context("enrol")?.into_inner();
        let der = |it: &Bytes| CertificateDer::from(it.to_vec());
        let identity = Identity { chain: reply.certificates.iter().map(der).collect(), key };
        Ok(Self {
            id: AgentId::from_slice(&reply.agent_id).context("an agent id")?,
            identity,
            authorities: reply.authorities.iter().map(der).collect(),
            boot,
            sessions,
            source,
        })
    }

    /// How it proves itself in TLS.
    ///
    /// # Errors
    /// When its certificate is none.
    pub fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let clock = Arc::new(SystemClock);
        let good = Good::Now.validity();
        Ok(tls::session_client(&self.identity, &self.authorities, good, clock)?)
    }

    /// A session whose hello was welcomed.
    ///
    /// # Errors
    /// How it ended instead.
    pub async fn session(&self) -> anyhow::Result<(Link, v1::Welcome)> {
        let mut client =
            SessionClient::new(connect(self.sessions, self.source, self.tls()?).await?)
                .max_encoding_message_size(256 << 20);
        let (up, messages) = mpsc::channel(UP_MAX);
        up.send(message(Up::Hello(hello(self.boot)))).await.context("queue a hello")?;
        let down = client.stream(ReceiverStream::new(messages)).await?.into_inner();
        let mut link = Link { up, down };
        let heard = link.hear().await?;
        let Down::Welcome(welcome) = heard else { bail!("expected a welcome, not {heard:?}") };
        Ok((link, welcome))
    }

    /// A session whose messages are bytes, after a good hello.
    ///
    /// # Errors
    /// How it ended instead.
    pub async fn raw(&self) -> anyhow::Result<Raw> {
        let channel = connect(self.sessions, self.source, self.tls()?).await?;
        Raw::open(channel, &message(Up::Hello(hello(self.boot)))).await
    }
}

/// A TLS connection as a gRPC channel, from `source` where one is given.
///
/// # Errors
/// Who did not answer, or was not trusted.
pub async fn connect(
    address: SocketAddr,
    source: Option<IpAddr>,
    config: Arc<ClientConfig>,
) -> anyhow::Result<Channel> {
    let connector = tower::service_fn(move |_| {
        let config = Arc::clone(&config);
        async move {
            let socket = TcpSocket::new_v4()?;
            if let Some(source) = source {
                socket.bind((source, 0).into())?;
            }
            let tcp = socket.connect(address).await?;
            tcp.set_nodelay(true)?;
            let tls = tokio_rustls::TlsConnector::from(config);
            Ok::<_, io::Error>(TokioIo::new(tls.connect(tls::collector_name(), tcp).await?))
        }
    });
    let endpoint = Endpoint::from_static("http://collector");
    endpoint.connect_with_connector(connector).await.context("connect to the collector")
}

fn request(
    token: &Token,
    key: &TlsKey,
    receipt: &SigningKey,
    boot: BootId,
) -> anyhow::Result<v1::EnrolRequest> {
    let csr = key.request()?;
    let claim = v1::ReceiptKeyClaim {
        token_id: token.id.as_bytes().to_vec().into(),
        receipt_key: receipt.public().as_bytes().to_vec().into(),
        csr_sha256: Sha256::of(&csr).as_bytes().to_vec().into(),
    };
    let signed = receipt.sign("cordon.v1.ReceiptKeyClaim", &claim);
    Ok(v1::EnrolRequest {
        token_id: claim.token_id.clone(),
        token_secret: token.secret.expose().to_vec().into(),
        csr: csr.into(),
        receipt_key: claim.receipt_key,
        receipt_key_claim: Some(wire::signed::to_wire(&signed)),
        host: Some(host(boot)),
    })
}

fn host(boot: BootId) -> v1::HostFacts {
    v1::HostFacts {
        host_name: format!("peer-{boot}"),
        boot_id: boot.0.to_vec().into(),
        os: "none".to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    }
}

fn hello(boot: BootId) -> v1::Hello {
    let sample = SystemClock.sample();
    v1::Hello {
        host: Some(host(boot)),
        process_nonce: Bytes::from_static(&[5; 16]),
        clock: Some(v1::ClockSample {
            boottime_ns: sample.boottime.as_ns(),
            realtime_ns: sample.realtime.as_ns(),
        }),
        wire_revision: limit::WIRE_REVISION,
        ..Default::default()
    }
}

fn message(message: Up) -> v1::AgentMessage {
    v1::AgentMessage { message: Some(message) }
}

/// A live stream, from the agent's side.
#[derive(Debug)]
pub struct Link {
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::CollectorMessage>,
}

impl Link {
    /// Its two ends, for whoever sends and hears at the same time.
    #[must_use]
    pub fn split(self) -> (mpsc::Sender<v1::AgentMessage>, Streaming<v1::CollectorMessage>) {
        (self.up, self.down)
    }

    /// Says something; when nobody hears it any more, [`Link::hear`] will tell.
    pub async fn say(&self, up: Up) {
        drop(self.up.send(message(up)).await);
    }

    /// Sends a sealed batch, or whatever is to be taken for one.
    pub async fn send(&self, sealed: impl Into<Bytes>) {
        self.say(Up::Batch(v1::Batch { sealed: sealed.into() })).await;
    }

    /// The next message that is no heartbeat, credit or keyring.
    ///
    /// # Errors
    /// How the stream ended.
    pub async fn hear(&mut self) -> anyhow::Result<Down> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.down.message()).await;
            let next = next.context("nothing was heard for 20 s")?;
            match next.map_err(|it| anyhow::anyhow!("{:?}: {}", it.code(), it.message()))? {
                Some(v1::CollectorMessage { message: Some(message) }) => match message {
                    Down::Heartbeat(_) | Down::Credit(_) | Down::Keyring(_) => (),
                    message @ (Down::Welcome(_)
                    | Down::Ack(_)
                    | Down::Command(_)
                    | Down::BatchRefused(_)
                    | Down::Goodbye(_)) => return Ok(message),
                },
                Some(v1::CollectorMessage { message: None }) | None => bail!("the stream ended"),
            }
        }
    }

    /// Waits until this much of an epoch is acknowledged.
    ///
    /// # Errors
    /// What was heard instead.
    pub async fn acked(&mut self, epoch: Epoch, seq: EventSeq) -> anyhow::Result<()> {
        loop {
            let heard = self.hear().await?;
            let Down::Ack(ack) = heard else { bail!("expected an acknowledgement, not {heard:?}") };
            if ack.epoch == epoch.as_u64() && ack.seq >= seq.as_u64() {
                return Ok(());
            }
        }
    }
}
