//! TLS configurations: version 1.3 only, one provider, nothing resumed on the agents' listener.
//!
//! | who | configuration | proves itself by |
//! |---|---|---|
//! | agents' listener, 7443 | [`session_server`] | collector's leaf; a client certificate is required |
//! | enrolment, 7444, and responders, 7445 | [`open_server`] | collector's leaf; the chain carries the authority |
//! | agent's session | [`session_client`] | agent's leaf |
//! | agent's renewal | [`renewal_client`] | nothing in TLS: the old key signs a challenge |
//! | agent's enrolment | [`enrolment_client`] | nothing in TLS: the token is its proof |
//!
//! Tickets are off where client certificates count: a resumed session skips their verification, so a
//! revoked agent would come back with its ticket. Whoever changes trust builds a new configuration
//! and cuts the streams of those no longer trusted; a configuration never changes.
//!
//! **Time.** An agent's wall clock may lie by years (a dead battery, an attacker), and an agent that
//! refuses its collector for that is lost. So a client does not judge by its clock alone:
//!
//! - *not valid yet* never refuses: an authority does not date ahead, so it shows that our clock is
//!   behind. The certificate is judged at the first moment of its own validity.
//! - *expired* refuses while our clock can be right: when it reads no earlier than our own
//!   certificate's beginning, and no later than [`limit::RENEWAL_GRACE`] after its end, past which we
//!   could not even renew. Otherwise the clock is wrong for certain, and the moment that we know to be
//!   past is judged instead: when our own certificate was made.
//! - without a certificate of our own (enrolment) the clock is believed: a person stands by.
//!
//! A server judges by its own clock: the collector's is the one that certificates are dated by.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier},
    time_provider::TimeProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::cert::{COLLECTOR_NAME, TlsKey, Validity};
use crate::{
    digest::Sha256,
    error::{Classify, Kind},
    limit,
    time::{Clock, Timestamp},
};

/// HTTP/2, for gRPC (RFC 9113 section 3.1).
pub const ALPN_H2: &[u8] = b"h2";

/// HTTP/1.1, for browsers' event streams and simple clients (RFC 7301 section 6).
pub const ALPN_HTTP_1: &[u8] = b"http/1.1";

/// A certificate chain and the key of its leaf.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first. A server's chain ends with the authority, so that a pin can find it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: TlsKey,
}

/// A configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No authority, or one that does not parse.
    #[error("authorities must be at least one certificate that signs others")]
    Authorities,
    /// Leaf and key do not belong together, or the leaf does not parse.
    #[error("failed to take the certificate and its key")]
    Identity(#[source] rustls::Error),
    /// The provider lacks TLS 1.3.
    #[error("failed to set up TLS 1.3")]
    Provider(#[source] rustls::Error),
}

impl Classify for TlsError {
    fn kind(&self) -> Kind {
        match self {
            Self::Authorities | Self::Identity(_) => Kind::BadInput,
            Self::Provider(_) => Kind::Internal,
        }
    }
}

/// The one provider, with its own order of key exchanges: X25519MLKEM768 first.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The name that every client of a collector expects.
///
/// # Panics
/// Never: the constant is a DNS name.
#[must_use]
pub fn collector_name() -> ServerName<'static> {
    ServerName::try_from(COLLECTOR_NAME).expect("the constant is a DNS name")
}

/// The agents' listener: HTTP/2; a certificate of `authorities` required; no tickets, nothing stored.
///
/// # Errors
/// [`TlsError`].
pub fn session_server(
    identity: &Identity,
    authorities: &[CertificateDer<'_>],
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let roots = Arc::new(store(authorities)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
    let Ok(verifier) = verifier else { return Err(TlsError::Authorities) };
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Provider)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.to_rustls())
        .map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// A listener that proves itself and asks callers for nothing: enrolment (`&[ALPN_H2]`) and
/// responders (`&[ALPN_H2, ALPN_HTTP_1]`).
///
/// # Errors
/// [`TlsError`].
pub fn open_server(
    identity: &Identity,
    protocols: &[&[u8]],
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Provider)?
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.to_rustls())
        .map_err(TlsError::Identity)?;
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    Ok(Arc::new(config))
}

