//! The agent's side of the wire, as a few functions.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use cordon_proto::v1::{
    self, agent_message::Message as Up, collector_message::Message as Down,
    enrolment_client::EnrolmentClient, session_client::SessionClient,
};
use cordon_shared::{
    crypto::{
        cert::{TlsKey, Validity},
        signing::SigningKey,
        tls::{self, Identity},
    },
    digest::Sha256,
    id::{AgentId, BootId},
    limit,
    time::{Clock, SystemClock},
    wire,
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint},
};

use crate::collector::Bearer;

/// An enrolled agent.
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) identity: Identity,
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) reply: v1::EnrolReply,
}

pub(crate) fn validity() -> Validity {
    let now = SystemClock.now();
    let hour = Duration::from_secs(3_600);
    Validity { from: now.saturating_sub(hour), until: now.saturating_add(24 * hour) }
}

pub(crate) async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<Channel, String> {
    let connector = tower::service_fn(move |_| {
        let config = Arc::clone(&config);
        async move {
            let tcp = TcpStream::connect(address).await?;
            let tls = tokio_rustls::TlsConnector::from(config);
            let tls = tls.connect(tls::collector_name(), tcp).await?;
            Ok::<_, std::io::Error>(TokioIo::new(tls))
        }
    });
    let endpoint = Endpoint::from_static("http://collector");
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| format!("{error:?}"))
}

/// A request as a good agent makes it, for a test to spoil.
pub(crate) fn request(bearer: &Bearer, key: &TlsKey, receipt: &SigningKey) -> v1::EnrolRequest {
    let csr = key.request().unwrap();
    let claim = v1::ReceiptKeyClaim {
        token_id: bearer.id.as_bytes().to_vec().into(),
        receipt_key: receipt.public().as_bytes().to_vec().into(),
        csr_sha256: Sha256::of(&csr).as_bytes().to_vec().into(),
    };
    v1::EnrolRequest {
        token_id: claim.token_id.clone(),
        token_secret: bearer.secret.to_vec().into(),
        csr: csr.into(),
        receipt_key: claim.receipt_key.clone(),
        receipt_key_claim: Some(wire::signed::to_wire(
            &receipt.sign("cordon.v1.ReceiptKeyClaim", &claim),
        )),
        host: Some(host(BootId([1; 16]))),
    }
}

pub(crate) fn host(boot: BootId) -> v1::HostFacts {
    v1::HostFacts {
        host_name: "web-1".to_owned(),
        boot_id: boot.0.to_vec().into(),
        os: "Debian GNU/Linux 13".to_owned(),
        agent_version: "0.1.0".to_owned(),
        ..Default::default()
    }
}

pub(crate) async fn enrolment(address: SocketAddr, authority: Sha256) -> EnrolmentClient<Channel> {
    let config = tls::enrolment_client(authority, Arc::new(SystemClock)).unwrap();
    EnrolmentClient::new(connect(address, config).await.unwrap())
}

/// Enrols, as a good agent does.
pub(crate) async fn enrol(address: SocketAddr, bearer: &Bearer) -> Result<Agent, Status> {
    let (key, receipt) = (TlsKey::random().unwrap(), SigningKey::from_seed([4; 32]));
    let mut client = enrolment(address, bearer.authority).await;
    let reply = client.enrol(request(bearer, &key, &receipt)).await?.into_inner();
    let der = |it: &Bytes| CertificateDer::from(it.to_vec());
    let identity = Identity { chain: reply.certificates.iter().map(der).collect(), key };
    Ok(Agent {
        id: AgentId::from_slice(&reply.agent_id).unwrap(),
        identity,
        authorities: reply.authorities.iter().map(der).collect(),
        reply,
    })
}

impl Agent {
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        let clock = Arc::new(SystemClock);
        tls::session_client(&self.identity, &self.authorities, validity(), clock).unwrap()
    }

    pub(crate) async fn open(&self, address: SocketAddr) -> Link {
        Link::open(address, self.tls()).await.unwrap()
    }

    /// A session whose hello was welcomed.
    pub(crate) async fn session(&self, address: SocketAddr, boot: BootId) -> (Link, v1::Welcome) {
        let mut link = self.open(address).await;
        link.say(Up::Hello(hello(boot))).await;
        match link.hear().await {
            Ok(Down::Welcome(welcome)) => {
                link.beat();
                (link, welcome)
            }
            other => panic!("expected a welcome, not {other:?}"),
        }
    }
}

