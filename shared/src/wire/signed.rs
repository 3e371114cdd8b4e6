//! Signed payloads ↔ wire: bytes as they were signed.

use bytes::Bytes;
use cordon_proto::v1;
use prost::Message;

use super::{WireError, refuse};
use crate::{
    crypto::signing::{Signature, SignedBytes},
    digest::Sha256,
    limit,
};

/// Longest name of a payload type (`cordon.v1.` and a message's name).
const TYPE_CHARS_MAX: usize = 64;

/// Domain → wire.
#[must_use]
pub fn to_wire(signed: &SignedBytes) -> v1::Signed {
    let signatures = signed.signatures.iter().map(|it| v1::Signature {
        kind: v1::SignatureKind::Ed25519.into(),
        key_id: it.key_id.as_bytes().to_vec().into(),
        value: it.value.clone(),
    });
    v1::Signed {
        payload_type: signed.payload_type.clone(),
        payload: signed.payload.clone(),
        signatures: signatures.collect(),
    }
}

/// Wire → domain. Signatures of kinds that we do not know are passed over, as are strangers' ones:
/// what counts is who of the trusted keys signed.
///
/// # Errors
/// [`WireError`] for an oversized payload, too many signatures, or an id that is no digest.
pub fn from_wire(wire: &v1::Signed) -> Result<SignedBytes, WireError> {
    if wire.payload_type.is_empty() || wire.payload_type.len() > TYPE_CHARS_MAX {
        return refuse("payload_type", "1..=64 bytes");
    }
    if wire.payload.len() > limit::COMMAND_BYTES_MAX {
        return refuse("payload", "at most 262144 bytes");
    }
    if wire.signatures.len() > limit::SIGNATURES_MAX {
        return refuse("signatures", "at most 16");
    }
    let mut signatures = Vec::with_capacity(wire.signatures.len());
    for it in &wire.signatures {
        if it.kind() != v1::SignatureKind::Ed25519 {
            continue;
        }
        let Some(key_id) = Sha256::from_slice(&it.key_id) else {
            return refuse("signatures.key_id", "32 bytes");
        };
        if it.value.len() != 64 {
            return refuse("signatures.value", "64 bytes");
        }
        signatures.push(Signature { key_id, value: it.value.clone() });
    }
    let payload_type = wire.payload_type.clone();
    Ok(SignedBytes { payload_type, payload: wire.payload.clone(), signatures })
}

/// Signed bytes as one piece, for files.
#[must_use]
pub fn encode(signed: &SignedBytes) -> Bytes {
    to_wire(signed).encode_to_vec().into()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`WireError`].
pub fn decode(bytes: &[u8]) -> Result<SignedBytes, WireError> {
    match v1::Signed::decode(bytes) {
        Ok(wire) => from_wire(&wire),
        Err(_) => refuse("signed", "a message of this type"),
    }
}
