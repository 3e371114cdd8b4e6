//! Files with what the file system says of them, their digest and, where they are small and mean what
//! they say, their text.

use std::{
    collections::BTreeSet,
    fs::{self, Metadata},
    io::{Read, Seek, SeekFrom},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use cordon_shared::{text::Text, time::Timestamp};
use serde_json::{Value, json};

use super::{Take, digest, link, shown};
use crate::snapshot::draft::{Draft, Stop};

/// Files of one folder that are looked at, those that sort first.
pub(super) const FOLDER_FILES_MAX: usize = 2_048;

/// Files beside those of a named process: the newest of its working folder.
const BESIDE_MAX: usize = 256;

/// Whether the text of a file is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Contents {
    /// Only its digest.
    Digest,
    /// Its beginning too, at most so many bytes.
    Text(u64),
}

impl Take<'_> {
    /// What there is to say of one path; `None` when it is not there.
    pub(super) fn about(&mut self, path: &Path, contents: Contents) -> Option<Value> {
        let about = fs::symlink_metadata(path).ok()?;
        let mut value = facts(&self.named_as(path), &about);
        let into = value.as_object_mut()?;
        if about.is_symlink() {
            into.insert("target".to_owned(), json!(link(path).to_string()));
            return Some(value);
        }
        if !about.is_file() {
            return Some(value);
        }
        let opened = digest::open(path);
        let Ok((mut file, _)) = opened else {
            into.insert("sha256_state".to_owned(), json!("unreadable"));
            return Some(value);
        };
        let sha256 = self.digests.of(&mut file, self.patience);
        into.insert("sha256".to_owned(), json!(sha256.ok().map(|it| it.to_string())));
        into.insert("sha256_state".to_owned(), json!(sha256.err().unwrap_or("known")));
        if let Contents::Text(bytes_max) = contents {
            let mut text = Vec::new();
            let read = file
                .seek(SeekFrom::Start(0))
                .and_then(|_| file.take(bytes_max).read_to_end(&mut text));
            if read.is_ok() {
                into.insert("text".to_owned(), json!(lines(&text)));
                into.insert("text_is_cut".to_owned(), json!(about.len() > bytes_max));
            }
        }
        Some(value)
    }

    /// A path as the host names it.
    fn named_as(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.ground.root).unwrap_or(path);
        Path::new("/").join(below)
    }

    /// Writes what there is to say of each of these.
    pub(super) fn tell(
        &mut self,
        paths: impl IntoIterator<Item = PathBuf>,
        contents: Contents,
        draft: &mut Draft,
    ) -> Result<(), Stop> {
        for path in paths {
            self.go_on()?;
            if let Some(value) = self.about(&path, contents) {
                draft.line(&value)?;
            }
        }
        Ok(())
    }

    /// What the named processes run, have open, and have lying in their working folder.
    pub(super) fn recent_files(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        if self.named.is_empty() {
            return Err(Stop::Absent("no process was named".to_owned()));
        }
        let mut seen = BTreeSet::new();
        for key in self.named {
            if !self.is_there(*key) {
                draft.lacks(format!("process {} has ended", key.pid));
                continue;
            }
            let folder = self.ground.proc.join(key.pid.to_string());
            let mut paths = vec![target(&folder.join("exe"))];
            for entry in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
                paths.push(target(&entry.path()));
            }
            if let Some(cwd) = target(&folder.join("cwd")) {
                paths.extend(newest(&cwd).into_iter().map(Some));
            }
            let paths: Vec<_> =
                paths.into_iter().flatten().filter(|it| seen.insert(it.clone())).collect();
            for path in paths {
                self.go_on()?;
                if let Some(mut value) = self.about(&path, Contents::Digest) {
                    value["pid"] = json!(key.pid);
                    draft.line(&value)?;
                }
            }
        }
        Ok(())
    }
}

/// A path that one of the kernel's links leads to, when it is one.
fn target(path: &Path) -> Option<PathBuf> {
    fs::read_link(path).ok().filter(|it| it.is_absolute())
}

/// The newest files of a folder, newest first.
fn newest(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = entries(folder)
        .into_iter()
        .filter_map(|path| Some((fs::symlink_metadata(&path).ok()?.mtime(), path)))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().take(BESIDE_MAX).map(|(_, path)| path).collect()
}

/// What is in a folder, in order of names; nothing when it cannot be read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = found.map(|it| it.path()).take(FOLDER_FILES_MAX).collect();
    paths.sort();
    paths
}

fn facts(path: &Path, about: &Metadata) -> Value {
    let time = |seconds: i64, ns: i64| {
        let at = seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Timestamp::from_ns(at).to_string()
    };
    let kind = about.file_type();
    let kind = match (kind.is_file(), kind.is_dir(), kind.is_symlink()) {
        (true, ..) => "file",
        (_, true, _) => "directory",
        (_, _, true) => "link",
        _ => "other",
    };
    json!({
        "path": shown(path),
        "kind": kind,
        "size_bytes": about.len(),
        "mode": format!("{:04o}", about.mode() & 0o7777),
        "uid": about.uid(),
        "gid": about.gid(),
        "device": about.dev(),
        "inode": about.ino(),
        "accessed": time(about.atime(), about.atime_nsec()),
        "modified": time(about.mtime(), about.mtime_nsec()),
        "changed": time(about.ctime(), about.ctime_nsec()),
    })
}

/// Text line by line, each as [`Text`] shows it.
fn lines(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|it| *it == b'\n').map(|it| Text::from(it).to_string()).collect()
}

/// Home folders of all accounts: name and folder, each folder once.
pub(super) fn homes(root: &Path) -> Vec<(String, PathBuf)> {
    let passwd = crate::sensor::procfs::read_capped(&root.join("etc/passwd"), 1 << 20);
    let passwd = passwd.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for line in passwd.split(|it| *it == b'\n') {
        let fields: Vec<_> = line.split(|it| *it == b':').collect();
        let (Some(name), Some(home)) = (fields.first(), fields.get(5)) else { continue };
        let below = Path::new(std::ffi::OsStr::from_bytes(home));
        let Ok(below) = below.strip_prefix("/") else { continue };
        let is_way_up = below.components().any(|it| matches!(it, std::path::Component::ParentDir));
        if !is_way_up && !below.as_os_str().is_empty() && seen.insert(below.to_owned()) {
            found.push((Text::from(*name).to_string(), root.join(below)));
        }
    }
    found
}