pub(crate) fn hello(boot: BootId) -> v1::Hello {
    v1::Hello {
        host: Some(host(boot)),
        process_nonce: Bytes::from_static(&[5; 16]),
        clock: Some(clock()),
        wire_revision: limit::WIRE_REVISION,
        ..Default::default()
    }
}

pub(crate) fn clock() -> v1::ClockSample {
    let sample = SystemClock.sample();
    v1::ClockSample { boottime_ns: sample.boottime.as_ns(), realtime_ns: sample.realtime.as_ns() }
}

/// How long a test waits for what must come (chosen: less than the runner waits for the test).
const PATIENCE: Duration = Duration::from_secs(45);

/// A live stream, from the agent's side.
pub(crate) struct Link {
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::CollectorMessage>,
}

impl Link {
    pub(crate) async fn open(
        address: SocketAddr,
        config: Arc<ClientConfig>,
    ) -> Result<Self, String> {
        let channel = connect(address, config).await?;
        let mut client = SessionClient::new(channel).max_encoding_message_size(64 << 20);
        let (up, messages) = mpsc::channel(1_024);
        let stream = client.stream(ReceiverStream::new(messages)).await;
        let down = stream.map_err(|status| status.message().to_owned())?.into_inner();
        Ok(Self { up, down })
    }

    pub(crate) async fn say(&self, message: Up) {
        drop(self.up.send(v1::AgentMessage { message: Some(message) }).await);
    }

    /// Says that it lives, as an agent does, until the link is dropped: however slow the machine
    /// is, the collector must not take a test that waits for a dead peer.
    fn beat(&self) {
        let up = self.up.downgrade();
        #[expect(clippy::disallowed_methods, reason = "ends with the link")]
        drop(tokio::spawn(async move {
            while let Some(up) = up.upgrade() {
                let beat = v1::Heartbeat { clock: Some(clock()), count: 1 };
                drop(up.try_send(v1::AgentMessage { message: Some(Up::Heartbeat(beat)) }));
                drop(up);
                tokio::time::sleep(limit::HEARTBEAT_EVERY).await;
            }
        }));
    }

    pub(crate) async fn send(&self, sealed: impl Into<Bytes>) {
        self.say(Up::Batch(v1::Batch { sealed: sealed.into() })).await;
    }

    /// The next message that is no heartbeat, credit or keyring, or how the stream ended.
    pub(crate) async fn hear(&mut self) -> Result<Down, String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.down.message());
            match next.await.or(Err(format!("nothing was heard for {PATIENCE:?}")))? {
                Ok(Some(v1::CollectorMessage { message: Some(message) })) => match message {
                    Down::Heartbeat(_) | Down::Credit(_) | Down::Keyring(_) => (),
                    message @ (Down::Welcome(_)
                    | Down::Ack(_)
                    | Down::Command(_)
                    | Down::BatchRefused(_)
                    | Down::Goodbye(_)) => return Ok(message),
                },
                Ok(_) => return Err("the stream ended".to_owned()),
                Err(status) => return Err(format!("{:?}: {}", status.code(), status.message())),
            }
        }
    }

    /// Waits until this much of the lane is acknowledged.
    pub(crate) async fn acked(&mut self, epoch: u64, seq: u64) {
        loop {
            match self.hear().await {
                Ok(Down::Ack(ack)) if ack.epoch == epoch && ack.seq >= seq => return,
                Ok(Down::Ack(_)) => (),
                other => panic!("expected an acknowledgement, not {other:?}"),
            }
        }
    }

    /// What is heard until the stream ends, in words.
    pub(crate) async fn end(&mut self) -> String {
        loop {
            match self.hear().await {
                Ok(Down::Goodbye(goodbye)) => {
                    return format!("{}: {}", goodbye.reason().as_str_name(), goodbye.detail);
                }
                Ok(_) => (),
                Err(end) => return end,
            }
        }
    }
}
