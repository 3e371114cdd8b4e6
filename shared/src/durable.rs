//! Files that are whole or absent, whatever happens while they are written: in one place.
//!
//! Beside the road: keys, certificates, configuration and addresses are written through here. It
//! never appends (see [`crate::seglog`]) and never reads.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Permission bits of a secret: its owner alone.
pub const MODE_SECRET: u32 = 0o600;

/// Permission bits of what others on the host may read.
pub const MODE_PUBLIC: u32 = 0o644;

/// Permission bits of a directory that holds evidence or secrets.
pub const MODE_DIR: u32 = 0o700;

/// Writes a file aside, syncs it, renames it to `path` and syncs the directory: afterwards, and
/// after any crash, `path` holds the old bytes or the new ones, whole.
///
/// The file has exactly the permission bits of `mode`, whatever the umask, from its first byte on.
/// Two writers of the same path must not run at the same time.
///
/// # Errors
/// What the system says; `path` then holds the old bytes, or the new ones that a loss of power may
/// still take back.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = aside(path)?;
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => (),
    }
    let written = write_aside(&aside, bytes, mode).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // The error that matters is the first; a leftover is removed by the next write.
        drop(fs::remove_file(&aside));
    }
    written?;
    sync_parent(path)
}

/// Makes a directory and those above it that are missing, each with the permission bits of `mode`,
/// and syncs the parent of each that was made. One that is there already is left as it is.
///
/// # Errors
/// What the system says; `NotADirectory` when something else has the name.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => (),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(ErrorKind::NotADirectory.into());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            match parent {
                // A file system that makes no directories says the same: procfs(5).
                Some(parent) if !parent.is_dir() => create_dir(parent, mode)?,
                Some(_) | None => return Err(error),
            }
            return create_dir(path, mode);
        }
        Err(error) => return Err(error),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    sync_parent(path)
}

/// Removes a file and makes that durable. One that is not there is as good as removed.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        done => done?,
    }
    sync_parent(path)
}

fn write_aside(aside: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(aside)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The name that a file has while it is written.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let mut name: OsString = path.file_name().ok_or(ErrorKind::InvalidFilename)?.to_owned();
    name.push(".new");
    Ok(path.with_file_name(name))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        Some(_) | None => fs::File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::File::create(dir.path().join("key.new")).unwrap();
        write(&path, b"first", MODE_PUBLIC).unwrap();
        write(&path, b"second", MODE_SECRET).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE_SECRET);
        assert_eq!(names(dir.path()), ["key"]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::File::create(path.join("inside")).unwrap();
        assert!(write(&path, b"bytes", MODE_SECRET).is_err());
        assert_eq!(names(dir.path()), ["taken"]);
        assert!(write(Path::new("/"), b"bytes", MODE_SECRET).is_err());
    }

    #[test]
    fn directories_are_made_down_to_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_dir(&deep, MODE_DIR).unwrap();
        create_dir(&deep, 0o755).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o7777, MODE_DIR);
        fs::File::create(deep.join("file")).unwrap();
        let error = create_dir(&deep.join("file"), MODE_DIR).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        assert!(create_dir(&deep.join("file/below"), MODE_DIR).is_err());
        assert!(create_dir(Path::new("/proc/none"), MODE_DIR).is_err());
    }

    #[test]
    fn what_is_not_there_is_as_good_as_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write(&path, b"x", MODE_SECRET).unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.try_exists().unwrap());
    }
}
