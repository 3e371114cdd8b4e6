//! systemd units: the links that enable one, its processes, and whether systemd may act on it still.
//!
//! It speaks to no systemd: a unit is stopped by ending its processes, and forgotten by systemd when
//! that reads its units again. Both are said, not done.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use cordon_shared::text::Text;
use rustix::{
    fs::{AtFlags, symlinkat, unlinkat},
    io::Errno,
};

use super::place::{Place, differs, failed, target};
use crate::containment::{
    files::{FilesError, LINKS_MAX, Unit},
    ledger::Link,
};

/// Where systemd looks for units: systemd.unit(5).
const FOLDERS: [&str; 8] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "etc/systemd/user",
    "run/systemd/user",
    "usr/lib/systemd/user",
];

/// Entries of one folder of units (chosen: a distribution has some hundreds).
const ENTRIES_MAX: usize = 8_192;

/// Processes of a unit that are named.
const PIDS_MAX: usize = 64;

/// What surrounds the unit of this path, on the host below `root`.
pub(super) fn around(root: &Path, path: &Text) -> Result<Unit, FilesError> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
    let own = path.parent().unwrap_or(root).to_owned();
    // As they are without links, so that each is met once, and by a path that can be opened.
    let usual: BTreeSet<PathBuf> =
        FOLDERS.iter().filter_map(|it| fs::canonicalize(root.join(it)).ok()).collect();
    let is_usual = usual.contains(&own);
    let mut links = Vec::new();
    for folder in usual.into_iter().chain((!is_usual).then_some(own)) {
        collect(&folder, path, true, &mut links)?;
    }
    let name = path.file_name().unwrap_or_default();
    let is_service = name.as_bytes().ends_with(b".service");
    let pids = pids(root, name);
    let is_running = root.join("run/systemd/system").is_dir();
    let is_read = is_running && is_usual && (!is_service || !pids.is_empty());
    Ok(Unit { links, pids, is_read })
}

/// Links to `path` in a folder, and in those of its folders that enable units.
fn collect(
    folder: &Path,
    path: &Path,
    is_outer: bool,
    links: &mut Vec<Link>,
) -> Result<(), FilesError> {
    let doing = "read a folder of units";
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(doing)(error)),
    };
    for (number, entry) in listed.enumerate() {
        let entry = entry.map_err(failed(doing))?;
        if number >= ENTRIES_MAX || links.len() >= LINKS_MAX {
            return Err(failed(doing)(std::io::Error::from(ErrorKind::FileTooLarge)));
        }
        let (at, kind) = (entry.path(), entry.file_type().map_err(failed(doing))?);
        let enables = [".wants", ".requires", ".upholds"];
        let name = entry.file_name();
        let is_enabling = enables.iter().any(|it| name.as_bytes().ends_with(it.as_bytes()));
        if kind.is_dir() && is_outer && is_enabling {
            collect(&at, path, false, links)?;
        } else if kind.is_symlink() {
            let Ok(target) = fs::read_link(&at) else { continue };
            let meant = plain(&folder.join(&target));
            if meant == path || fs::canonicalize(&at).is_ok_and(|it| it == path) {
                let text = |it: &Path| Text::from(it.as_os_str().as_bytes());
                links.push(Link { path: text(&at), target: text(&target) });
            }
        }
    }
    Ok(())
}

/// A path without `.` and `..`, by its letters alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for it in path.components() {
        match it {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => (),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(it),
        }
    }
    plain
}

/// Processes of a service, by its cgroup.
fn pids(root: &Path, name: &std::ffi::OsStr) -> Vec<u32> {
    let slices = ["sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice"];
    let procs = slices.iter().map(|it| root.join(it).join(name).join("cgroup.procs"));
    let texts = procs.filter_map(|it| fs::read_to_string(it).ok());
    let pids: BTreeSet<u32> = texts
        .flat_map(|it| it.lines().filter_map(|it| it.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.into_iter().take(PIDS_MAX).collect()
}

pub(super) fn unlink(link: &Link) -> Result<(), FilesError> {
    let path = &link.path;
    match target(path)? {
        Some(target) if target == link.target => (),
        Some(_) => return differs(format!("{path} points elsewhere by now")),
        None => return differs(format!("{path} is gone already")),
    }
    let place = Place::of(path)?;
    unlinkat(&place.folder, place.name.as_slice(), AtFlags::empty())
        .map_err(failed("remove the link"))?;
    place.sync()
}

pub(super) fn relink(link: &Link) -> Result<(), FilesError> {
    let place = Place::of(&link.path)?;
    match symlinkat(link.target.as_bytes(), &place.folder, place.name.as_slice()) {
        Ok(()) => place.sync(),
        Err(Errno::EXIST) => differs(format!("something is at {} by now", link.path)),
        Err(error) => Err(failed("make the link")(error)),
    }
}
