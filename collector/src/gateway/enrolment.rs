//! Service `Enrolment`: a token becomes an identity, an old key a new certificate.
//!
//! On the road: before it. Callers have no certificate, so each call is rate-limited by source
//! first, bounded second, and only then costs anything. What is decided is decided in
//! [`crate::pki`].

use std::{net::IpAddr, sync::Arc};

use cordon_proto::v1;
use cordon_shared::{
    crypto::{secret::Secret, signing::PublicKey},
    digest::Sha256,
    error::Classify,
    id::TokenId,
    keyring::key::Roots,
    time::Clock,
    wire::{self, WireError},
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tracing::info;

use super::{
    admission::{Admission, TooMany, Wrong},
    concern::Concern,
    hello,
    keyring::Current,
    session::peer_of,
    status,
};
use crate::{
    metric::Count,
    pki::{
        issue::{Enrolment, IssueError, Issuing, REQUEST_BYTES_MAX, Renewal},
        token::TokenError,
    },
    store::{Standing, Store},
};

/// What the claim to a receipt key is signed as.
const CLAIM: &str = "cordon.v1.ReceiptKeyClaim";

/// One message of this service.
pub const ENROLMENT_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;

/// The service.
#[derive(Clone, Debug)]
pub struct Enrolments {
    /// Decides and signs.
    pub issuing: Arc<Issuing>,
    /// The organisation's roots, as `init` was given them.
    pub roots: Roots,
    /// The newest keyring.
    pub keyring: watch::Receiver<Current>,
    /// Rate limits.
    pub admission: Arc<Admission>,
    /// The audit log.
    pub store: Store,
    /// Dates what is written there.
    pub clock: Arc<dyn Clock>,
}

impl Enrolments {
    /// Lets one call in, by where it comes from.
    fn admit<T>(&self, request: &Request<T>) -> Result<IpAddr, Status> {
        let peer = peer_of(request)?;
        let source = peer.address.ip().to_canonical();
        self.admission.enrolment(source).map_err(|error| status::of(&error))?;
        peer.settle();
        Ok(source)
    }

    fn refused(error: &(impl Classify + std::error::Error)) -> Status {
        Count::EnrolmentsRefused.add(1);
        info!("an enrolment or renewal was refused: {error}");
        status::of(error)
    }

    async fn wrong_token(&self, source: IpAddr) -> Status {
        match self.admission.wrong_token(source) {
            Wrong::Slip => return Self::refused(&TokenError::Unknown),
            Wrong::Alarm => {
                Concern::WrongTokens { source }.raise(&self.store, None, self.clock.now()).await;
            }
            Wrong::Known => (),
        }
        Self::refused(&TooMany { whom: "this address" })
    }
}

/// Reads a request; the claim to the receipt key is checked on the way.
fn parse(wire: v1::EnrolRequest, source: IpAddr) -> Result<Enrolment, WireError> {
    let token = TokenId::from_slice(&wire.token_id);
    let token = token.ok_or(WireError::new("token_id", "16 bytes"))?;
    if wire.token_secret.len() != 32 {
        return Err(WireError::new("token_secret", "32 bytes"));
    }
    let receipt_key = PublicKey::from_slice(&wire.receipt_key);
    let receipt_key = receipt_key.ok_or(WireError::new("receipt_key", "32 bytes"))?;
    let claim = wire.receipt_key_claim.ok_or(WireError::new("receipt_key_claim", "present"))?;
    let claim = wire::signed::from_wire(&claim)?;
    let signed = WireError::new("receipt_key_claim", "signed by the receipt key");
    let opened = claim.open::<v1::ReceiptKeyClaim>(CLAIM, &[receipt_key]).or(Err(signed))?;
    let csr_sha256 = Sha256::of(&wire.csr);
    let is_about_this = opened.message.token_id == wire.token_id
        && opened.message.receipt_key == wire.receipt_key
        && opened.message.csr_sha256.as_ref() == csr_sha256.as_bytes();
    if !is_about_this {
        return Err(WireError::new("receipt_key_claim", "about this token, key and request"));
    }
    let host = wire.host.ok_or(WireError::new("host", "present"))?;
    Ok(Enrolment {
        token,
        secret: Secret::new(wire.token_secret.to_vec()),
        request: wire.csr.to_vec(),
        receipt_key,
        facts: hello::facts(&wire::session::host_from(&host)?),
        source,
    })
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for Enrolments {
    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolReply>, Status> {
        let source = self.admit(&request)?;
        let enrolment =
            parse(request.into_inner(), source).map_err(|error| Self::refused(&error))?;
        let (agent, certificate) = match self.issuing.enrol(enrolment).await {
            Ok(issued) => issued,
            Err(IssueError::Token(TokenError::Unknown)) => {
                return Err(self.wrong_token(source).await);
            }
            Err(error) => return Err(Self::refused(&error)),
        };
        Count::CertificatesIssued.add(1);
        info!(agent = %agent.id, host = agent.host.facts.name, %source, "a host is enrolled");
        let authority = self.issuing.authority().certificate().to_vec();
        let keyring = self.keyring.borrow().to_wire();
        Ok(Response::new(v1::EnrolReply {
            agent_id: agent.id.as_bytes().to_vec().into(),
            host_id: agent.host.id.as_bytes().to_vec().into(),
            certificates: vec![certificate.to_vec().into()],
            authorities: vec![authority.into()],
            root_keys: self.roots.keys().iter().map(|it| it.as_bytes().to_vec().into()).collect(),
            root_threshold: u32::try_from(self.roots.threshold()).unwrap_or(u32::MAX),
            keyring,
            host_tier: agent.host.tier,
            is_held: agent.standing == Standing::Held,
        }))
    }

    async fn challenge(
        &self,
        request: Request<v1::ChallengeRequest>,
    ) -> Result<Response<v1::ChallengeReply>, Status> {
        self.admit(&request)?;
        Ok(Response::new(v1::ChallengeReply { challenge: self.issuing.challenge().into() }))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        self.admit(&request)?;
        let wire = request.into_inner();
        let renewal = Renewal {
            certificate: wire.certificate.to_vec(),
            request: wire.csr.to_vec(),
            challenge: wire.challenge.to_vec(),
            proof: wire.proof.to_vec(),
        };
        let renewed = self.issuing.renew(renewal).await;
        let certificate = renewed.map_err(|error| Self::refused(&error))?;
        Count::CertificatesIssued.add(1);
        let authority = self.issuing.authority().certificate().to_vec();
        Ok(Response::new(v1::RenewReply {
            certificates: vec![certificate.to_vec().into()],
            authorities: vec![authority.into()],
        }))
    }
}
