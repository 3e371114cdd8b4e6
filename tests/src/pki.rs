//! Throwaway authorities, for peers that no collector and no agent should trust.

use std::{path::Path, time::Duration};

use anyhow::Context;
use cordon_shared::{
    crypto::{
        cert::{self, TlsKey, Validity},
        tls::Identity,
    },
    entropy::SystemEntropy,
    id::AgentId,
    limit,
    time::{Clock, SystemClock},
};
use rcgen::{CertificateParams, CertifiedIssuer, Issuer};
use rustls_pki_types::CertificateDer;

const HOUR: Duration = Duration::from_secs(3_600);

/// When a certificate is good, seen from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Good {
    /// For an hour more.
    Now,
    /// Until an hour ago.
    Before,
    /// Until an hour before the last one that may still renew.
    LongBefore,
}

impl Good {
    /// From when until when.
    #[must_use]
    pub fn validity(self) -> Validity {
        let now = SystemClock.now();
        match self {
            Self::Now => {
                Validity { from: now.saturating_sub(HOUR), until: now.saturating_add(HOUR) }
            }
            Self::Before => {
                Validity { from: now.saturating_sub(3 * HOUR), until: now.saturating_sub(HOUR) }
            }
            Self::LongBefore => {
                let until = now.saturating_sub(limit::RENEWAL_GRACE + HOUR);
                Validity { from: until.saturating_sub(HOUR), until }
            }
        }
    }
}

/// An authority that nobody has heard of.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When the provider of cryptography fails.
    pub fn new() -> anyhow::Result<Self> {
        let params = cert::authority_profile("throwaway", Good::Now.validity(), &SystemEntropy);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .context("make an authority's key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("make an authority")?;
        Ok(Self { issuer })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.as_ref().der().clone()
    }

    /// An agent's identity, as the real authority would issue it.
    ///
    /// # Errors
    /// When the provider of cryptography fails.
    pub fn agent(&self, agent: AgentId, good: Good) -> anyhow::Result<Identity> {
        self.issue(&cert::agent_profile(agent, good.validity(), &SystemEntropy))
    }

    /// A collector's identity for these names or addresses.
    ///
    /// # Errors
    /// When the provider of cryptography fails.
    pub fn collector(&self, names: &[String], good: Good) -> anyhow::Result<Identity> {
        self.issue(&cert::collector_profile(names, good.validity(), &SystemEntropy)?)
    }

    fn issue(&self, params: &CertificateParams) -> anyhow::Result<Identity> {
        let key = TlsKey::random()?;
        let leaf = params.signed_by(key.as_rcgen(), &self.issuer).context("issue a certificate")?;
        Ok(Identity { chain: vec![leaf.der().clone(), self.certificate()], key })
    }
}

/// Gives an agent's key, in its folder `identity`, a certificate with another life, by the authority
/// in a collector's folder `pki`: as if it had been issued then.
///
/// # Errors
/// When a file cannot be read or written.
pub fn reissue(pki: &Path, identity: &Path, agent: AgentId, good: Good) -> anyhow::Result<()> {
    let authority = cert::read_certificates(&pki.join("authority.pem"))?;
    let authority = authority.first().context("read an authority")?;
    let signer = TlsKey::read(&pki.join("authority.key"))?;
    let issuer =
        Issuer::from_ca_cert_der(authority, signer.as_rcgen()).context("be an authority")?;
    let key = TlsKey::read(&identity.join("tls.key"))?;
    let profile = cert::agent_profile(agent, good.validity(), &SystemEntropy);
    let leaf = profile.signed_by(key.as_rcgen(), &issuer).context("issue a certificate")?;
    Ok(cert::write_certificates(&identity.join("tls.pem"), &[leaf.der().clone()])?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cordon_shared::{crypto::tls, test_support, time::SystemClock};

    use super::{Authority, Good};

    /// Shakes hands in memory; says whether the server takes the client.
    fn is_taken(trusted: &Authority, issuer: &Authority, good: Good) -> bool {
        let clock = Arc::new(SystemClock);
        let server = trusted.collector(&["127.0.0.1".to_owned()], Good::Now).unwrap();
        let server = tls::session_server(&server, &[trusted.certificate()], clock.clone()).unwrap();
        let agent = issuer.agent(test_support::agent(), good).unwrap();
        let own = good.validity();
        let client = tls::session_client(&agent, &[trusted.certificate()], own, clock).unwrap();
        let mut server = rustls::ServerConnection::new(server).unwrap();
        let mut client = rustls::ClientConnection::new(client, tls::collector_name()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        true
    }

    #[test]
    fn an_agent_of_the_trusted_authority_is_taken() {
        let ours = Authority::new().unwrap();
        assert!(is_taken(&ours, &ours, Good::Now));
    }

    #[test]
    fn an_agent_of_another_authority_is_not_taken() {
        assert!(!is_taken(&Authority::new().unwrap(), &Authority::new().unwrap(), Good::Now));
    }

    #[test]
    fn an_expired_agent_is_not_taken() {
        let ours = Authority::new().unwrap();
        assert!(!is_taken(&ours, &ours, Good::Before));
    }
}
