//! Certificates: what each kind carries, the agent's name in them, keys on disk.
//!
//! One authority per collector signs two kinds of leaf, and the kinds cannot stand for each other:
//!
//! | kind | names | for | made by |
//! |---|---|---|---|
//! | authority | common name | signing leaves | `cordon-collector init` |
//! | collector | DNS [`COLLECTOR_NAME`] and what the administrator listed | server authentication only | the collector |
//! | agent | URI `spiffe://cordon/agent/UUID`, nothing else | client authentication only | the collector, from a public key |
//!
//! A request ([`TlsKey::request`]) carries a public key and the proof that its private half is there;
//! whatever else a request says is ignored by who signs it. Agents check a collector by
//! [`COLLECTOR_NAME`], not by the address that they dialled: addresses change.
//!
//! This module makes and stores; it never reads a certificate that a peer sent. The collector does
//! that with `x509-parser` and hands the URI to [`parse_agent_uri`].
//!
//! PK-1: an agent's private key is made on its host, written to a file that its owner alone reads,
//! and has no other way out.

mod validity;

use std::{io, path::Path};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, SigningKey as _,
    string::Ia5String,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _, pem::SectionKind,
};

pub use self::validity::{Validity, validity_of};
use super::secret::Secret;
use crate::{
    digest::Sha256,
    durable,
    entropy::Entropy,
    error::{Classify, Kind},
    id::AgentId,
    time::Timestamp,
};

/// The name by which agents know any collector of their authority. It is in no DNS (`.internal` is
/// reserved for private use by ICANN, 2024), and need not be.
pub const COLLECTOR_NAME: &str = "collector.cordon.internal";

/// Begins an agent's name: a SPIFFE id (SPIFFE-ID section 2) in our own trust domain.
const AGENT_URI: &str = "spiffe://cordon/agent/";

/// Begins what an old certificate's key signs to get a new certificate.
const RENEWAL_TAG: &[u8] = b"CordonRenewV1\0";

/// The most certificates that one file may hold: a leaf, an authority, and their successors.
const CERTIFICATES_MAX: usize = 16;

