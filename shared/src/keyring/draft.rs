//! What a person writes before signing: a keyring in words, TOML.
//!
//! ```toml
//! [policy]
//! version = 1
//! expires = "2027-06-01T00:00:00Z"
//! roots = ["64 hexadecimal digits", "…"]
//! root_threshold = 1
//! admin_threshold = 1
//! targets_max_single = 100
//! break_glass_sha256 = []
//!
//! [[policy.admin]]
//! key = "…"
//! holder = "alice@example.org"
//! holder_kind = "hardware"          # file, hardware, browser
//! expires = "2027-06-01T00:00:00Z"
//!
//! [[policy.automation]]
//! host_tier = "standard"            # "" stands for tiers without an entry
//! isolation_per_day_s = 14400
//! kills_per_hour = 60
//! citation_age_s_max = 60
//!
//! [members]
//! version = 1
//! revoked = []                      # key ids
//!
//! [[members.key]]
//! key = "…"
//! holder = "bob@example.org"
//! role = "responder"
//! holder_kind = "file"
//! expires = "2027-06-01T00:00:00Z"
//!
//! [[members.armed]]
//! rule = "8e2c…"
//! sha256 = "…"
//! ```

use std::time::Duration;

use serde::Deserialize;

use super::{
    ArmedRule, Members, Policy, Totals,
    author::AuthorError,
    key::{HolderKind, Key, Role, Roots},
};
use crate::{crypto::signing::PublicKey, digest::Sha256, time::Timestamp};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    policy: RawPolicy,
    members: RawMembers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    version: u64,
    expires: String,
    roots: Vec<String>,
    root_threshold: usize,
    admin_threshold: usize,
    targets_max_single: u32,
    #[serde(default)]
    break_glass_sha256: Vec<String>,
    #[serde(default)]
    admin: Vec<RawKey>,
    #[serde(default)]
    automation: Vec<RawTotals>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMembers {
    version: u64,
    #[serde(default)]
    revoked: Vec<String>,
    #[serde(default)]
    key: Vec<RawKey>,
    #[serde(default)]
    armed: Vec<RawArmed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    key: String,
    holder: String,
    role: Option<String>,
    holder_kind: String,
    expires: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTotals {
    host_tier: String,
    isolation_per_day_s: u64,
    kills_per_hour: u32,
    citation_age_s_max: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArmed {
    rule: String,
    sha256: String,
}

/// Reads a draft written at `issued`.
pub(super) fn parse(text: &str, issued: Timestamp) -> Result<(Policy, Members), AuthorError> {
    let raw: Raw = toml::from_str(text).map_err(|it| AuthorError::Toml(it.to_string()))?;
    let policy = policy(&raw.policy, issued)?;
    let members = Members {
        version: at_least_1("members.version", raw.members.version)?,
        policy_version: policy.version,
        issued,
        keys: keys(&raw.members.key, None)?,
        revoked: digests("members.revoked", &raw.members.revoked)?,
        armed: raw.members.armed.iter().map(armed).collect::<Result<_, _>>()?,
    };
    Ok((policy, members))
}

fn policy(raw: &RawPolicy, issued: Timestamp) -> Result<Policy, AuthorError> {
    let mut roots = Vec::with_capacity(raw.roots.len());
    for it in &raw.roots {
        roots.push(public("policy.roots", it)?);
    }
    let Some(roots) = Roots::new(roots, raw.root_threshold) else {
        return refuse("policy.roots", "1..=16 different keys, `root_threshold` of which may sign");
    };
    let totals = raw.automation.iter().map(|it| Totals {
        host_tier: it.host_tier.clone(),
        isolation_per_day: Duration::from_secs(it.isolation_per_day_s),
        kills_per_hour: it.kills_per_hour,
        citation_age_max: Duration::from_secs(it.citation_age_s_max),
    });
    Ok(Policy {
        version: at_least_1("policy.version", raw.version)?,
        issued,
        expires: time("policy.expires", &raw.expires)?,
        roots,
        admins: keys(&raw.admin, Some(Role::Admin))?,
        admin_threshold: raw.admin_threshold,
        automation: totals.collect(),
        break_glass: digests("policy.break_glass_sha256", &raw.break_glass_sha256)?,
        targets_max_single: raw.targets_max_single,
    })
}

fn keys(raw: &[RawKey], default: Option<Role>) -> Result<Vec<Key>, AuthorError> {
    let mut keys = Vec::with_capacity(raw.len());
    for it in raw {
        let role = it.role.as_deref().map_or(default, Role::parse);
        let Some(role) = role else {
            return refuse("role", "viewer, analyst, responder, lead, admin or automation");
        };
        let Some(holder_kind) = HolderKind::parse(&it.holder_kind) else {
            return refuse("holder_kind", "file, hardware or browser");
        };
        keys.push(Key {
            public: public("key", &it.key)?,
            holder: it.holder.clone(),
            role,
            holder_kind,
            expires: time("expires", &it.expires)?,
        });
    }
    Ok(keys)
}

fn armed(raw: &RawArmed) -> Result<ArmedRule, AuthorError> {
    let Some(sha256) = Sha256::parse(&raw.sha256) else {
        return refuse("members.armed.sha256", "64 hexadecimal digits");
    };
    Ok(ArmedRule { rule: raw.rule.clone(), sha256 })
}

fn public(field: &'static str, text: &str) -> Result<PublicKey, AuthorError> {
    match PublicKey::parse(text) {
        Some(key) => Ok(key),
        None => refuse(field, "64 hexadecimal digits"),
    }
}

fn digests(field: &'static str, texts: &[String]) -> Result<Vec<Sha256>, AuthorError> {
    let digests: Option<Vec<_>> = texts.iter().map(|it| Sha256::parse(it)).collect();
    digests.ok_or(AuthorError::Draft { field, rule: "64 hexadecimal digits each" })
}

fn time(field: &'static str, text: &str) -> Result<Timestamp, AuthorError> {
    Timestamp::parse(text).ok_or(AuthorError::Draft { field, rule: "a time as in RFC 3339" })
}

fn at_least_1(field: &'static str, number: u64) -> Result<u64, AuthorError> {
    if number == 0 { refuse(field, "at least 1") } else { Ok(number) }
}

fn refuse<T>(field: &'static str, rule: &'static str) -> Result<T, AuthorError> {
    Err(AuthorError::Draft { field, rule })
}
