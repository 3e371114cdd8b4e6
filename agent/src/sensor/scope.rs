//! How much of the host an agent watches: all of it, or one cgroup and what is beneath.
//!
//! In: `host` or `cgroup:PATH` of the configuration. Out: what a kernel program needs to filter by
//! (the cgroup's id and its level), and the path for tiers that filter in user space. Several agents
//! with scopes of their own can so share one kernel.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use super::SensorError;

/// How much of the host is watched.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// All of it.
    Host,
    /// One cgroup (v2) and what is beneath it.
    Cgroup(Cgroup),
}

/// A cgroup of the v2 hierarchy.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cgroup {
    /// Under the v2 root, beginning with a slash, as in `/proc/PID/cgroup`.
    pub path: String,
    /// The kernel's number for it: the inode of its folder.
    pub id: u64,
    /// Folders beneath the root, which is level 0.
    pub level: u32,
}

impl Scope {
    /// The scope `cgroup:PATH`. `path` is under the v2 root, or in the file system with the root's
    /// mount point in front.
    ///
    /// # Errors
    /// [`SensorError::Unsupported`] when there is no v2 hierarchy or no such cgroup, which includes
    /// the root itself: that is [`Scope::Host`].
    pub fn cgroup(path: &str) -> Result<Self, SensorError> {
        let root = v2_root(Path::new("/proc")).map_err(|error| {
            SensorError::Unsupported(format!("no cgroup v2 hierarchy is mounted: {error}"))
        })?;
        let given = Path::new(path);
        let beneath = given.strip_prefix(&root).or_else(|_| given.strip_prefix("/"));
        let beneath = beneath.unwrap_or(given);
        let level = beneath.components().count();
        let folder = root.join(beneath);
        let found = fs::metadata(&folder).map_err(|error| {
            SensorError::Unsupported(format!("no cgroup `{}`: {error}", folder.display()))
        })?;
        // A way up would leave the hierarchy, and a cgroup is a folder: anything else has a number
        // that no process is in, and the agent would see nothing.
        let is_inside = beneath.components().all(|it| matches!(it, Component::Normal(_)));
        let level = if is_inside && found.is_dir() { level } else { 0 };
        let (1.., Ok(level)) = (level, u32::try_from(level)) else {
            return Err(SensorError::Unsupported(format!(
                "`{path}` is no cgroup beneath the root"
            )));
        };
        let path = format!("/{}", beneath.display());
        Ok(Self::Cgroup(Cgroup { path, id: found.ino(), level }))
    }

    /// For a tier that cannot filter.
    ///
    /// # Errors
    /// [`SensorError::Unsupported`] when only a part of the host is to be watched.
    pub fn demand_host(&self) -> Result<(), SensorError> {
        match self {
            Self::Host => Ok(()),
            Self::Cgroup(_) => {
                let message = "this tier watches the whole host or nothing".to_owned();
                Err(SensorError::Unsupported(message))
            }
        }
    }

    /// Whether a process in the cgroup at `path`, as in `/proc/PID/cgroup`, is within.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        match self {
            Self::Host => true,
            Self::Cgroup(it) => path
                .strip_prefix(it.path.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
        }
    }
}

/// Where the cgroup v2 hierarchy is mounted, as `proc/self/mounts` says.
///
/// # Errors
/// What reading it says, or [`io::ErrorKind::NotFound`].
pub fn v2_root(proc: &Path) -> io::Result<PathBuf> {
    let mounts = fs::read_to_string(proc.join("self/mounts"))?;
    let fields = |line: &str| {
        let mut words = line.split(' ');
        let (_source, target, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(target))
    };
    let found = mounts.lines().find_map(fields);
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no cgroup2 in the mounts"))
}

#[cfg(test)]
mod tests {
    use super::{Cgroup, Scope};

    #[track_caller]
    fn check(path: &str, is_covered: bool) {
        let scope = Scope::Cgroup(Cgroup { path: "/demo/a".into(), id: 1, level: 2 });
        assert_eq!(scope.covers(path.as_bytes()), is_covered);
    }

    #[test]
    fn a_cgroup_covers_itself_and_what_is_beneath() {
        check("/demo/a", true);
        check("/demo/a/b", true);
    }

    #[test]
    fn a_cgroup_covers_neither_its_parent_nor_a_longer_name() {
        check("/demo", false);
        check("/demo/ab", false);
    }
}
