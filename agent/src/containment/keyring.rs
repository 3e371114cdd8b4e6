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
mod tests {
    use cordon_shared::{
        keyring::{author, key::Roots},
        test_support::order,
    };
    use expect_test::expect;

    use super::{Classify, Kind, Store};

    fn signed(policy: u64, members: u64, keys: &[u8]) -> cordon_shared::keyring::Bundle {
        let mut draft = order::draft();
        (draft.policy.version, draft.members.version) = (policy, members);
        draft.members.policy_version = policy;
        let keys: Vec<_> = keys.iter().map(|it| order::key(*it)).collect();
        author::sign(&draft, &keys)
    }

    #[test]
    fn f_51_a_keyring_survives_a_restart_and_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        let mut store = Store::pin(path.clone(), order::roots(), None).unwrap();
        assert_eq!(store.versions(), (0, 0));
        assert!(store.offer(&signed(3, 7, &[1, 3])).unwrap());
        assert!(!store.offer(&signed(3, 7, &[1, 3])).unwrap());
        assert!(store.offer(&signed(3, 6, &[1, 3])).is_err());
        assert!(store.offer(&signed(4, 8, &[3])).is_err());

        let mut again = Store::open(path).unwrap();
        assert_eq!(again.versions(), (3, 7));
        assert!(again.offer(&signed(2, 9, &[1, 3])).is_err());
        assert!(again.offer(&signed(4, 8, &[1, 3])).unwrap());
        assert_eq!(again.versions(), (4, 8));
    }

    #[test]
    fn roots_change_only_by_old_and_new_and_then_the_old_are_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        let mut store = Store::pin(path.clone(), order::roots(), None).unwrap();
        let mut draft = order::draft();
        draft.policy.roots = Roots::new(vec![order::key(2).public()], 1).unwrap();
        let sign = |draft: &author::Draft, keys: &[u8]| {
            let keys: Vec<_> = keys.iter().map(|it| order::key(*it)).collect();
            author::sign(draft, &keys)
        };
        assert!(store.offer(&sign(&draft, &[2, 3])).is_err());
        assert!(store.offer(&sign(&draft, &[1, 3])).is_err());
        assert!(store.offer(&sign(&draft, &[1, 2, 3])).unwrap());
        let mut store = Store::open(path).unwrap();
        draft.policy.version = 4;
        assert!(store.offer(&sign(&draft, &[2, 3])).unwrap());
        assert!(store.offer(&signed(5, 8, &[1, 3])).is_err());
    }

    #[test]
    fn another_organisation_cannot_pin_over_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        let theirs = Roots::new(vec![order::key(77).public()], 1).unwrap();
        Store::pin(path.clone(), order::roots(), Some(&order::keyring())).unwrap();
        let again = Store::pin(path.clone(), order::roots(), None).unwrap();
        assert_eq!(again.versions(), (3, 7));
        let error = Store::pin(path.clone(), theirs, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.to_string().ends_with("pins other roots"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test plays the one who damages the file")]
    fn a_file_that_somebody_changed_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        assert_eq!(Store::open(path.clone()).unwrap_err().kind(), Kind::NotFound);
        Store::pin(path.clone(), order::roots(), Some(&order::keyring())).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let cut = text.find("END CORDON KEYRING").unwrap();
        std::fs::write(&path, text.get(..cut).unwrap()).unwrap();
        let error = Store::open(path.clone()).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let shown = error.to_string().replace(&path.display().to_string(), "FILE");
        expect!["`FILE` holds no roots and keyring that belong together"].assert_eq(&shown);
    }
}
