//! Whose certificate it is: the agent's name out of a certificate that was verified before.
//!
//! Beside the road: pure. TLS, or the issuer for renewals, has checked chain, time and use; here
//! the name is read, and a certificate with any other name than an agent's is nobody's.

use cordon_shared::{crypto::cert, id::AgentId};
use rustls_pki_types::CertificateDer;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

/// The agent that a verified certificate names: by exactly one alternative name, its URI.
#[must_use]
pub fn agent_of(certificate: &CertificateDer<'_>) -> Option<AgentId> {
    let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => cert::parse_agent_uri(uri),
        _ => None,
    }
}
