//! The identity of this host: from a token to a certificate, and from one certificate to the next.
//!
//! Beside the road: before it, and every twelve hours. The agent makes its keys here, where they
//! stay (PK-1); the collector learns their public halves. Whom to believe comes from the token, which
//! a person carried: the authority by its digest, the root keys by their fingerprint.

pub mod connect;
pub mod dial;
pub mod identity;
pub mod renew;

use std::sync::Arc;

use cordon_proto::v1;
use cordon_shared::{
    crypto::{
        cert::{CertError, TlsKey},
        signing::SigningKey,
        tls,
    },
    digest::Sha256,
    enrolment::Token,
    entropy::Entropy,
    error::{Classify, Kind},
    id::{AgentId, HostId},
    keyring::key::Roots,
    time::Clock,
    wire::{self, session::HostFacts},
};
use rustls_pki_types::CertificateDer;

use self::{
    connect::ConnectError,
    identity::{Files, Identity, IdentityError, Record},
};
use crate::containment::keyring::{Store, StoreError};

/// What the claim to a receipt key is signed as.
const CLAIM: &str = "cordon.v1.ReceiptKeyClaim";

/// Why a host is not enrolled, or not renewed.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The text is no token.
    #[error("this is no enrolment token: copy it whole, it begins with `cordon1.`")]
    Token,
    /// The host has an identity already.
    #[error("this host is enrolled already, as agent {agent}: remove `{path}` to enrol it anew")]
    Already {
        /// As whom.
        agent: AgentId,
        /// What to remove.
        path: std::path::PathBuf,
    },
    /// No address answers.
    #[error("failed to reach the collector at `{address}`")]
    Connect {
        /// The last that was tried.
        address: String,
        /// Why.
        #[source]
        source: ConnectError,
    },
    /// The collector said no.
    #[error("the collector refused: {0}")]
    Refused(String),
    /// Nobody said where to renew.
    #[error("`enrolment` is not set: name at least one `host:port` in the configuration")]
    NoAddress,
    /// No address of the token answers as the token's authority.
    #[error(
        "what answers at `{address}` is not the collector that made this token: ask for a new one"
    )]
    Stranger {
        /// Who answered.
        address: String,
        /// What it showed.
        #[source]
        source: ConnectError,
    },
    /// The collector's answer breaks a rule: nothing of it is believed.
    #[error("the collector's answer is not to be believed: `{field}` must be {rule}")]
    Answer {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// Keys or certificates cannot be made or written.
    #[error("failed to keep the identity")]
    Identity(#[from] IdentityError),
    /// A key or a request cannot be made.
    #[error("failed to make the keys")]
    Keys(#[from] CertError),
    /// The keyring cannot be pinned.
    #[error("failed to pin the keyring")]
    Keyring(#[from] StoreError),
}

impl Classify for EnrollError {
    fn kind(&self) -> Kind {
        match self {
            Self::Token | Self::NoAddress | Self::Answer { .. } => Kind::BadInput,
            Self::Already { .. } => Kind::Conflict,
            Self::Connect { .. } => Kind::Unavailable,
            Self::Refused(_) | Self::Stranger { .. } => Kind::Forbidden,
            Self::Identity(error) => error.kind(),
            Self::Keys(error) => error.kind(),
            Self::Keyring(error) => error.kind(),
        }
    }
}

/// What enrolment needs beside the token.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Where the identity goes.
    pub files: &'a Files,
    /// Where the keyring goes.
    pub keyring: &'a std::path::Path,
    /// An HTTP proxy that takes CONNECT, `host:port`.
    pub proxy: Option<&'a str>,
    /// What to say of this machine.
    pub facts: &'a HostFacts,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes the receipt key.
    pub entropy: &'a dyn Entropy,
}

/// Turns a token into an identity on disk.
///
/// # Errors
/// [`EnrollError`]; no identity was written, and the token may have been used up.
pub async fn enroll(text: &str, ground: &Ground<'_>) -> Result<Record, EnrollError> {
    let token = Token::parse(text).ok_or(EnrollError::Token)?;
    if let Some(identity) = Identity::find(ground.files)? {
        let (agent, path) = (identity.record.agent, ground.files.folder().to_owned());
        return Err(EnrollError::Already { agent, path });
    }
    let (key, receipt_key) = (TlsKey::random()?, SigningKey::random(ground.entropy));
    ground.files.write_keys(&key, &receipt_key)?;
    let request = request(&token, &key, &receipt_key, ground.facts)?;
    let reply = ask(&token, request, ground).await?;
    let (record, chain, authorities) = believe(&token, &reply)?;
    let roots = roots(&token, &reply)?;
    let bundle = match &reply.keyring {
        None => None,
        Some(wire) => Some(
            wire::keyring::from_wire(wire)
                .map_err(|it| EnrollError::Answer { field: it.field, rule: it.rule })?,
        ),
    };
    Store::pin(ground.keyring.to_owned(), roots, bundle.as_ref())?;
    ground.files.write_certificates(&chain, &authorities)?;
    // Last: from here on the host is enrolled.
    ground.files.write_record(&record)?;
    Ok(record)
}

fn request(
    token: &Token,
    key: &TlsKey,
    receipt_key: &SigningKey,
    facts: &HostFacts,
) -> Result<v1::EnrolRequest, EnrollError> {
    let csr = key.request()?;
    let claim = v1::ReceiptKeyClaim {
        token_id: token.id.as_bytes().to_vec().into(),
        receipt_key: receipt_key.public().as_bytes().to_vec().into(),
        csr_sha256: Sha256::of(&csr).as_bytes().to_vec().into(),
    };
    Ok(v1::EnrolRequest {
        token_id: claim.token_id.clone(),
        token_secret: token.secret.expose().to_vec().into(),
        csr: csr.into(),
        receipt_key: claim.receipt_key.clone(),
        receipt_key_claim: Some(wire::signed::to_wire(&receipt_key.sign(CLAIM, &claim))),
        host: Some(wire::session::host_to(facts)),
    })
}

/// Asks the token's addresses in turn until one answers.
async fn ask(
    token: &Token,
    request: v1::EnrolRequest,
    ground: &Ground<'_>,
) -> Result<v1::EnrolReply, EnrollError> {
    let mut failure = EnrollError::Token;
    for address in &token.addresses {
        let config = tls::enrolment_client(token.authority, Arc::clone(&ground.clock));
        let connected = match config {
            Ok(config) => connect::channel(address, ground.proxy, config).await,
            Err(error) => Err(ConnectError::Tls(error)),
        };
        match connected {
            Ok(channel) => {
                let mut client = v1::enrolment_client::EnrolmentClient::new(channel);
                let reply = client.enrol(request).await;
                return reply
                    .map(tonic::Response::into_inner)
                    .map_err(|status| EnrollError::Refused(status.message().to_owned()));
            }
            Err(source) => {
                let address = address.clone();
                let is_stranger = matches!(source, ConnectError::Untrusted(_));
                failure = match is_stranger {
                    true => EnrollError::Stranger { address, source },
                    false => EnrollError::Connect { address, source },
                };
            }
        }
    }
    Err(failure)
}

type Chains = (Record, Vec<CertificateDer<'static>>, Vec<CertificateDer<'static>>);

/// Checks an answer as far as it can be checked.
fn believe(token: &Token, reply: &v1::EnrolReply) -> Result<Chains, EnrollError> {
    let refuse = |field, rule| EnrollError::Answer { field, rule };
    let agent = AgentId::from_slice(&reply.agent_id).ok_or(refuse("agent_id", "16 bytes"))?;
    let host = HostId::from_slice(&reply.host_id).ok_or(refuse("host_id", "16 bytes"))?;
    let (chain, authorities) =
        (certificates(&reply.certificates), certificates(&reply.authorities));
    if chain.is_empty() {
        return Err(refuse("certificates", "at least one"));
    }
    if !authorities.iter().any(|it| Sha256::of(it) == token.authority) {
        return Err(refuse("authorities", "the one whose digest the token carries"));
    }
    let (host_tier, is_held) = (reply.host_tier.clone(), reply.is_held);
    Ok((Record { agent, host, host_tier, is_held }, chain, authorities))
}

fn roots(token: &Token, reply: &v1::EnrolReply) -> Result<Roots, EnrollError> {
    let roots = wire::keyring::roots_from(&reply.root_keys, reply.root_threshold)
        .map_err(|it| EnrollError::Answer { field: it.field, rule: it.rule })?;
    if roots.fingerprint() != token.roots {
        let rule = "those whose fingerprint the token carries";
        return Err(EnrollError::Answer { field: "root_keys", rule });
    }
    Ok(roots)
}

fn certificates(wire: &[bytes::Bytes]) -> Vec<CertificateDer<'static>> {
    wire.iter().map(|it| CertificateDer::from(it.to_vec())).collect()
}
