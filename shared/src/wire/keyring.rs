//! The keyring: policy and members ↔ wire, both directions.

use bytes::Bytes;
use cordon_proto::v1;
use prost::Message;

use super::{WireError, kinds, refuse, signed};
use crate::{
    crypto::{
        canonical,
        signing::{PublicKey, SignatureError, SignedBytes},
    },
    digest::Sha256,
    keyring::{
        ArmedRule, Bundle, KeyringError, Members, Policy, Totals,
        key::{Key, Roots},
    },
    limit,
    time::Timestamp,
};

/// Payload type of a policy.
pub const POLICY: &str = "cordon.v1.KeyringPolicy";

/// Payload type of members.
pub const MEMBERS: &str = "cordon.v1.KeyringMembers";

/// Characters of a person's name, a tier or a rule's id (chosen: an e-mail address has 254).
const NAME_CHARS_MAX: usize = 256;

/// Tiers with totals of their own (chosen; four are usual).
const TOTALS_MAX: usize = 64;

/// Rules that may move automation (chosen: all of SigmaHQ's Linux rules, many times over).
const ARMED_MAX: usize = 4_096;

/// One-time codes for `break-glass`.
const BREAK_GLASS_MAX: usize = 1_024;

/// Domain → wire.
#[must_use]
pub fn to_wire(bundle: &Bundle) -> v1::Keyring {
    v1::Keyring {
        policy: Some(signed::to_wire(&bundle.policy)),
        members: Some(signed::to_wire(&bundle.members)),
    }
}

/// Wire → domain. Nothing is opened yet.
///
/// # Errors
/// [`WireError`] for a missing or oversized part.
pub fn from_wire(wire: &v1::Keyring) -> Result<Bundle, WireError> {
    let Some(policy) = &wire.policy else { return refuse("policy", "present") };
    let Some(members) = &wire.members else { return refuse("members", "present") };
    Ok(Bundle { policy: signed::from_wire(policy)?, members: signed::from_wire(members)? })
}

/// A bundle as bytes, for files.
#[must_use]
pub fn encode(bundle: &Bundle) -> Bytes {
    to_wire(bundle).encode_to_vec().into()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`WireError`].
pub fn decode(bytes: &[u8]) -> Result<Bundle, WireError> {
    match v1::Keyring::decode(bytes) {
        Ok(wire) => from_wire(&wire),
        Err(_) => refuse("keyring", "a message of this type"),
    }
}

/// A bundle that nobody has signed yet.
#[must_use]
pub fn unsigned(policy: &Policy, members: &Members) -> Bundle {
    let part = |payload_type: &str, payload: Vec<u8>| SignedBytes {
        payload_type: payload_type.to_owned(),
        payload: payload.into(),
        signatures: Vec::new(),
    };
    Bundle {
        policy: part(POLICY, policy_to(policy).encode_to_vec()),
        members: part(MEMBERS, members_to(members).encode_to_vec()),
    }
}

/// Reads both payloads without believing them.
///
/// # Errors
/// [`KeyringError`] when one does not read.
pub fn peek(bundle: &Bundle) -> Result<(Policy, Members), KeyringError> {
    let policy = canonical::decode(&bundle.policy.payload)
        .ok_or(signature("policy", SignatureError::NotCanonical { wanted: POLICY }))?;
    let members = canonical::decode(&bundle.members.payload)
        .ok_or(signature("members", SignatureError::NotCanonical { wanted: MEMBERS }))?;
    let policy = policy_from(&policy).map_err(field("policy"))?;
    let members = members_from(&members).map_err(field("members"))?;
    Ok((policy, members))
}

/// Opens a policy that at least one of `trusted` signed; says which.
///
/// # Errors
/// [`KeyringError`].
pub fn open_policy(
    signed: &SignedBytes,
    trusted: &[PublicKey],
) -> Result<(Policy, Vec<PublicKey>), KeyringError> {
    let opened = signed.open::<v1::KeyringPolicy>(POLICY, trusted);
    let opened = opened.map_err(|it| signature("policy", it))?;
    let policy = policy_from(&opened.message).map_err(field("policy"))?;
    Ok((policy, opened.signers))
}

