//! Making keys and keyrings: what `cordon key` does, away from the collector.
//!
//! ```text
//! cordon key root --out DIR     new_key → write_key(DIR, "root")       elsewhere, on a machine of its own
//! cordon key new  --out DIR     new_key → write_key(DIR, NAME)         each responder
//! cordon key sign               read_draft → sign → write_bundle       root and admins
//! cordon key list               read_bundle → peek
//! ```
//!
//! A bundle that lacks signatures is a file like any other: the next signer adds his with
//! [`add_signatures`] until [`Keyring::open`](super::Keyring::open) is content. Files are those of
//! [`armor`]; a key file belongs to its owner alone and is never overwritten.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Bundle, Keyring, KeyringError, Members, Policy, armor, draft, key::Roots};
use crate::{
    crypto::{
        secret::Secret,
        signing::{PublicKey, SigningKey},
    },
    durable,
    entropy::Entropy,
    error::{Classify, Kind},
    time::Timestamp,
    wire,
};

/// A key or a keyring was not made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// The draft is no TOML of the expected form; the text says line and key.
    #[error("failed to read the draft: {0}")]
    Toml(String),
    /// A value of the draft breaks a rule.
    #[error("`{field}` must be {rule}")]
    Draft {
        /// Which key of the draft.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// A file does not hold what it should.
    #[error("`{path}` holds no {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A key file is there already: it is never overwritten.
    #[error("`{path}` is there already")]
    Taken {
        /// Which file.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The keyring that came out would be refused by agents.
    #[error("agents would refuse this keyring")]
    Keyring(#[from] KeyringError),
}

impl Classify for AuthorError {
    fn kind(&self) -> Kind {
        match self {
            Self::Toml(_) | Self::Draft { .. } | Self::File { .. } => Kind::BadInput,
            Self::Taken { .. } => Kind::Conflict,
            Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Disk { .. } => Kind::Unavailable,
            Self::Keyring(error) => error.kind(),
        }
    }
}

/// The two files of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyFiles {
    /// `NAME.key`: the seed, its owner's alone.
    pub private: PathBuf,
    /// `NAME.pub`: the public half, to be handed on.
    pub public: PathBuf,
}

/// A new key for a root, an admin, a responder or automation.
#[must_use]
pub fn new_key(entropy: &dyn Entropy) -> SigningKey {
    SigningKey::random(entropy)
}

/// Writes `NAME.key` and `NAME.pub` into `dir`, which is made when it is missing.
///
/// # Errors
/// [`AuthorError::Taken`] when either is there already; [`AuthorError::Disk`].
pub fn write_key(dir: &Path, name: &str, key: &SigningKey) -> Result<KeyFiles, AuthorError> {
    let files = KeyFiles {
        private: dir.join(format!("{name}.key")),
        public: dir.join(format!("{name}.pub")),
    };
    durable::create_dir(dir, durable::MODE_DIR).map_err(disk("make the folder", dir))?;
    for path in [&files.private, &files.public] {
        if path.try_exists().map_err(disk("look for", path))? {
            return Err(AuthorError::Taken { path: path.clone() });
        }
    }
    let text = Secret::new(armor::write(armor::SIGNING_KEY, key.seed().expose()));
    durable::write(&files.private, text.expose().as_bytes(), durable::MODE_SECRET)
        .map_err(disk("write", &files.private))?;
    let text = public_text(&key.public());
    durable::write(&files.public, text.as_bytes(), durable::MODE_PUBLIC)
        .map_err(disk("write", &files.public))?;
    Ok(files)
}

/// A public key as a file holds it: its hexadecimal form, then the block.
#[must_use]
pub fn public_text(key: &PublicKey) -> String {
    format!("{key}\n{}", armor::write(armor::PUBLIC_KEY, key.as_bytes()))
}

/// Reads a private key.
///
/// # Errors
/// [`AuthorError::File`] or [`AuthorError::Disk`].
pub fn read_key(path: &Path) -> Result<SigningKey, AuthorError> {
    let text = Secret::new(read(path)?);
    let seed = armor::read(armor::SIGNING_KEY, text.expose()).map(Secret::new);
    let seed = seed.and_then(|it| <[u8; 32]>::try_from(it.expose().as_slice()).ok());
    let what = "signing key";
    seed.map(SigningKey::from_seed).ok_or_else(|| AuthorError::File { path: path.into(), what })
}

/// Whether a file holds a private key of ours: a collector refuses to start beside one that is not
/// its own.
///
/// # Errors
/// [`AuthorError::Disk`].
pub fn is_private_key(path: &Path) -> Result<bool, AuthorError> {
    let bytes = std::fs::read(path).map_err(disk("read", path))?;
    let begin = format!("BEGIN CORDON {}", armor::SIGNING_KEY);
    Ok(bytes.windows(begin.len()).any(|it| it == begin.as_bytes()))
}

/// Reads a public key: the block, or 64 hexadecimal digits alone.
///
/// # Errors
/// [`AuthorError::File`] or [`AuthorError::Disk`].
pub fn read_public(path: &Path) -> Result<PublicKey, AuthorError> {
    let text = read(path)?;
    let key = match armor::read(armor::PUBLIC_KEY, &text) {
        Some(bytes) => PublicKey::from_slice(&bytes),
        None => PublicKey::parse(&text),
    };
    key.ok_or_else(|| AuthorError::File { path: path.into(), what: "public key" })
}

/// A keyring in words, before it is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What root will sign.
    pub policy: Policy,
    /// What admins will sign.
    pub members: Members,
}

