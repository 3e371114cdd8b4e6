//! The keyring in force, opened: what a decision rests on and what a delivery is checked against.
//!
//! Beside the lower road: read from the store, checked against the organisation's roots each time it
//! changes. It is never made or changed here.

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    keyring::{Keyring, key::Roots},
    wire,
};
use tracing::{error, warn};

use crate::{
    notice::InForce,
    store::{Store, StoreError},
};

/// How long a new keyring may take until the sessions hand it out (chosen: far above the
/// milliseconds that it takes, far below the life of a command).
const HANDED_OUT_WITHIN: Duration = Duration::from_secs(2);

/// The keyring in force.
#[derive(Debug)]
pub struct Ring {
    store: Store,
    roots: Roots,
    in_force: InForce,
    /// Of the keyring that was opened last; 0 for none.
    number: u64,
    keyring: Option<Arc<Keyring>>,
}

impl Ring {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(store: Store, roots: Roots, in_force: InForce) -> Self {
        Self { store, roots, in_force, number: 0, keyring: None }
    }

    /// The newest keyring; nothing until root has signed one, or when the stored one does not open.
    ///
    /// # Errors
    /// [`StoreError`]: try again.
    pub async fn current(&mut self) -> Result<Option<Arc<Keyring>>, StoreError> {
        let row = self.store.keyring().await?;
        let number = row.as_ref().map_or(0, |it| it.number);
        if number != self.number {
            // Nothing may rest on a keyring that the sessions do not hand out yet: an agent that has
            // not got it would refuse, and a command is given once.
            if !self.in_force.reach(number, HANDED_OUT_WITHIN).await {
                warn!(number, "agents may get this keyring later than what rests on it");
            }
            self.number = number;
            self.keyring = row.and_then(|row| self.open(&row.signed)).map(Arc::new);
        }
        Ok(self.keyring.clone())
    }

    fn open(&self, signed: &[u8]) -> Option<Keyring> {
        let bundle = match wire::keyring::decode(signed) {
            Ok(bundle) => bundle,
            Err(error) => {
                error!("the stored keyring is none, nothing is ordered: {error}");
                return None;
            }
        };
        match Keyring::open(&bundle, &self.roots) {
            Ok(keyring) => Some(keyring),
            Err(error) => {
                error!("the stored keyring does not open, nothing is ordered: {error}");
                None
            }
        }
    }
}