/// Opens members that at least one of `trusted` signed; says which.
///
/// # Errors
/// [`KeyringError`].
pub fn open_members(
    signed: &SignedBytes,
    trusted: &[PublicKey],
) -> Result<(Members, Vec<PublicKey>), KeyringError> {
    let opened = signed.open::<v1::KeyringMembers>(MEMBERS, trusted);
    let opened = opened.map_err(|it| signature("members", it))?;
    let members = members_from(&opened.message).map_err(field("members"))?;
    Ok((members, opened.signers))
}

fn signature(part: &'static str, source: SignatureError) -> KeyringError {
    KeyringError::Signature { part, source }
}

fn field(part: &'static str) -> impl FnOnce(WireError) -> KeyringError {
    move |source| KeyringError::Field { part, source }
}

fn policy_to(it: &Policy) -> v1::KeyringPolicy {
    let totals = it.automation.iter().map(|it| v1::AutomationTotals {
        host_tier: it.host_tier.clone(),
        isolation_ns_per_day: super::duration_to(it.isolation_per_day),
        kills_per_hour: it.kills_per_hour,
        citation_age_ns_max: super::duration_to(it.citation_age_max),
    });
    v1::KeyringPolicy {
        version: it.version,
        issued_ns: it.issued.as_ns(),
        expires_ns: it.expires.as_ns(),
        root_keys: it.roots.keys().iter().map(public_to).collect(),
        root_threshold: count_to(it.roots.threshold()),
        admins: it.admins.iter().map(key_to).collect(),
        admin_threshold: count_to(it.admin_threshold),
        automation: totals.collect(),
        break_glass_sha256: it.break_glass.iter().map(digest_to).collect(),
        targets_max_single: it.targets_max_single,
    }
}

fn members_to(it: &Members) -> v1::KeyringMembers {
    let armed = it.armed.iter();
    let armed =
        armed.map(|it| v1::ArmedRule { rule: it.rule.clone(), sha256: digest_to(&it.sha256) });
    v1::KeyringMembers {
        version: it.version,
        policy_version: it.policy_version,
        issued_ns: it.issued.as_ns(),
        keys: it.keys.iter().map(key_to).collect(),
        revoked: it.revoked.iter().map(digest_to).collect(),
        armed_rules: armed.collect(),
    }
}

fn policy_from(wire: &v1::KeyringPolicy) -> Result<Policy, WireError> {
    if wire.version == 0 {
        return refuse("version", "at least 1");
    }
    let roots = roots_from(&wire.root_keys, wire.root_threshold)?;
    // Sorted on the wire too, so that one set of roots has one encoding.
    if !wire.root_keys.iter().zip(roots.keys()).all(|(a, b)| a.as_ref() == b.as_bytes()) {
        return refuse("root_keys", "ascending");
    }
    if wire.automation.len() > TOTALS_MAX {
        return refuse("automation", "at most 64 tiers");
    }
    if wire.break_glass_sha256.len() > BREAK_GLASS_MAX {
        return refuse("break_glass_sha256", "at most 1024");
    }
    let admins = keys_from("admins", &wire.admins)?;
    let admin_threshold = wire.admin_threshold as usize;
    let mut persons: Vec<_> = admins.iter().map(|it| it.holder.as_str()).collect();
    persons.sort_unstable();
    persons.dedup();
    if admin_threshold == 0 || admin_threshold > persons.len() {
        return refuse("admin_threshold", "at least 1 and at most the number of persons");
    }
    Ok(Policy {
        version: wire.version,
        issued: Timestamp::from_ns(wire.issued_ns),
        expires: Timestamp::from_ns(wire.expires_ns),
        roots,
        admins,
        admin_threshold,
        automation: wire.automation.iter().map(totals_from).collect::<Result<_, _>>()?,
        break_glass: digests_from("break_glass_sha256", &wire.break_glass_sha256)?,
        targets_max_single: wire.targets_max_single,
    })
}

