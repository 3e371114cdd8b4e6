//! Account names: uid → name from `/etc/passwd` (passwd(5)), and from nowhere else.
//!
//! The name service could ask the network, and an attacker's answer would then be ours; an account
//! that is only there has no name here. The file is read again when it has changed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cordon_shared::{text::Text, time::Boottime};

use crate::sensor::procfs::read_capped;

/// Bytes of the file that are read (chosen: 40,000 accounts).
const PASSWD_BYTES_MAX: usize = 4 << 20;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The names.
#[derive(Debug)]
pub struct Accounts {
    path: PathBuf,
    names: HashMap<u32, Text>,
    changed: Option<SystemTime>,
    looked: Option<Boottime>,
}

impl Accounts {
    /// Reads the file.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let mut it = Self { path, names: HashMap::new(), changed: None, looked: None };
        it.load();
        it
    }

    /// The name of an account; empty when it has none here.
    #[must_use]
    pub fn name(&self, uid: u32) -> Text {
        self.names.get(&uid).cloned().unwrap_or_default()
    }

    /// Reads the file again when it has changed; looks no more often than [`LOOK_EVERY`].
    pub fn look(&mut self, now: Boottime) {
        if self.looked.is_some_and(|it| now.since(it) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        if modified(&self.path) != self.changed {
            self.load();
        }
    }

    fn load(&mut self) {
        let changed = modified(&self.path);
        // A file that cannot be read leaves the names as they were.
        let Ok(bytes) = read_capped(&self.path, PASSWD_BYTES_MAX) else { return };
        self.names = parse(&bytes);
        self.changed = changed;
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}

/// `name:password:uid:…`, one account a line; of two with one uid the first counts, as in getpwuid(3).
fn parse(bytes: &[u8]) -> HashMap<u32, Text> {
    let mut names = HashMap::new();
    for line in bytes.split(|it| *it == b'\n') {
        let mut fields = line.split(|it| *it == b':');
        let (Some(name), Some(_), Some(uid)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let uid = std::str::from_utf8(uid).ok().and_then(|it| it.parse().ok());
        if let (Some(uid), false) = (uid, name.is_empty()) {
            names.entry(uid).or_insert_with(|| Text::from(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use cordon_shared::time::Boottime;

    use super::Accounts;

    #[test]
    fn names_come_from_the_file_and_follow_its_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("passwd");
        let write = |text: &str| {
            cordon_shared::durable::write(&path, text.as_bytes(), 0o644).expect("writes");
            let file = std::fs::File::options().append(true).open(&path).expect("opens");
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(text.len() as u64);
            file.set_modified(at).expect("sets the time");
        };
        write("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad line\nx:x:y:\n");
        let mut accounts = Accounts::new(path.clone());
        assert_eq!(accounts.name(0).to_string(), "root");
        assert!(accounts.name(1).is_empty());
        write("root:x:0:0::/:\nann:x:1:1::/:\n");
        accounts.look(Boottime::from_ns(1));
        assert_eq!(accounts.name(1).to_string(), "ann");
        write("root:x:0:0::/:\n");
        accounts.look(Boottime::from_ns(2));
        assert_eq!(accounts.name(1).to_string(), "ann", "it was looked at a moment ago");
    }
}
