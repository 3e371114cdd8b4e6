//! The file sensor: which files came, went, moved and were written, under the watched folders.
//!
//! Two tiers: fanotify with file handles (names, the pid, whole file systems, `io_uring` included), and
//! inotify on the watched folders alone (no pid). BPF would say no more here than fanotify does.

pub mod fanotify;
pub mod notify;

use std::{path::PathBuf, sync::Arc};

use cordon_shared::{
    event::health::{self, Tier},
    time::Clock,
};

use super::select::{self, Attempt, Choice, Chosen, Opened};

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

/// Tries the tiers, best first.
#[must_use]
pub fn choose(watch: &Watch, choice: Choice, clock: &Arc<dyn Clock>) -> Chosen {
    let mut fanotify = || -> Opened {
        let sensor = fanotify::Fanotify::open(watch.clone(), Arc::clone(clock))?;
        let what = sensor.describe();
        Ok((Box::new(sensor), what))
    };
    let mut notify = || -> Opened {
        let sensor = notify::Notify::open(watch.clone(), Arc::clone(clock))?;
        let what = sensor.describe();
        Ok((Box::new(sensor), what))
    };
    let mut attempts: [Attempt<'_>; 2] =
        [(Tier::KernelInterface, &mut fanotify), (Tier::Portable, &mut notify)];
    select::choose(health::Sensor::File, choice, &mut attempts)
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
