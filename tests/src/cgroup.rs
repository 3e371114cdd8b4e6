//! Cgroups (v2) of the tests' own: a host for an agent that watches a scope.
//!
//! Made below `cordon-tests` in the v2 hierarchy, wherever that is mounted, and removed with all that
//! still runs in them. Nothing that the tests did not make is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::geteuid;

use crate::wait;

/// A cgroup that is removed when dropped, its processes killed.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    path: String,
}

impl Cgroup {
    /// Makes `cordon-tests/NAME`, which must not exist yet.
    ///
    /// # Errors
    /// When there is no v2 hierarchy, or it may not be written.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let root = root()?;
        let path = format!("/cordon-tests/{name}");
        let folder = root.join("cordon-tests").join(name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("make cgroup `{}`", folder.display()))?;
        Ok(Self { folder, path })
    }

    /// Why no cgroup can be made here, when none can.
    #[must_use]
    pub fn unavailable() -> Option<&'static str> {
        if !geteuid().is_root() {
            return Some("not root");
        }
        root().is_err().then_some("no cgroup v2 hierarchy is mounted")
    }

    /// The path below the v2 root, as the agent's `scope = "cgroup:PATH"` takes it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file that takes a process in.
    #[must_use]
    pub fn procs(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Ids of the processes in it.
    ///
    /// # Errors
    /// When it was removed meanwhile.
    pub fn pids(&self) -> anyhow::Result<Vec<u32>> {
        let text = fs::read_to_string(self.procs()).context("list a cgroup's processes")?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    #[expect(clippy::disallowed_methods, reason = "a kernel's file, nothing to be made durable")]
    fn remove(&self) -> anyhow::Result<()> {
        fs::write(self.folder.join("cgroup.kill"), "1").context("kill what runs in a cgroup")?;
        let what = format!("`{}` is empty", self.folder.display());
        wait::until(&what, Duration::from_secs(10), || fs::remove_dir(&self.folder))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            crate::child::note(&format!("cannot remove cgroup `{}`: {error:#}", self.path));
        }
    }
}

/// Where the v2 hierarchy is mounted.
fn root() -> anyhow::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("read the mounts")?;
    let found = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| Path::new(at).to_path_buf())
    });
    let Some(found) = found else { bail!("no cgroup v2 hierarchy is mounted") };
    Ok(found)
}

#[cfg(test)]
mod privileged {
    use super::Cgroup;
    use crate::child::degraded;

    #[test]
    fn a_cgroup_is_made_and_removed() {
        if let Some(why) = Cgroup::unavailable() {
            return degraded("cgroups are not shown", why);
        }
        let cgroup = Cgroup::new(&format!("unit-{}", std::process::id())).unwrap();
        let folder = cgroup.folder.clone();
        assert!(cgroup.pids().unwrap().is_empty());
        drop(cgroup);
        assert!(!folder.try_exists().unwrap());
    }
}
