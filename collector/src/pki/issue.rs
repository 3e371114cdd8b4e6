//! From a request to a certificate: at enrolment by a token, at renewal by the old key.
//!
//! Beside the road: of a request only its public key is used, after its proof of possession was
//! checked; name, use and life of the certificate are ours. A certificate is recorded before it is
//! handed out.
//!
//! A renewal may come from a certificate that ended up to `limit::RENEWAL_GRACE` ago: the chain is
//! judged at the last moment of its validity, the proof by its key over a fresh challenge, and the
//! agent must not be revoked.

use std::{net::IpAddr, sync::Arc, time::Duration};

use cordon_shared::{
    crypto::{
        cert::{self, Validity},
        secret::Secret,
        signing::PublicKey,
        tls,
    },
    entropy::Entropy,
    error::{Classify, Kind},
    id::{AgentId, HostId, TokenId},
    limit,
    time::{Clock, Timestamp},
};
use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256};
use rustls::{
    RootCertStore,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    authority::{Authority, AuthorityError, CLOCK_ALLOWANCE},
    challenge::Challenger,
    identity,
    token::{self, TokenError},
};
use crate::store::{AgentRow, Facts, NewAgent, NewCertificate, Standing, Store, StoreError};

/// Bytes of a request or of a certificate: ours have a tenth.
pub const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The token lets nobody in.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The request is no P-256 request with a good proof of possession.
    #[error("the request must be PKCS #10 for a P-256 key, signed by that key")]
    Request,
    /// The certificate to renew is not one of ours, or ended too long ago.
    #[error("the certificate must be an agent's of this authority, ended at most 30 days ago")]
    Certificate,
    /// The challenge is not ours or too old: ask for another.
    #[error("the challenge must be one of the last minute")]
    Challenge,
    /// The old key did not sign this renewal.
    #[error("the proof must be by the old certificate's key, over the challenge and the request")]
    Proof,
    /// The agent is out.
    #[error("agent {agent} is revoked")]
    Revoked {
        /// Which.
        agent: AgentId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The authority failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl Classify for IssueError {
    fn kind(&self) -> Kind {
        match self {
            Self::Token(error) => error.kind(),
            Self::Request => Kind::BadInput,
            Self::Certificate | Self::Challenge | Self::Proof => Kind::Unauthenticated,
            Self::Revoked { .. } => Kind::Forbidden,
            Self::Store(error) => error.kind(),
            Self::Authority(_) => Kind::Internal,
        }
    }
}

/// A host that asks to be let in. What is proved of it so far is the receipt key.
#[derive(Debug)]
pub struct Enrolment {
    /// The token's name.
    pub token: TokenId,
    /// The token's secret.
    pub secret: Secret<Vec<u8>>,
    /// PKCS #10, DER.
    pub request: Vec<u8>,
    /// Its receipt key, which signed the claim to it.
    pub receipt_key: PublicKey,
    /// What it says of its machine.
    pub facts: Facts,
    /// From where.
    pub source: IpAddr,
}

/// An agent that asks for its next certificate.
#[derive(Debug)]
pub struct Renewal {
    /// The certificate so far, DER.
    pub certificate: Vec<u8>,
    /// PKCS #10 for the next key, DER.
    pub request: Vec<u8>,
    /// One of ours.
    pub challenge: Vec<u8>,
    /// By the key so far.
    pub proof: Vec<u8>,
}

/// Issues certificates.
#[derive(Debug)]
pub struct Issuing {
    authority: Authority,
    verifier: Arc<dyn ClientCertVerifier>,
    challenger: Challenger,
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Issuing {
    /// Issues in the name of `authority`.
    ///
    /// # Errors
    /// [`IssueError::Authority`] when the authority's certificate is none.
    pub fn new(
        authority: Authority,
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, IssueError> {
        let bad = || AuthorityError::File {
            path: "authority.pem".into(),
            rule: "a certificate that signs others",
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).map_err(|_refused| bad())?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider());
        let verifier = builder.build().map_err(|_refused| bad())?;
        let challenger = Challenger::new(&*entropy);
        Ok(Self { authority, verifier, challenger, store, clock, entropy })
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A number for the next renewal to sign.
    #[must_use]
    pub fn challenge(&self) -> Vec<u8> {
        self.challenger.make(&*self.clock, &*self.entropy)
    }

    /// Lets a host in: the agent as it is now, and its certificate.
    ///
    /// # Errors
    /// [`IssueError`]; nothing has changed then, the token's uses included.
    pub async fn enrol(
        &self,
        enrolment: Enrolment,
    ) -> Result<(AgentRow, CertificateDer<'static>), IssueError> {
        let now = self.clock.now();
        let row = match self.store.token(enrolment.token).await {
            Ok(row) => Some(row),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(IssueError::Store(error)),
        };
        token::judge(row.as_ref(), enrolment.secret.expose(), enrolment.source, now)?;
        let id = AgentId::random(&*self.clock, &*self.entropy);
        let (certificate, record) = self.certify(id, &enrolment.request, now)?;
        let new = NewAgent {
            id,
            host: HostId::random(&*self.clock, &*self.entropy),
            token: enrolment.token,
            facts: enrolment.facts,
            receipt_key: enrolment.receipt_key,
            certificate: record,
        };
        match self.store.enrol(&new, now).await {
            Ok(agent) => Ok((agent, certificate)),
            Err(StoreError::Conflict { state, .. }) => Err(TokenError::Ended { state }.into()),
            Err(StoreError::NotFound { .. }) => Err(TokenError::Unknown.into()),
            Err(error) => Err(IssueError::Store(error)),
        }
    }

    /// Gives an agent its next certificate.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn renew(&self, renewal: Renewal) -> Result<CertificateDer<'static>, IssueError> {
        let now = self.clock.now();
        if !self.challenger.is_good(&renewal.challenge, &*self.clock) {
            return Err(IssueError::Challenge);
        }
        let old = CertificateDer::from(renewal.certificate);
        let (agent, key) = self.verify(&old, now)?;
        if !cert::is_renewal(&key, &renewal.challenge, &renewal.request, &renewal.proof) {
            return Err(IssueError::Proof);
        }
        let row = match self.store.agent(agent).await {
            Ok(row) => row,
            Err(StoreError::NotFound { .. }) => return Err(IssueError::Certificate),
            Err(error) => return Err(IssueError::Store(error)),
        };
        if row.standing == Standing::Revoked {
            return Err(IssueError::Revoked { agent });
        }
        let (certificate, record) = self.certify(agent, &renewal.request, now)?;
        self.store.add_certificate(agent, &record).await.map_err(IssueError::Store)?;
        Ok(certificate)
    }

    /// Whose certificate it is, and its key as 65 bytes; judged at the last moment at which it may
    /// still have been good.
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        now: Timestamp,
    ) -> Result<(AgentId, Vec<u8>), IssueError> {
        if certificate.len() > REQUEST_BYTES_MAX {
            return Err(IssueError::Certificate);
        }
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Err(IssueError::Certificate);
        };
        let until = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let now = Duration::from_nanos(u64::try_from(now.as_ns()).unwrap_or(0));
        let until = Duration::from_secs(until);
        if now.saturating_sub(limit::RENEWAL_GRACE) > until {
            return Err(IssueError::Certificate);
        }
        let at = UnixTime::since_unix_epoch(now.min(until));
        if self.verifier.verify_client_cert(certificate, &[], at).is_err() {
            return Err(IssueError::Certificate);
        }
        let agent = identity::agent_of(certificate).ok_or(IssueError::Certificate)?;
        Ok((agent, parsed.public_key().subject_public_key.data.to_vec()))
    }

    /// Signs a certificate for the key of a request.
    fn certify(
        &self,
        agent: AgentId,
        request: &[u8],
        now: Timestamp,
    ) -> Result<(CertificateDer<'static>, NewCertificate), IssueError> {
        use rcgen::PublicKeyData as _;

        if request.len() > REQUEST_BYTES_MAX {
            return Err(IssueError::Request);
        }
        let der = CertificateSigningRequestDer::from(request);
        let Ok(asked) = CertificateSigningRequestParams::from_der(&der) else {
            return Err(IssueError::Request);
        };
        let key = asked.public_key;
        // An uncompressed point of P-256 (SEC 1 section 2.3.3).
        let is_p256 = *key.algorithm() == PKCS_ECDSA_P256_SHA256 && key.der_bytes().len() == 65;
        if !is_p256 {
            return Err(IssueError::Request);
        }
        let validity = Validity {
            from: now.saturating_sub(CLOCK_ALLOWANCE),
            until: now.saturating_add(limit::CERTIFICATE_LIFETIME),
        };
        let profile = cert::agent_profile(agent, validity, &*self.entropy);
        let serial = profile.serial_number.as_ref().map(rcgen::SerialNumber::to_bytes);
        let certificate = self.authority.sign(&profile, &key)?;
        let record = NewCertificate {
            serial: hex::encode(serial.unwrap_or_default()),
            not_before: validity.from,
            not_after: validity.until,
        };
        Ok((certificate, record))
    }
}

#[cfg(test)]
mod tests;