impl Draft {
    /// Reads TOML; the form is in the documentation of the draft's module and in `README.md`.
    ///
    /// # Errors
    /// [`AuthorError::Toml`] or [`AuthorError::Draft`].
    pub fn parse(text: &str, issued: Timestamp) -> Result<Self, AuthorError> {
        draft::parse(text, issued).map(|(policy, members)| Self { policy, members })
    }

    /// Reads a file of it.
    ///
    /// # Errors
    /// [`AuthorError`].
    pub fn read(path: &Path, issued: Timestamp) -> Result<Self, AuthorError> {
        Self::parse(&read(path)?, issued)
    }
}

/// Signs a draft with as many keys as are here: roots the policy, admins the members. A key may be
/// both. More signatures can be added to what comes out.
#[must_use]
pub fn sign(draft: &Draft, keys: &[SigningKey]) -> Bundle {
    let mut bundle = wire::keyring::unsigned(&draft.policy, &draft.members);
    add_signatures(&mut bundle, draft, keys);
    bundle
}

/// Adds the signatures of keys that the draft names, each where it belongs.
pub fn add_signatures(bundle: &mut Bundle, draft: &Draft, keys: &[SigningKey]) {
    let policy = &draft.policy;
    for key in keys {
        let is_admin = policy.admins.iter().any(|it| it.public == key.public());
        // A root that is on its way out signs too, and is not in the draft any more.
        if policy.roots.keys().contains(&key.public()) || !is_admin {
            key.add_to(&mut bundle.policy);
        }
        if is_admin {
            key.add_to(&mut bundle.members);
        }
    }
}

/// Looks into a bundle without believing it: for showing, and for signing what another began.
///
/// # Errors
/// [`AuthorError::Keyring`] when a payload does not read.
pub fn peek(bundle: &Bundle) -> Result<Draft, AuthorError> {
    let (policy, members) = wire::keyring::peek(bundle)?;
    Ok(Draft { policy, members })
}

/// Checks that agents that pin `roots` would take this bundle, and after `current` when one is in
/// force.
///
/// # Errors
/// [`AuthorError::Keyring`].
pub fn check(
    bundle: &Bundle,
    roots: &Roots,
    current: Option<&Keyring>,
) -> Result<Keyring, AuthorError> {
    let keyring = Keyring::open(bundle, roots)?;
    if let Some(current) = current {
        keyring.succeeds(current)?;
    }
    Ok(keyring)
}

/// Writes a bundle as text.
///
/// # Errors
/// [`AuthorError::Disk`]; the file is then as it was.
pub fn write_bundle(path: &Path, bundle: &Bundle) -> Result<(), AuthorError> {
    let text = armor::write(armor::KEYRING, &wire::keyring::encode(bundle));
    durable::write(path, text.as_bytes(), durable::MODE_PUBLIC).map_err(disk("write", path))
}

/// Reads a bundle.
///
/// # Errors
/// [`AuthorError::File`] or [`AuthorError::Disk`].
pub fn read_bundle(path: &Path) -> Result<Bundle, AuthorError> {
    let bundle = armor::read(armor::KEYRING, &read(path)?)
        .and_then(|bytes| wire::keyring::decode(&bytes).ok());
    bundle.ok_or_else(|| AuthorError::File { path: path.into(), what: "keyring" })
}

fn read(path: &Path) -> Result<String, AuthorError> {
    std::fs::read_to_string(path).map_err(disk("read", path))
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuthorError {
    let path = path.to_owned();
    move |source| AuthorError::Disk { doing, path, source }
}