/// A key or a certificate was not made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The provider refused to make or use a key, or a name does not fit a certificate.
    #[error("failed to {doing}")]
    Make {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// The text is not what it should be: nothing to retry.
    #[error("{what} must be {rule}")]
    Text {
        /// Which text.
        what: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// A file is not what it should be: put it back, or make it anew.
    #[error("`{path}` is damaged: it must hold {rule}")]
    File {
        /// Which file.
        path: String,
        /// What it must hold.
        rule: &'static str,
    },
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for CertError {
    fn kind(&self) -> Kind {
        match self {
            Self::Make { .. } => Kind::Internal,
            Self::Text { .. } => Kind::BadInput,
            Self::File { .. } => Kind::Corrupt,
            Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

impl CertError {
    fn make(doing: &'static str) -> impl FnOnce(rcgen::Error) -> Self {
        move |source| Self::Make { doing, source }
    }

    /// The same of a file, which it names.
    fn of_file(path: &Path) -> impl FnOnce(Self) -> Self {
        let path = path.display().to_string();
        move |error| match error {
            Self::Text { rule, .. } => Self::File { path, rule },
            Self::Make { .. } | Self::File { .. } | Self::Disk { .. } => error,
        }
    }

    fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Disk { doing, path, source }
    }
}

/// The agent's name as a URI.
#[must_use]
pub fn agent_uri(agent: AgentId) -> String {
    format!("{AGENT_URI}{agent}")
}

/// Reads an agent's name; nothing for any other URI, or for one that `agent_uri` would write
/// otherwise.
#[must_use]
pub fn parse_agent_uri(uri: &str) -> Option<AgentId> {
    let agent = AgentId::parse(uri.strip_prefix(AGENT_URI)?)?;
    (agent_uri(agent) == uri).then_some(agent)
}

/// An authority of the given name: signs leaves and nothing below it.
#[must_use]
pub fn authority_profile(
    name: &str,
    validity: Validity,
    entropy: &dyn Entropy,
) -> CertificateParams {
    let mut params = profile(name, validity, entropy);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A collector's leaf: [`COLLECTOR_NAME`] and `names`, DNS names or addresses that responders dial.
///
/// # Errors
/// [`CertError::Make`] for a name that is not ASCII.
pub fn collector_profile(
    names: &[String],
    validity: Validity,
    entropy: &dyn Entropy,
) -> Result<CertificateParams, CertError> {
    let mut params = profile(COLLECTOR_NAME, validity, entropy);
    for name in std::iter::once(COLLECTOR_NAME).chain(names.iter().map(String::as_str)) {
        let name = match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(ia5(name)?),
        };
        if !params.subject_alt_names.contains(&name) {
            params.subject_alt_names.push(name);
        }
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// An agent's leaf: its URI and nothing else of what its request may have said.
///
/// # Panics
/// Never: an agent's URI is ASCII.
#[must_use]
pub fn agent_profile(
    agent: AgentId,
    validity: Validity,
    entropy: &dyn Entropy,
) -> CertificateParams {
    let uri = ia5(&agent_uri(agent)).expect("a URI of letters, digits and hyphens is ASCII");
    let mut params = profile("cordon-agent", validity, entropy);
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// What every certificate has: a name, a validity, and a serial number of 126 random bits (RFC 5280
/// section 4.1.2.2: positive, at most 20 octets).
fn profile(name: &str, validity: Validity, entropy: &dyn Entropy) -> CertificateParams {
    let mut serial = [0; 16];
    entropy.fill(&mut serial);
    serial[0] = serial[0] & 0x3f | 0x40;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let seconds = |at: Timestamp| {
        let ns = u64::try_from(at.as_ns()).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(ns / 1_000_000_000)
    };
    params.not_before = seconds(validity.from);
    params.not_after = seconds(validity.until);
    params
}

fn ia5(text: &str) -> Result<Ia5String, CertError> {
    Ia5String::try_from(text).map_err(CertError::make("write a name into a certificate"))
}

/// The private key of a TLS identity: ECDSA P-256, which every TLS stack takes.
pub struct TlsKey(KeyPair);

impl TlsKey {
    /// A new key. Its randomness is the provider's own: there is no other way to ask for one.
    ///
    /// # Errors
    /// [`CertError::Make`] when the provider has no randomness.
    pub fn random() -> Result<Self, CertError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(CertError::make("make a key"))
    }

    /// Reads PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`CertError::Text`] for anything but one P-256 key.
    pub fn parse(pem: &str) -> Result<Self, CertError> {
        let bad = CertError::Text { what: "a key file", rule: "one P-256 key as PKCS #8 in PEM" };
        let Ok(der) = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()) else { return Err(bad) };
        match KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256) {
            Ok(pair) => Ok(Self(pair)),
            Err(_) => Err(bad),
        }
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`CertError::Disk`] or [`CertError::File`].
    pub fn read(path: &Path) -> Result<Self, CertError> {
        let text = std::fs::read_to_string(path).map_err(CertError::disk("read", path))?;
        Self::parse(Secret::new(text).expose()).map_err(CertError::of_file(path))
    }

    /// Writes a key file that its owner alone reads (PK-1).
    ///
    /// # Errors
    /// [`CertError::Disk`]; the file is then as it was.
    pub fn write(&self, path: &Path) -> Result<(), CertError> {
        let pem = Secret::new(self.0.serialize_pem());
        durable::write(path, pem.expose().as_bytes(), durable::MODE_SECRET)
            .map_err(CertError::disk("write", path))
    }

    /// A request for a certificate, DER (PKCS #10, RFC 2986): the public half and its proof.
    ///
    /// # Errors
    /// [`CertError::Make`] when the provider fails.
    pub fn request(&self) -> Result<Vec<u8>, CertError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0);
        let request = request.map_err(CertError::make("make a certificate request"))?;
        Ok(request.der().to_vec())
    }

    /// Signs the renewal of this key's certificate: see [`renewal_text`].
    ///
    /// # Errors
    /// [`CertError::Make`] when the provider fails.
    pub fn sign_renewal(&self, challenge: &[u8], request: &[u8]) -> Result<Vec<u8>, CertError> {
        self.0.sign(&renewal_text(challenge, request)).map_err(CertError::make("sign a renewal"))
    }

    /// The key as rcgen has it, for signing certificates with it.
    #[must_use]
    pub fn as_rcgen(&self) -> &KeyPair {
        &self.0
    }

    /// The key as rustls takes it.
    #[must_use]
    pub fn to_rustls(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsKey(..)")
    }
}

/// What a renewal signs: the tag, what the collector asked, and the new request's digest.
#[must_use]
pub fn renewal_text(challenge: &[u8], request: &[u8]) -> Vec<u8> {
    [RENEWAL_TAG, challenge, Sha256::of(request).as_bytes()].concat()
}

/// Whether `proof` is the renewal of `request` by the key of the old certificate, of which
/// `public_key` is the subject's key: an uncompressed P-256 point, 65 bytes.
#[must_use]
pub fn is_renewal(public_key: &[u8], challenge: &[u8], request: &[u8], proof: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key);
    key.verify(&renewal_text(challenge, request), proof).is_ok()
}

/// Reads the certificates of a PEM text, in their order.
///
/// # Errors
/// [`CertError::Text`] when there is none, too many, or anything else beside them.
pub fn parse_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertError> {
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) if certificates.len() < CERTIFICATES_MAX => {
                certificates.push(CertificateDer::from(der));
            }
            Ok(_) | Err(_) => certificates.clear(),
        }
    }
    if certificates.is_empty() {
        let rule = "1..=16 certificates in PEM, and nothing else";
        return Err(CertError::Text { what: "a certificate file", rule });
    }
    Ok(certificates)
}

/// Reads a file of certificates.
///
/// # Errors
/// [`CertError::Disk`] or [`CertError::File`].
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertError> {
    let text = std::fs::read_to_string(path).map_err(CertError::disk("read", path))?;
    parse_certificates(&text).map_err(CertError::of_file(path))
}

/// Writes certificates as PEM, in their order.
///
/// # Errors
/// [`CertError::Disk`]; the file is then as it was.
pub fn write_certificates(
    path: &Path,
    certificates: &[CertificateDer<'_>],
) -> Result<(), CertError> {
    let text: String = certificates.iter().map(|it| to_pem(it)).collect();
    durable::write(path, text.as_bytes(), durable::MODE_PUBLIC)
        .map_err(CertError::disk("write", path))
}

/// One certificate as PEM (RFC 7468 section 5).
#[must_use]
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, it) in STANDARD.encode(certificate).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(it);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests;
