//! Who may command what: the keyring, as root signed it.
//!
//! ```text
//! roots (k of n, pinned at enrolment) ──sign──▶ Policy: roots, admins, totals for automation, expiry
//! admins (k persons, of the policy)   ──sign──▶ Members: keys with person, role, holder; rules armed
//! ```
//!
//! [`Bundle`] is what travels, and says nothing. [`Keyring::open`] turns it into what may be relied
//! on, [`Keyring::succeeds`] says whether it may take the place of another: versions only rise. An
//! expired keyring still permits what contains and never what widens; that is judged where commands
//! are.
//!
//! This module never reads a file or a clock. Making keyrings is [`author`], text files are
//! [`armor`].

pub mod armor;

pub mod author;

pub mod key;

mod draft;

use std::{collections::BTreeSet, time::Duration};

use self::key::{Key, Roots};
use crate::{
    crypto::signing::{KeyId, SignatureError, SignedBytes},
    digest::Sha256,
    error::{Classify, Kind},
    time::Timestamp,
    wire::{self, WireError},
};

/// What automation may do on hosts of one tier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Which tier; the empty name stands for every tier without an entry.
    pub host_tier: String,
    /// Isolation, summed over a sliding day.
    pub isolation_per_day: Duration,
    /// Kills and suspensions of an hour, trees counted as one.
    pub kills_per_hour: u32,
    /// The oldest event that a command may cite.
    pub citation_age_max: Duration,
}

/// A rule that may move automation, after a person saw what it matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArmedRule {
    /// The rule's id.
    pub rule: String,
    /// SHA-256 of its text.
    pub sha256: Sha256,
}

/// What root signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// At least 1; rises with each policy.
    pub version: u64,
    /// When it was written.
    pub issued: Timestamp,
    /// Until when what widens is permitted.
    pub expires: Timestamp,
    /// The roots from now on.
    pub roots: Roots,
    /// Who signs members.
    pub admins: Vec<Key>,
    /// How many different persons of them.
    pub admin_threshold: usize,
    /// By tier.
    pub automation: Vec<Totals>,
    /// SHA-256 of the one-time codes of `break-glass`.
    pub break_glass: Vec<Sha256>,
    /// Above this many targets a command needs two persons.
    pub targets_max_single: u32,
}

/// What admins sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Members {
    /// At least 1; rises with each change.
    pub version: u64,
    /// The policy that they were written under.
    pub policy_version: u64,
    /// When they were written.
    pub issued: Timestamp,
    /// Who may command.
    pub keys: Vec<Key>,
    /// Keys that are no longer good, whoever signed them in.
    pub revoked: Vec<KeyId>,
    /// Rules that may move automation.
    pub armed: Vec<ArmedRule>,
}

/// A keyring as it travels and is stored. Nothing of it is to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// A signed policy.
    pub policy: SignedBytes,
    /// Signed members.
    pub members: SignedBytes,
}

/// Why a keyring was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyringError {
    /// A signature is missing or bad.
    #[error("failed to open the {part}")]
    Signature {
        /// `policy` or `members`.
        part: &'static str,
        /// Why.
        #[source]
        source: SignatureError,
    },
    /// A field breaks a rule.
    #[error("failed to read the {part}")]
    Field {
        /// `policy` or `members`.
        part: &'static str,
        /// Which field and rule.
        #[source]
        source: WireError,
    },
    /// Too few of those who must sign did.
    #[error("{part} signed by {found} of the {wanted} {who} needed")]
    Threshold {
        /// `policy` or `members`.
        part: &'static str,
        /// Whose signatures count.
        who: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// Its version is below the one that is in force: never taken.
    #[error("{part} of version {found} come after version {current}")]
    Older {
        /// `policy` or `members`.
        part: &'static str,
        /// The version offered.
        found: u64,
        /// The version in force.
        current: u64,
    },
    /// The same version with other contents: somebody signed two.
    #[error("{part} of version {version} differ from those of the same version in force")]
    Twice {
        /// `policy` or `members`.
        part: &'static str,
        /// The version that there are two of.
        version: u64,
    },
    /// The members were written under a policy that is not there yet.
    #[error("members of policy {wanted} come with policy {found}")]
    Ahead {
        /// The policy that they name.
        wanted: u64,
        /// The policy beside them.
        found: u64,
    },
}

impl Classify for KeyringError {
    fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } => Kind::BadInput,
            Self::Signature { .. } | Self::Threshold { .. } => Kind::Forbidden,
            Self::Older { .. } | Self::Twice { .. } | Self::Ahead { .. } => Kind::Conflict,
        }
    }
}

