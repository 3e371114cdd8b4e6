//! The keyring on this host: one durable file, whose versions only rise.
//!
//! ```text
//! ROOTS block     pinned at enrolment; replaced only by a policy that old and new roots signed
//! KEYRING block   the newest keyring that was taken; absent until one came
//! ```
//!
//! Both blocks are one file, so that a crash leaves the old pair or the new one (F-51). An older or a
//! different keyring of the same version is refused, whoever signed it. This module knows no time:
//! whether an expired keyring still permits something is judged where commands are.

use std::{io, path::PathBuf};

use cordon_shared::{
    crypto::signing::PublicKey,
    durable,
    error::{Classify, Kind},
    keyring::{Bundle, Keyring, KeyringError, armor, key::Roots},
    wire,
};

/// A keyring was not taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not one that may take the place of what is in force.
    #[error("refused a keyring")]
    Refused(#[from] KeyringError),
    /// The file is not what was written: somebody else wrote it. Enrol again, or restore it.
    #[error("`{path}` holds no roots and keyring that belong together")]
    Corrupt {
        /// Which file.
        path: PathBuf,
    },
    /// Roots are pinned already: this host belongs to one organisation.
    #[error("`{path}` pins other roots")]
    Pinned {
        /// Which file.
        path: PathBuf,
    },
    /// The disk failed: what was in force stays in force.
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
}

impl Classify for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Refused(error) => error.kind(),
            Self::Corrupt { .. } => Kind::Corrupt,
            Self::Pinned { .. } => Kind::Conflict,
            Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// The file and what it holds.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    roots: Roots,
    keyring: Option<Keyring>,
}

impl Store {
    /// Pins the roots of an enrolment, and takes the first keyring when there is one. The caller has
    /// compared the roots' fingerprint with the one of the token.
    ///
    /// # Errors
    /// [`StoreError::Pinned`] when other roots are pinned here; [`StoreError`].
    pub fn pin(path: PathBuf, roots: Roots, first: Option<&Bundle>) -> Result<Self, StoreError> {
        let keyring = first.map(|it| Keyring::open(it, &roots)).transpose()?;
        match Self::open(path.clone()) {
            Ok(mut store) if store.roots == roots => {
                if let Some(bundle) = first {
                    store.offer(bundle)?;
                }
                return Ok(store);
            }
            Ok(_) => return Err(StoreError::Pinned { path }),
            Err(error) if error.kind() == Kind::NotFound => (),
            Err(error) => return Err(error),
        }
        let store = Self { path, roots, keyring };
        store.write()?;
        Ok(store)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`StoreError::Disk`] of kind `NotFound` when nothing is pinned yet; [`StoreError`].
    pub fn open(path: PathBuf) -> Result<Self, StoreError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(StoreError::Disk { doing: "read", path, source }),
        };
        let roots = armor::read(armor::ROOTS, &text).and_then(|it| roots_from(&it));
        let Some(roots) = roots else { return Err(StoreError::Corrupt { path }) };
        if !text.contains("BEGIN CORDON KEYRING") {
            return Ok(Self { path, roots, keyring: None });
        }
        let keyring = armor::read(armor::KEYRING, &text)
            .and_then(|it| wire::keyring::decode(&it).ok())
            .and_then(|it| Keyring::open(&it, &roots).ok());
        match keyring {
            Some(keyring) => Ok(Self { path, roots, keyring: Some(keyring) }),
            None => Err(StoreError::Corrupt { path }),
        }
    }

    /// What is in force.
    #[must_use]
    pub fn keyring(&self) -> Option<&Keyring> {
        self.keyring.as_ref()
    }

    /// Versions of policy and members, for the hello; zeros when there is none.
    #[must_use]
    pub fn versions(&self) -> (u64, u64) {
        let keyring = self.keyring.as_ref();
        keyring.map_or((0, 0), |it| (it.policy().version, it.members().version))
    }

    /// Takes a keyring that came, when it follows the one in force; says whether it changed anything.
    ///
    /// # Errors
    /// [`StoreError`]; what was in force stays so.
    pub fn offer(&mut self, bundle: &Bundle) -> Result<bool, StoreError> {
        let offered = Keyring::open(bundle, &self.roots)?;
        if let Some(current) = &self.keyring
            && !offered.succeeds(current)?
        {
            return Ok(false);
        }
        let roots = offered.policy().roots.clone();
        let next = Self { path: self.path.clone(), roots, keyring: Some(offered) };
        next.write()?;
        *self = next;
        Ok(true)
    }

    fn write(&self) -> Result<(), StoreError> {
        let mut text = armor::write(armor::ROOTS, &roots_to(&self.roots));
        if let Some(keyring) = &self.keyring {
            let bytes = wire::keyring::encode(keyring.bundle());
            text.push_str(&armor::write(armor::KEYRING, &bytes));
        }
        durable::write(&self.path, text.as_bytes(), durable::MODE_SECRET)
            .map_err(|source| StoreError::Disk { doing: "write", path: self.path.clone(), source })
    }
}

fn roots_to(roots: &Roots) -> Vec<u8> {
    let mut bytes = u32::try_from(roots.threshold()).unwrap_or(0).to_be_bytes().to_vec();
    for key in roots.keys() {
        bytes.extend(key.as_bytes());
    }
    bytes
}

fn roots_from(bytes: &[u8]) -> Option<Roots> {
    let (threshold, keys) = bytes.split_first_chunk::<4>()?;
    let threshold = usize::try_from(u32::from_be_bytes(*threshold)).ok()?;
    let (keys, rest) = keys.as_chunks::<32>();
    let keys: Option<Vec<_>> = keys.iter().map(|it| PublicKey::from_slice(it)).collect();
    if rest.is_empty() { Roots::new(keys?, threshold) } else { None }
}

#[cfg(test)]
mod tests;
