//! The file sensor: which files came, went, moved and were written, under the watched folders.
//!
//! Two tiers: fanotify with file handles (names, the pid, whole file systems, `io_uring` included), and
//! inotify on the watched folders alone (no pid). BPF would say no more here than fanotify does.

pub mod fanotify;
pub mod notify;

use std::{path::PathBuf, sync::Arc};

use cordon_shared::{
    event::health::{self, SensorState, Tier},
    time::Clock,
};

use super::{Sensor, SensorError};

/// What to watch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    /// Folders whose files matter, with everything below.
    pub include: Vec<PathBuf>,
    /// Folders below them whose files do not: our own, above all.
    pub exclude: Vec<PathBuf>,
}

impl Watch {
    /// Whether a file at `path` matters. Paths are absolute; a folder covers itself and what is below.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        let below = |folder: &PathBuf| {
            let folder = folder.as_os_str().as_encoded_bytes();
            let folder = folder.strip_suffix(b"/").unwrap_or(folder);
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        self.include.iter().any(below) && !self.exclude.iter().any(below)
    }
}

/// Which tier to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// The best that works.
    #[default]
    Auto,
    /// That tier or none.
    Only(Tier),
}

/// A sensor that works, and what it is; or no sensor, and why.
#[derive(Debug)]
pub struct Chosen {
    /// The sensor; `None` when no tier works.
    pub sensor: Option<Box<dyn Sensor>>,
    /// For `check` and for the collector.
    pub state: SensorState,
}

/// Tries the tiers, best first.
#[must_use]
pub fn choose(watch: &Watch, choice: Choice, clock: &Arc<dyn Clock>) -> Chosen {
    let mut refused = Vec::new();
    for tier in [Tier::KernelInterface, Tier::Portable] {
        if choice != Choice::Auto && choice != Choice::Only(tier) {
            continue;
        }
        match open(watch, tier, clock) {
            Ok((sensor, mut reason)) => {
                if !refused.is_empty() {
                    reason = format!("{reason}; {}", refused.join("; "));
                }
                return chosen(Some(sensor), tier, reason);
            }
            Err(error) => refused.push(format!("{}: {error}", tier.as_str())),
        }
    }
    if refused.is_empty() {
        refused.push("the configured tier has no file sensor".to_owned());
    }
    chosen(None, Tier::None, refused.join("; "))
}

fn open(
    watch: &Watch,
    tier: Tier,
    clock: &Arc<dyn Clock>,
) -> Result<(Box<dyn Sensor>, String), SensorError> {
    match tier {
        Tier::KernelInterface => {
            let sensor = fanotify::Fanotify::open(watch.clone(), Arc::clone(clock))?;
            let reason = sensor.describe();
            Ok((Box::new(sensor), reason))
        }
        Tier::Portable => {
            let sensor = notify::Notify::open(watch.clone(), Arc::clone(clock))?;
            let reason = sensor.describe();
            Ok((Box::new(sensor), reason))
        }
        Tier::Ebpf | Tier::None => {
            Err(SensorError::Unsupported("there is no such file sensor".to_owned()))
        }
    }
}

fn chosen(sensor: Option<Box<dyn Sensor>>, tier: Tier, reason: String) -> Chosen {
    Chosen { sensor, state: SensorState { sensor: health::Sensor::File, tier, reason } }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Watch;

    #[track_caller]
    fn check(path: &str, covered: bool) {
        let watch = Watch {
            include: vec![PathBuf::from("/etc"), PathBuf::from("/srv/www/")],
            exclude: vec![PathBuf::from("/etc/cordon")],
        };
        assert_eq!(watch.covers(path.as_bytes()), covered, "{path}");
    }

    #[test]
    fn a_folder_covers_itself_and_what_is_below() {
        check("/etc", true);
        check("/etc/passwd", true);
        check("/srv/www/a/b", true);
    }

    #[test]
    fn a_name_that_only_begins_alike_is_not_covered() {
        check("/etcetera", false);
        check("/srv/www2", false);
    }

    #[test]
    fn what_is_excluded_is_not_covered() {
        check("/etc/cordon/key", false);
        check("/etc/cordon2", true);
    }

    #[test]
    fn the_root_covers_everything() {
        let watch = Watch { include: vec![PathBuf::from("/")], exclude: Vec::new() };
        assert!(watch.covers(b"/anything"));
    }
}
