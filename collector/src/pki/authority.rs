//! The authority's key and certificate, and the collector's own leaf, on disk.
//!
//! Beside the road: `cordon-collector init` makes them, `serve` opens them. Files under `pki/`:
//!
//! ```text
//! authority.key    P-256, PKCS #8 in PEM, its owner's alone
//! authority.pem    its certificate
//! collector.key    the listeners' key, its owner's alone
//! collector.pem    the listeners' leaf, then the authority's certificate
//! automation.key   Ed25519: signs automation's commands, within totals that root signed
//! automation.pub   its public half, to be put into a keyring
//! ```

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    crypto::{
        cert::{self, CertError, TlsKey, Validity},
        signing::SigningKey,
        tls::Identity,
    },
    digest::Sha256,
    durable,
    entropy::Entropy,
    error::{Classify, Kind},
    keyring::author::{self, AuthorError},
    time::Timestamp,
};
use rcgen::{CertificateParams, Issuer, PublicKeyData};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Life of the authority (chosen: longer than a fleet's machines live).
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Life of the listeners' leaf; it is made anew at the first start past half of it (chosen: what
/// browsers take, 398 days, is more).
const LEAF_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3_600);

/// How far into the past certificates begin, for clocks that are behind.
pub const CLOCK_ALLOWANCE: Duration = Duration::from_secs(3_600);

/// The name that automation's key has in `pki/`.
const AUTOMATION: &str = "automation";

/// The authority was not made or opened.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key or certificate failed.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// Automation's key failed.
    #[error(transparent)]
    Automation(#[from] AuthorError),
    /// The authority did not sign.
    #[error("failed to {doing}")]
    Sign {
        /// What was being signed.
        doing: &'static str,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A file holds something else.
    #[error("`{path}` must hold {rule}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What it must hold.
        rule: &'static str,
    },
}

impl Classify for AuthorityError {
    fn kind(&self) -> Kind {
        match self {
            Self::Cert(error) => error.kind(),
            Self::Automation(error) => error.kind(),
            Self::Sign { .. } => Kind::Internal,
            Self::File { .. } => Kind::BadInput,
        }
    }
}

/// The authority of one collector.
#[derive(Debug)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    key: TlsKey,
}

impl Authority {
    /// Makes an authority and writes it into `dir`, which is there.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn create(
        dir: &Path,
        name: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, AuthorityError> {
        let key = TlsKey::random()?;
        let profile = cert::authority_profile(name, validity(now, AUTHORITY_LIFETIME), entropy);
        let made = profile.self_signed(key.as_rcgen());
        let certificate = made.map_err(failed("sign the authority"))?.der().clone();
        key.write(&dir.join("authority.key"))?;
        cert::write_certificates(&dir.join("authority.pem"), std::slice::from_ref(&certificate))?;
        Ok(Self { certificate, key })
    }

    /// Opens the authority in `dir`.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn open(dir: &Path) -> Result<Self, AuthorityError> {
        let path = dir.join("authority.pem");
        let certificate = first(&path)?;
        let key_path = dir.join("authority.key");
        let key = TlsKey::read(&key_path)?;
        if !is_pair(&certificate, &key) {
            // Whatever it signed, no agent would be let in with.
            let rule = "the key of `authority.pem`: put both back from one backup";
            return Err(AuthorityError::File { path: key_path, rule });
        }
        Ok(Self { certificate, key })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What enrolment tokens pin: SHA-256 of its certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.certificate)
    }

    /// Signs a leaf.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`].
    pub fn sign(
        &self,
        profile: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let issuer = Issuer::from_ca_cert_der(&self.certificate, self.key.as_rcgen());
        let issuer = issuer.map_err(failed("read the authority's certificate"))?;
        let signed = profile.signed_by(key, &issuer).map_err(failed("sign a certificate"))?;
        Ok(signed.der().clone())
    }

    /// The listeners' leaf and key from `dir`; the leaf is made anew when it or its key is missing,
    /// past half of its life, or for other names.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn identity(
        &self,
        dir: &Path,
        names: &[String],
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Identity, AuthorityError> {
        let (key_path, path) = (dir.join("collector.key"), dir.join("collector.pem"));
        let names_path = dir.join("collector.names");
        let wanted = names.join("\n");
        let is_same = std::fs::read_to_string(&names_path).is_ok_and(|it| it == wanted);
        let is_good = |leaf, key: &TlsKey| is_fresh(&leaf, now) && is_pair(&leaf, key);
        if is_same
            && let Ok(key) = TlsKey::read(&key_path)
            && first(&path).is_ok_and(|leaf| is_good(leaf, &key))
        {
            return Ok(Identity { chain: cert::read_certificates(&path)?, key });
        }
        let key = TlsKey::random()?;
        let profile = cert::collector_profile(names, validity(now, LEAF_LIFETIME), entropy)?;
        let leaf = self.sign(&profile, key.as_rcgen())?;
        let chain = vec![leaf, self.certificate.clone()];
        // The names last: until they are there the next start makes the pair anew.
        key.write(&key_path)?;
        cert::write_certificates(&path, &chain)?;
        durable::write(&names_path, wanted.as_bytes(), durable::MODE_PUBLIC).map_err(|source| {
            CertError::Disk { doing: "write", path: names_path.display().to_string(), source }
        })?;
        Ok(Identity { chain, key })
    }
}