fn members_from(wire: &v1::KeyringMembers) -> Result<Members, WireError> {
    if wire.version == 0 || wire.policy_version == 0 {
        return refuse("version", "at least 1");
    }
    if wire.revoked.len() > limit::KEYRING_KEYS_MAX {
        return refuse("revoked", "at most 4096");
    }
    if wire.armed_rules.len() > ARMED_MAX {
        return refuse("armed_rules", "at most 4096");
    }
    let mut armed = Vec::with_capacity(wire.armed_rules.len());
    for it in &wire.armed_rules {
        let Some(sha256) = Sha256::from_slice(&it.sha256) else {
            return refuse("armed_rules.sha256", "32 bytes");
        };
        armed.push(ArmedRule { rule: name("armed_rules.rule", &it.rule)?, sha256 });
    }
    Ok(Members {
        version: wire.version,
        policy_version: wire.policy_version,
        issued: Timestamp::from_ns(wire.issued_ns),
        keys: keys_from("keys", &wire.keys)?,
        revoked: digests_from("revoked", &wire.revoked)?,
        armed,
    })
}

/// Root keys and their threshold, as an enrolment or a policy carries them.
///
/// # Errors
/// [`WireError`] for a key of another length, a key twice, or a threshold out of reach.
pub fn roots_from(keys: &[Bytes], threshold: u32) -> Result<Roots, WireError> {
    if keys.len() > limit::SIGNATURES_MAX {
        return refuse("root_keys", "at most 16");
    }
    let keys: Option<Vec<_>> = keys.iter().map(|it| PublicKey::from_slice(it)).collect();
    let Some(keys) = keys else { return refuse("root_keys", "32 bytes each") };
    match Roots::new(keys, threshold as usize) {
        Some(roots) => Ok(roots),
        None => refuse("root_threshold", "1..=the number of different root keys"),
    }
}

fn keys_from(field: &'static str, wire: &[v1::KeyringKey]) -> Result<Vec<Key>, WireError> {
    if wire.len() > limit::KEYRING_KEYS_MAX {
        return refuse(field, "at most 4096");
    }
    wire.iter().map(key_from).collect()
}

fn key_to(it: &Key) -> v1::KeyringKey {
    v1::KeyringKey {
        public_key: public_to(&it.public),
        holder: it.holder.clone(),
        role: kinds::role_to(it.role),
        holder_kind: kinds::holder_to(it.holder_kind),
        expires_ns: it.expires.as_ns(),
    }
}

fn key_from(wire: &v1::KeyringKey) -> Result<Key, WireError> {
    let Some(public) = PublicKey::from_slice(&wire.public_key) else {
        return refuse("public_key", "32 bytes");
    };
    Ok(Key {
        public,
        holder: name("holder", &wire.holder)?,
        role: kinds::role_from(wire.role)?,
        holder_kind: kinds::holder_from(wire.holder_kind)?,
        expires: Timestamp::from_ns(wire.expires_ns),
    })
}

fn totals_from(wire: &v1::AutomationTotals) -> Result<Totals, WireError> {
    if wire.host_tier.len() > NAME_CHARS_MAX {
        return refuse("automation.host_tier", "at most 256 bytes");
    }
    Ok(Totals {
        host_tier: wire.host_tier.clone(),
        isolation_per_day: super::duration_from(wire.isolation_ns_per_day),
        kills_per_hour: wire.kills_per_hour,
        citation_age_max: super::duration_from(wire.citation_age_ns_max),
    })
}

fn name(field: &'static str, text: &str) -> Result<String, WireError> {
    if text.is_empty() || text.len() > NAME_CHARS_MAX {
        return refuse(field, "1..=256 bytes");
    }
    Ok(text.to_owned())
}

fn public_to(key: &PublicKey) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

fn digest_to(digest: &Sha256) -> Bytes {
    Bytes::copy_from_slice(digest.as_bytes())
}

fn digests_from(field: &'static str, wire: &[Bytes]) -> Result<Vec<Sha256>, WireError> {
    let digests: Option<Vec<_>> = wire.iter().map(|it| Sha256::from_slice(it)).collect();
    digests.ok_or(WireError::new(field, "32 bytes each"))
}

fn count_to(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
