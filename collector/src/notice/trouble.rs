//! What is wrong with the collector, for as long as it is: what `/readyz` and the status say.
//!
//! Beside the road: stages say here what they cannot do and take it back when they can again; the API
//! reads. A sentence names no path, no host and no query, since who asks for readiness has no token;
//! the log has them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Something that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trouble {
    /// The disk has room for the state only (F-7).
    DiskFull,
    /// The journal's disk refuses (F-8).
    JournalStalled,
    /// What is in the journal does not come into the lake.
    LakeWaits,
    /// What is found is not kept.
    WatchWaits,
    /// Batches that were acknowledged cannot be filed and lie aside (F-49).
    SetAside,
    /// What was found in events cannot be kept and was passed over (F-49).
    PassedOver,
    /// Rules broke on an event and are switched off (F-49).
    RulesOff,
}

impl Trouble {
    /// Whether facts or answers wait while this lasts: then the collector is not ready.
    #[must_use]
    pub fn is_standstill(self) -> bool {
        match self {
            Self::DiskFull | Self::JournalStalled | Self::LakeWaits | Self::WatchWaits => true,
            Self::SetAside | Self::PassedOver | Self::RulesOff => false,
        }
    }

    /// One sentence for a person, about so many.
    #[must_use]
    pub fn sentence(self, count: u64) -> String {
        match self {
            Self::DiskFull => {
                "the disk is full: nothing is acknowledged, events wait on their hosts; \
                               detections and commands go on"
                    .to_owned()
            }
            Self::JournalStalled => {
                "the disk refuses the journal: nothing is acknowledged, events \
                                     wait on their hosts"
                    .to_owned()
            }
            Self::LakeWaits => "the lake takes nothing: events wait in the journal and cannot be \
                                searched"
                .to_owned(),
            Self::WatchWaits => "the state database takes nothing: detections wait".to_owned(),
            Self::SetAside => format!(
                "{count} batches cannot be filed: they are not in the lake and lie in `refused/`"
            ),
            Self::PassedOver => {
                format!("{count} detections or receipts could not be kept and were passed over")
            }
            Self::RulesOff => format!("{count} rules broke and are switched off until a reload"),
        }
    }
}

/// What is wrong, each with how many it is about. Cheap to clone.
#[derive(Clone, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<Trouble, u64>>>);

impl Troubles {
    /// This is wrong now; says whether that is new, or about more than before.
    pub fn begin(&self, trouble: Trouble, count: u64) -> bool {
        self.lock().insert(trouble, count).is_none_or(|before| before < count)
    }

    /// One more of these is wrong; says how many are.
    pub fn add(&self, trouble: Trouble) -> u64 {
        let mut troubles = self.lock();
        let count = troubles.entry(trouble).or_default();
        *count += 1;
        *count
    }

    /// This is well again; says whether it was not.
    pub fn end(&self, trouble: Trouble) -> bool {
        self.lock().remove(&trouble).is_some()
    }

    /// All that is wrong, the worst first.
    #[must_use]
    pub fn all(&self) -> Vec<(Trouble, u64)> {
        self.lock().iter().map(|(trouble, count)| (*trouble, *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Trouble, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Troubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_is_told_until_it_ends() {
        let troubles = Troubles::default();
        assert!(troubles.begin(Trouble::LakeWaits, 1));
        assert!(!troubles.begin(Trouble::LakeWaits, 1));
        assert!(troubles.begin(Trouble::RulesOff, 2) && troubles.begin(Trouble::RulesOff, 3));
        assert_eq!((troubles.add(Trouble::SetAside), troubles.add(Trouble::SetAside)), (1, 2));
        let all = [(Trouble::LakeWaits, 1), (Trouble::SetAside, 2), (Trouble::RulesOff, 3)];
        assert_eq!(troubles.all(), all);
        assert!(troubles.end(Trouble::LakeWaits) && !troubles.end(Trouble::LakeWaits));
        assert_eq!(troubles.all(), all[1..]);
    }
}