/// Makes automation's key in `dir`.
///
/// # Errors
/// [`AuthorityError::Automation`], also when it is there already.
pub fn create_automation(dir: &Path, entropy: &dyn Entropy) -> Result<SigningKey, AuthorityError> {
    let key = author::new_key(entropy);
    author::write_key(dir, AUTOMATION, &key)?;
    Ok(key)
}

/// Where automation's private key lies in `dir`: the only signing key that may lie with a collector.
#[must_use]
pub fn automation_path(dir: &Path) -> PathBuf {
    dir.join(format!("{AUTOMATION}.key"))
}

fn validity(now: Timestamp, lifetime: Duration) -> Validity {
    Validity { from: now.saturating_sub(CLOCK_ALLOWANCE), until: now.saturating_add(lifetime) }
}

fn first(path: &Path) -> Result<CertificateDer<'static>, AuthorityError> {
    let rule = "a certificate";
    let certificates = cert::read_certificates(path)?;
    certificates.into_iter().next().ok_or_else(|| AuthorityError::File { path: path.into(), rule })
}

fn is_pair(certificate: &CertificateDer<'_>, key: &TlsKey) -> bool {
    let parsed = X509Certificate::from_der(certificate);
    let named = parsed.map(|(_, it)| it.public_key().subject_public_key.data.to_vec());
    named.is_ok_and(|it| it == key.as_rcgen().public_key_raw())
}

/// Whether less than half of a leaf's life is over.
fn is_fresh(leaf: &CertificateDer<'_>, now: Timestamp) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    let seconds = now.as_ns() / 1_000_000_000;
    let (from, until) =
        (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    (from..from + (until - from) / 2).contains(&seconds)
}

fn failed(doing: &'static str) -> impl FnOnce(rcgen::Error) -> AuthorityError {
    move |source| AuthorityError::Sign { doing, source }
}

#[cfg(test)]
mod tests {
    use cordon_shared::{entropy::SeededEntropy, time::Timestamp};

    use super::*;

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused_and_a_lost_leaf_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (now, entropy) = (Timestamp::from_ns(1_800_000_000_000_000_000), SeededEntropy::new(1));
        let made = Authority::create(dir.path(), "ours", now, &entropy).unwrap();
        let names = ["localhost".to_owned()];
        let before = made.identity(dir.path(), &names, now, &entropy).unwrap();
        let again = made.identity(dir.path(), &names, now, &entropy).unwrap();
        assert_eq!(before.chain, again.chain);
        TlsKey::random().unwrap().write(&dir.path().join("collector.key")).unwrap();
        let anew = made.identity(dir.path(), &names, now, &entropy).unwrap();
        assert_ne!(before.chain, anew.chain);
        Authority::open(dir.path()).unwrap();
        TlsKey::random().unwrap().write(&dir.path().join("authority.key")).unwrap();
        let error = Authority::open(dir.path()).unwrap_err().to_string();
        let rule = "must hold the key of `authority.pem`: put both back from one backup";
        assert!(error.ends_with(rule), "{error}");
    }
}
