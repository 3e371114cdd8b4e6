//! The keys of a keyring: roots, persons' keys, roles and where private halves are.

use crate::{
    crypto::signing::PublicKey,
    digest::{Hasher, Sha256},
    limit,
    time::Timestamp,
};

/// Begins the fingerprint of a set of roots, so that it is the digest of nothing else.
const ROOTS_TAG: &[u8] = b"CordonRootsV1\0";

/// The root keys of an organisation, and how many of them must sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roots {
    keys: Vec<PublicKey>,
    threshold: usize,
}

impl Roots {
    /// Takes 1..=16 distinct keys and a threshold that they can reach; sorts the keys.
    #[must_use]
    pub fn new(mut keys: Vec<PublicKey>, threshold: usize) -> Option<Self> {
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        let is_good = keys.len() == count && count <= limit::SIGNATURES_MAX;
        (is_good && (1..=count).contains(&threshold)).then_some(Self { keys, threshold })
    }

    /// The keys, ascending.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many of them must sign.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// What an enrolment token pins and people compare:
    /// SHA-256("CordonRootsV1" ‖ 0 ‖ threshold as u32 big-endian ‖ keys ascending).
    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        let mut hasher = Hasher::default();
        hasher.update(ROOTS_TAG);
        hasher.update(&u32::try_from(self.threshold).unwrap_or(u32::MAX).to_be_bytes());
        for key in &self.keys {
            hasher.update(key.as_bytes());
        }
        hasher.finish()
    }
}

/// What a person, or automation, may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Asks hosts for evidence.
    Analyst,
    /// Contains and ends containment.
    Responder,
    /// Leads an incident.
    Lead,
    /// Signs members; sets policy, rules and collectors.
    Admin,
    /// Acts by rule, on what the host itself saw, within totals.
    Automation,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Analyst, Self::Responder, Self::Lead, Self::Admin, Self::Automation];

    /// The name in drafts, commands and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Responder => "responder",
            Self::Lead => "lead",
            Self::Admin => "admin",
            Self::Automation => "automation",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// Where the private half of a key is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HolderKind {
    /// In a file.
    File,
    /// In a device that does not give it out.
    Hardware,
    /// In a browser: one host at a time, only what can be undone, never the second of a pair.
    Browser,
}

impl HolderKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::File, Self::Hardware, Self::Browser];

    /// The name in drafts and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Hardware => "hardware",
            Self::Browser => "browser",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// One key of the keyring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// The public half.
    pub public: PublicKey,
    /// The person: the same for all keys of that person. `automation` for automation's.
    pub holder: String,
    /// What it may do.
    pub role: Role,
    /// Where its private half is.
    pub holder_kind: HolderKind,
    /// Until when.
    pub expires: Timestamp,
}
