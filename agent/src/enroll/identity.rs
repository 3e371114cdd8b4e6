//! Keys and certificates on disk, for their owner alone; the keys never leave (PK-1).
//!
//! ```text
//! identity/tls.key          PKCS #8, PEM; 0600
//! identity/receipt.key      Ed25519 seed, armoured; 0600
//! identity/tls.pem          our certificate chain, leaf first
//! identity/authorities.pem  whom we trust
//! identity/agent.json       who we are; written last: without it the host is not enrolled
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cordon_shared::{
    crypto::{
        cert::{self, CertError, TlsKey},
        secret::Secret,
        signing::SigningKey,
    },
    durable,
    error::{Classify, Kind},
    id::{AgentId, HostId},
    keyring::armor,
};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

/// Why the identity cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key or certificate file is damaged.
    #[error("failed to read keys or certificates")]
    Certificates(#[from] CertError),
    /// Another file is damaged.
    #[error("`{path}` is damaged: enrol anew")]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// There is none.
    #[error("this host is not enrolled: run `cordon-agent enroll --token TOKEN` first")]
    Absent,
}

impl Classify for IdentityError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk { .. } => Kind::Unavailable,
            Self::Certificates(error) => error.kind(),
            Self::Damaged { .. } => Kind::Corrupt,
            Self::Absent => Kind::Unauthenticated,
        }
    }
}

/// Who we are, as the collector told us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// This enrolment.
    pub agent: AgentId,
    /// This machine.
    pub host: HostId,
    /// Its tier.
    pub host_tier: String,
    /// Whether a person has yet to approve it.
    pub is_held: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord {
    agent_id: String,
    host_id: String,
    host_tier: String,
    is_held: bool,
}

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Files(PathBuf);

impl Files {
    /// In `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Their folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Writes both private keys, for their owner alone (PK-1).
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn write_keys(&self, key: &TlsKey, receipt: &SigningKey) -> Result<(), IdentityError> {
        durable::create_dir(&self.0, durable::MODE_DIR)
            .map_err(|source| self.failed("make", "", source))?;
        key.write(&self.0.join("tls.key"))?;
        let text = Secret::new(armor::write(armor::SIGNING_KEY, receipt.seed().expose()));
        self.write("receipt.key", text.expose().as_bytes(), durable::MODE_SECRET)
    }

    /// Writes our chain and whom we trust.
    ///
    /// # Errors
    /// [`IdentityError`]; the old files may be in force in part, and both old and new are good.
    pub fn write_certificates(
        &self,
        chain: &[CertificateDer<'_>],
        authorities: &[CertificateDer<'_>],
    ) -> Result<(), IdentityError> {
        cert::write_certificates(&self.0.join("authorities.pem"), authorities)?;
        Ok(cert::write_certificates(&self.0.join("tls.pem"), chain)?)
    }

    /// Writes who we are.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn write_record(&self, record: &Record) -> Result<(), IdentityError> {
        let raw = RawRecord {
            agent_id: record.agent.to_string(),
            host_id: record.host.to_string(),
            host_tier: record.host_tier.clone(),
            is_held: record.is_held,
        };
        let text = serde_json::to_vec_pretty(&raw).unwrap_or_default();
        self.write("agent.json", &text, durable::MODE_PUBLIC)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
        durable::write(&self.0.join(name), bytes, mode)
            .map_err(|source| self.failed("write", name, source))
    }

    fn failed(&self, doing: &'static str, name: &str, source: io::Error) -> IdentityError {
        IdentityError::Disk { doing, path: self.0.join(name), source }
    }
}

/// Who we are, with what proves it.
#[derive(Debug)]
pub struct Identity {
    /// Who.
    pub record: Record,
    /// Signs receipts.
    pub receipt_key: SigningKey,
    /// Whom we trust.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Our chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
}

impl Identity {
    /// Reads the identity; `None` when the host is not enrolled.
    ///
    /// # Errors
    /// [`IdentityError`] when it is there and cannot be read whole.
    pub fn find(files: &Files) -> Result<Option<Self>, IdentityError> {
        let path = files.0.join("agent.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(files.failed("read", "agent.json", source)),
        };
        let damaged = || IdentityError::Damaged { path: path.clone() };
        let raw: RawRecord = serde_json::from_slice(&text).map_err(|_bad| damaged())?;
        let agent = AgentId::parse(&raw.agent_id).ok_or_else(damaged)?;
        let host = HostId::parse(&raw.host_id).ok_or_else(damaged)?;
        let RawRecord { host_tier, is_held, .. } = raw;
        let receipt = fs::read_to_string(files.0.join("receipt.key"))
            .map_err(|source| files.failed("read", "receipt.key", source))?;
        let seed = armor::read(armor::SIGNING_KEY, Secret::new(receipt).expose());
        let seed = seed.and_then(|it| <[u8; 32]>::try_from(it).ok());
        let path = files.0.join("receipt.key");
        let seed = seed.ok_or(IdentityError::Damaged { path })?;
        Ok(Some(Self {
            record: Record { agent, host, host_tier, is_held },
            receipt_key: SigningKey::from_seed(seed),
            authorities: cert::read_certificates(&files.0.join("authorities.pem"))?,
            chain: cert::read_certificates(&files.0.join("tls.pem"))?,
        }))
    }

    /// Reads the identity of an enrolled host.
    ///
    /// # Errors
    /// [`IdentityError::Absent`] when it is not enrolled.
    pub fn read(files: &Files) -> Result<Self, IdentityError> {
        Self::find(files)?.ok_or(IdentityError::Absent)
    }

    /// The key of our certificate.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn key(files: &Files) -> Result<TlsKey, IdentityError> {
        Ok(TlsKey::read(&files.0.join("tls.key"))?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use cordon_shared::{
        crypto::{cert::TlsKey, signing::SigningKey},
        id::{AgentId, HostId},
    };

    use super::{Files, Identity, Record};

    #[test]
    fn pk_1_private_keys_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path().join("identity"));
        let key = TlsKey::random().expect("a key");
        files.write_keys(&key, &SigningKey::from_seed([7; 32])).expect("writes");
        for name in ["tls.key", "receipt.key"] {
            let mode = std::fs::metadata(files.folder().join(name)).expect("is there").mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(std::fs::metadata(files.folder()).expect("is there").mode() & 0o777, 0o700);
    }

    #[test]
    fn a_host_with_keys_alone_is_not_enrolled() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path().join("identity"));
        let key = TlsKey::random().expect("a key");
        files.write_keys(&key, &SigningKey::from_seed([7; 32])).expect("writes");
        assert!(Identity::find(&files).expect("reads").is_none());
        let said = Identity::read(&files).expect_err("not enrolled").to_string();
        assert_eq!(
            said,
            "this host is not enrolled: run `cordon-agent enroll --token TOKEN` first"
        );
    }

    #[test]
    fn a_damaged_record_is_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path().to_owned());
        let record = Record {
            agent: AgentId::from_slice(&[1; 16]).expect("not zero"),
            host: HostId::from_slice(&[2; 16]).expect("not zero"),
            host_tier: "standard".to_owned(),
            is_held: false,
        };
        files.write_record(&record).expect("writes");
        files.write("agent.json", b"{}", 0o644).expect("writes");
        assert!(Identity::find(&files).is_err());
    }
}