/// A keyring whose signatures were checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyring {
    policy: Policy,
    members: Members,
    bundle: Bundle,
}

impl Keyring {
    /// Checks both parts: the policy by enough of `roots`, and by enough of its own when it changes
    /// them; the members by enough admins.
    ///
    /// # Errors
    /// [`KeyringError`]: nothing of it may be used.
    pub fn open(bundle: &Bundle, roots: &Roots) -> Result<Self, KeyringError> {
        let policy = open_policy(&bundle.policy, roots)?;
        let members = open_members(&bundle.members, &policy)?;
        Ok(Self { policy, members, bundle: bundle.clone() })
    }

    /// Whether this one may take the place of `current`, and whether it changes anything.
    ///
    /// # Errors
    /// [`KeyringError::Older`] or [`KeyringError::Twice`].
    pub fn succeeds(&self, current: &Self) -> Result<bool, KeyringError> {
        let parts = [
            (
                "policy",
                self.policy.version,
                current.policy.version,
                self.bundle.policy.payload == current.bundle.policy.payload,
            ),
            (
                "members",
                self.members.version,
                current.members.version,
                self.bundle.members.payload == current.bundle.members.payload,
            ),
        ];
        for (part, found, current, is_same) in parts {
            if found < current {
                return Err(KeyringError::Older { part, found, current });
            }
            if found == current && !is_same {
                return Err(KeyringError::Twice { part, version: found });
            }
        }
        Ok(parts.iter().any(|(_, found, current, _)| found > current))
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// What it was opened from.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Whether what widens is no longer permitted.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.policy.expires
    }

    /// The keys that may sign commands at `now`: neither expired nor revoked. Admins are among them.
    #[must_use]
    pub fn keys(&self, now: Timestamp) -> Vec<&Key> {
        let keys = self.members.keys.iter().chain(&self.policy.admins);
        let is_good =
            |it: &&Key| it.expires > now && !self.members.revoked.contains(&it.public.id());
        keys.filter(is_good).collect()
    }

    /// What automation may do on hosts of `tier`: its own entry, or the one without a name, or
    /// nothing.
    #[must_use]
    pub fn totals(&self, tier: &str) -> Totals {
        let named = |name: &str| self.policy.automation.iter().find(|it| it.host_tier == name);
        named(tier).or_else(|| named("")).cloned().unwrap_or_else(|| Totals {
            host_tier: tier.to_owned(),
            isolation_per_day: Duration::ZERO,
            kills_per_hour: 0,
            citation_age_max: Duration::ZERO,
        })
    }

    /// Whether a person armed the rule of this id and text.
    #[must_use]
    pub fn is_armed(&self, rule: &str, sha256: Sha256) -> bool {
        self.members.armed.iter().any(|it| it.rule == rule && it.sha256 == sha256)
    }
}

/// Opens a policy that enough of `roots` signed.
///
/// # Errors
/// [`KeyringError`].
pub fn open_policy(signed: &SignedBytes, roots: &Roots) -> Result<Policy, KeyringError> {
    let part = "policy";
    let (policy, signers) = wire::keyring::open_policy(signed, roots.keys())?;
    reached(part, "roots", signers.len(), roots.threshold())?;
    if policy.roots != *roots {
        let (_, signers) = wire::keyring::open_policy(signed, policy.roots.keys())?;
        reached(part, "new roots", signers.len(), policy.roots.threshold())?;
    }
    Ok(policy)
}

/// Opens members that enough persons among the policy's admins signed.
///
/// # Errors
/// [`KeyringError`].
pub fn open_members(signed: &SignedBytes, policy: &Policy) -> Result<Members, KeyringError> {
    let part = "members";
    let admins: Vec<_> = policy.admins.iter().map(|it| it.public).collect();
    let (members, signers) = wire::keyring::open_members(signed, &admins)?;
    let persons: BTreeSet<_> = policy
        .admins
        .iter()
        .filter(|it| signers.contains(&it.public) && it.expires > members.issued)
        .map(|it| it.holder.as_str())
        .collect();
    reached(part, "admins", persons.len(), policy.admin_threshold)?;
    if members.policy_version > policy.version {
        let (wanted, found) = (members.policy_version, policy.version);
        return Err(KeyringError::Ahead { wanted, found });
    }
    Ok(members)
}

fn reached(
    part: &'static str,
    who: &'static str,
    found: usize,
    wanted: usize,
) -> Result<(), KeyringError> {
    if found >= wanted { Ok(()) } else { Err(KeyringError::Threshold { part, who, found, wanted }) }
}

#[cfg(test)]
mod tests;
