//! Ed25519 signatures, and values that open only after verification.
//!
//! [`SignedBytes`] is what travels: a payload, its type, its signatures. It says nothing. Only
//! [`SignedBytes::open`] with keys that the caller trusts turns it into [`Opened`], which knows who
//! of them signed; how many are needed, and for what, is the caller's policy.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use bytes::Bytes;
use prost::Message;

use super::{canonical, secret::Secret};
use crate::{
    digest::Sha256,
    entropy::Entropy,
    error::{Classify, Kind},
};

/// Names a key: the SHA-256 of its raw public half.
pub type KeyId = Sha256;

/// The public half of a signing key: 32 raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes 32 bytes, no other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        Sha256::of(&self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A private signing key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Secret<[u8; 32]>,
    public: PublicKey,
}

impl SigningKey {
    /// A new key.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// The key of a seed (RFC 8032 section 5.1.5).
    ///
    /// # Panics
    /// Never: any 32 bytes are a seed, and its public half has 32 bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        let public = PublicKey::from_slice(pair.public_key().as_ref())
            .expect("an Ed25519 public key has 32 bytes");
        Self { pair, seed: Secret::new(seed), public }
    }

    /// The seed, for writing it to a file that only its owner reads.
    #[must_use]
    pub fn seed(&self) -> &Secret<[u8; 32]> {
        &self.seed
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message of type `payload_type`.
    #[must_use]
    pub fn sign(&self, payload_type: &str, message: &impl Message) -> SignedBytes {
        let mut signed = SignedBytes {
            payload_type: payload_type.to_owned(),
            payload: message.encode_to_vec().into(),
            signatures: Vec::new(),
        };
        self.add_to(&mut signed);
        signed
    }

    /// Adds this key's signature to what others may have signed already.
    pub fn add_to(&self, signed: &mut SignedBytes) {
        let text = canonical::to_signed(&signed.payload_type, &signed.payload);
        let value = Bytes::copy_from_slice(self.pair.sign(&text).as_ref());
        let key_id = self.public.id();
        signed.signatures.retain(|it| it.key_id != key_id);
        signed.signatures.push(Signature { key_id, value });
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

/// One Ed25519 signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Who claims to have made it.
    pub key_id: KeyId,
    /// 64 bytes when it is good.
    pub value: Bytes,
}

/// A payload with its type and signatures, as it travels. Nothing of it is to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedBytes {
    /// What the payload is: `cordon.v1.Command`, …
    pub payload_type: String,
    /// The bytes as they were signed.
    pub payload: Bytes,
    /// In no particular order, at most one per key.
    pub signatures: Vec<Signature>,
}

/// A payload whose signatures were checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened<M> {
    /// The decoded payload.
    pub message: M,
    /// Those of the trusted keys that signed it, each once; never empty.
    pub signers: Vec<PublicKey>,
    /// SHA-256 of the payload.
    pub payload_sha256: Sha256,
}

/// Why a signed payload was not opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    /// It is a payload of another kind: never to be used here.
    #[error("payload is `{found}`, not `{wanted}`")]
    Type {
        /// What it says it is.
        found: String,
        /// What is opened here.
        wanted: &'static str,
    },
    /// No trusted key signed it.
    #[error("no trusted key has signed this {wanted}")]
    Unsigned {
        /// What is opened here.
        wanted: &'static str,
    },
    /// A trusted key is named, and the signature is not its own: forged or damaged.
    #[error("the signature that names key {key_id} is not by that key")]
    Forged {
        /// Which key is named.
        key_id: KeyId,
    },
    /// The bytes are not what their value encodes to.
    #[error("{wanted} is not in canonical form")]
    NotCanonical {
        /// What is opened here.
        wanted: &'static str,
    },
}

impl Classify for SignatureError {
    fn kind(&self) -> Kind {
        match self {
            Self::Type { .. } | Self::NotCanonical { .. } => Kind::BadInput,
            Self::Unsigned { .. } | Self::Forged { .. } => Kind::Forbidden,
        }
    }
}

impl SignedBytes {
    /// Verifies against the keys that the caller trusts, then decodes.
    ///
    /// Signatures by other keys are passed over: a payload may carry signatures for several readers.
    ///
    /// # Errors
    /// [`SignatureError`]: nothing of the payload may be used.
    pub fn open<M: Message + Default>(
        &self,
        wanted: &'static str,
        trusted: &[PublicKey],
    ) -> Result<Opened<M>, SignatureError> {
        if self.payload_type != wanted {
            return Err(SignatureError::Type { found: self.payload_type.clone(), wanted });
        }
        let text = canonical::to_signed(&self.payload_type, &self.payload);
        let mut signers = Vec::new();
        for key in trusted {
            let key_id = key.id();
            let Some(signature) = self.signatures.iter().find(|it| it.key_id == key_id) else {
                continue;
            };
            let verdict = UnparsedPublicKey::new(&ED25519, key.as_bytes());
            if verdict.verify(&text, &signature.value).is_err() {
                return Err(SignatureError::Forged { key_id });
            }
            if !signers.contains(key) {
                signers.push(*key);
            }
        }
        if signers.is_empty() {
            return Err(SignatureError::Unsigned { wanted });
        }
        let message =
            canonical::decode(&self.payload).ok_or(SignatureError::NotCanonical { wanted })?;
        Ok(Opened { message, signers, payload_sha256: Sha256::of(&self.payload) })
    }
}

#[cfg(test)]
mod tests;