/// An agent's session: its certificate, the authorities that it was given, and when its certificate
/// is good (see the module for what the clock decides).
///
/// # Errors
/// [`TlsError`].
pub fn session_client(
    identity: &Identity,
    authorities: &[CertificateDer<'_>],
    own: Validity,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let trust = Trust::Authorities { roots: store(authorities)?, own: Some(own) };
    let pair = (identity.chain.clone(), identity.key.to_rustls());
    client(trust, Some(pair), clock)
}

/// An agent's renewal: like a session, without a certificate of its own.
///
/// # Errors
/// [`TlsError`].
pub fn renewal_client(
    authorities: &[CertificateDer<'_>],
    own: Option<Validity>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    client(Trust::Authorities { roots: store(authorities)?, own }, None, clock)
}

/// An agent's enrolment: trusts the one authority whose certificate has the digest that the token
/// carries, found in the chain that the server sends.
///
/// # Errors
/// [`TlsError`].
pub fn enrolment_client(
    authority: Sha256,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    client(Trust::Pin(authority), None, clock)
}

fn client(
    trust: Trust,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = CollectorVerifier { trust, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn store(authorities: &[CertificateDer<'_>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for it in authorities {
        if roots.add(it.clone()).is_err() {
            return Err(TlsError::Authorities);
        }
    }
    if roots.is_empty() { Err(TlsError::Authorities) } else { Ok(roots) }
}

/// Our clock as rustls asks for it.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(to_unix(self.0.now()))
    }
}

fn to_unix(at: Timestamp) -> UnixTime {
    let ns = u64::try_from(at.as_ns()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_nanos(ns))
}

/// Whom a client trusts.
#[derive(Debug)]
enum Trust {
    Authorities { roots: RootCertStore, own: Option<Validity> },
    Pin(Sha256),
}

/// Checks a collector's chain, name and signature; see the module for the time.
#[derive(Debug)]
struct CollectorVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// The moment at which a chain is judged, given what the clock shows (see the module).
fn judged_at(now: UnixTime, own: Option<Validity>) -> UnixTime {
    let Some(own) = own else { return now };
    let from = to_unix(own.from);
    let until = to_unix(own.until.saturating_add(limit::RENEWAL_GRACE));
    if (from..=until).contains(&now) { now } else { from }
}

impl CollectorVerifier {
    fn verify_chain(
        &self,
        leaf: &ParsedCertificate<'_>,
        roots: &RootCertStore,
        intermediates: &[CertificateDer<'_>],
        mut at: UnixTime,
    ) -> Result<(), rustls::Error> {
        use rustls::{CertificateError::NotValidYetContext, Error::InvalidCertificate};
        let algorithms = self.provider.signature_verification_algorithms.all;
        // Each round moves the moment past the beginning of one more certificate of the chain.
        for _ in 0..=intermediates.len() {
            let verdict = verify_server_cert_signed_by_trust_anchor(
                leaf,
                roots,
                intermediates,
                at,
                algorithms,
            );
            match verdict {
                Err(InvalidCertificate(NotValidYetContext { not_before, .. })) => at = not_before,
                verdict => return verdict,
            }
        }
        Err(InvalidCertificate(rustls::CertificateError::NotValidYet))
    }
}

impl ServerCertVerifier for CollectorVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let leaf = ParsedCertificate::try_from(end_entity)?;
        match &self.trust {
            Trust::Authorities { roots, own } => {
                self.verify_chain(&leaf, roots, intermediates, judged_at(now, *own))?;
            }
            Trust::Pin(pin) => {
                let mut roots = RootCertStore::empty();
                for it in intermediates.iter().filter(|it| Sha256::of(it) == *pin) {
                    roots.add(it.clone())?;
                }
                if roots.is_empty() {
                    return Err(rustls::CertificateError::UnknownIssuer.into());
                }
                self.verify_chain(&leaf, &roots, intermediates, now)?;
            }
        }
        verify_server_name(&leaf, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Version 1.2 is in no configuration of ours.
        Err(rustls::Error::General("TLS 1.2 was not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
