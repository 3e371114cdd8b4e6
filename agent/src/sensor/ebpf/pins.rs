//! Pins: names in the BPF file system that keep maps and programs alive without the agent.
//!
//! ```text
//! /sys/fs/bpf/<folder>/<object>/map_<name> · link_<program> · program_<program>
//! ```
//! While they are there the programs go on recording: an agent that was killed finds its ring as it
//! left it, and what happened meanwhile in it. An agent that runs holds its programs itself too. They end with the machine, or with [`remove`].

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::statfs,
    mount::{MountFlags, mount},
};

/// Where the BPF file system is mounted by custom, and by us where nobody did.
const BPF_FS: &str = "/sys/fs/bpf";

/// `BPF_FS_MAGIC` in include/uapi/linux/magic.h.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Where tracefs is mounted by custom; `TRACEFS_MAGIC` in include/uapi/linux/magic.h.
const TRACE_FS: &str = "/sys/kernel/tracing";
const TRACE_FS_MAGIC: i64 = 0x7472_6163;

/// The folder for the pins of one agent, `name` chosen so that no two agents have the same. Mounts
/// the BPF file system when that is not done.
///
/// # Errors
/// What the kernel says.
pub fn folder(name: &str) -> io::Result<PathBuf> {
    ensure_mounted("bpf", BPF_FS, BPF_FS_MAGIC)?;
    Ok(Path::new(BPF_FS).join(name))
}

/// Mounts tracefs when that is not done: system call tracepoints are found there by number.
///
/// # Errors
/// What the kernel says.
pub fn ensure_tracefs() -> io::Result<()> {
    ensure_mounted("tracefs", TRACE_FS, TRACE_FS_MAGIC)
}

fn ensure_mounted(kind: &str, target: &str, magic: i64) -> io::Result<()> {
    if i128::from(statfs(target)?.f_type) == i128::from(magic) {
        return Ok(());
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount(kind, target, kind, flags, None)?)
}

/// Removes every pin of an agent, of all objects: the programs stop with the last of them. Nothing
/// is done when there are none.
///
/// # Errors
/// What the kernel says; what was removed before stays removed.
pub fn remove(folder: &Path) -> io::Result<()> {
    for object in entries(folder)? {
        remove_object(&object)?;
    }
    remove_folder(folder)
}

/// Removes the pins of one object, links first: no program runs on maps that are half gone.
///
/// # Errors
/// As [`remove`].
pub fn remove_object(folder: &Path) -> io::Result<()> {
    let is_link = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"link_"))
    };
    let (links, others): (Vec<_>, Vec<_>) = entries(folder)?.into_iter().partition(is_link);
    for pin in links.into_iter().chain(others) {
        fs::remove_file(pin)?;
    }
    remove_folder(folder)
}

/// Removes an agent's folder in which nothing is pinned; one with pins stays.
///
/// # Errors
/// What the kernel says.
pub fn remove_empty(folder: &Path) -> io::Result<()> {
    match remove_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|it| it.map(|it| it.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
