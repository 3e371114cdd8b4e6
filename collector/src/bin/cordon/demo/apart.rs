//! Namespaces of the demo's own: what is done within one of them is seen nowhere else.
//!
//! They are held by file descriptors of this process alone. When it ends, however it ends, and the
//! programs that it started in them have ended too, the kernel takes them back with all that is in
//! them: devices, addresses, packet filters, mounts.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, anyhow};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::{
    mount::{MountPropagationFlags, mount_bind, mount_change},
    system::sethostname,
};

use super::wire;

/// See the module. What is `None` is shared with everybody.
pub(super) struct Apart {
    network: File,
    name: Option<File>,
    mounts: Option<File>,
}

/// A folder of the demo's that a host sees in place of its own.
pub(super) struct Bind {
    /// The demo's.
    pub(super) folder: PathBuf,
    /// Where the host sees it.
    pub(super) at: PathBuf,
}

impl Apart {
    /// A network, with nothing in it but a loopback device that is up.
    ///
    /// # Errors
    /// Mostly that this user may not.
    pub(super) fn network() -> anyhow::Result<Self> {
        aside(|| {
            enter_new_network()?;
            Ok(Self { network: own("net")?, name: None, mounts: None })
        })
    }

    /// A host: a network, a name, and folders.
    ///
    /// # Errors
    /// Mostly that this user may not.
    pub(super) fn host(name: &str, binds: &[Bind]) -> anyhow::Result<Self> {
        aside(|| {
            enter_new_network()?;
            unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS).context("part from it")?;
            sethostname(name.as_bytes()).context("name a host")?;
            // What is mounted here stays here.
            let is_private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", is_private).context("part from the machine's mounts")?;
            for it in binds {
                mount_bind(&it.folder, &it.at)
                    .with_context(|| format!("mount `{}`", it.at.display()))?;
            }
            Ok(Self { network: own("net")?, name: Some(own("uts")?), mounts: Some(own("mnt")?) })
        })
    }

    /// The network's file, for the other end of a wire.
    pub(super) fn network_file(&self) -> &File {
        &self.network
    }

    /// Does something in there, in a thread of its own: whatever that starts is in there too.
    ///
    /// # Errors
    /// When the kernel refuses, and what `deed` says.
    pub(super) fn within<T: Send>(
        &self,
        deed: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        aside(|| {
            self.enter().context("enter a host's namespaces")?;
            deed()
        })
    }

    /// Moves the calling thread in, for good.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn enter(&self) -> io::Result<()> {
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        if let Some(name) = &self.name {
            setns(name, CloneFlags::CLONE_NEWUTS)?;
        }
        if let Some(mounts) = &self.mounts {
            // A root and a working folder that no other thread shares.
            unshare(CloneFlags::CLONE_FS)?;
            setns(mounts, CloneFlags::CLONE_NEWNS)?;
        }
        Ok(())
    }
}

/// Moves the calling thread into a new network, its loopback device up.
///
/// # Errors
/// Mostly that this user may not.
pub(super) fn enter_new_network() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
    wire::up("lo").context("set a loopback device up")
}

/// A namespace of the calling thread.
///
/// # Errors
/// When `/proc` is not there.
pub(super) fn own(kind: &str) -> anyhow::Result<File> {
    let path = Path::new("/proc/thread-self/ns").join(kind);
    File::open(&path).with_context(|| format!("open `{}`", path.display()))
}

/// Runs something in a thread of its own, which leaves no trace on this one.
fn aside<T: Send>(deed: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let done = thread::scope(|scope| scope.spawn(deed).join());
    done.map_err(|_panic| anyhow!("a thread of the demo is gone"))?
}
