//! Where persistence hides: cron, systemd, what runs at a start or a login, keys that open accounts;
//! and the accounts themselves. Never a password's hash: of `shadow` the digest alone.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    Take,
    file::{Contents, entries, homes},
};
use crate::{
    sensor::procfs::read_capped,
    snapshot::draft::{Draft, Stop},
};

/// Of a cron table, a unit, a list of keys: they are a few lines long.
const TEXT_BYTES_MAX: u64 = 64 << 10;

/// Tables, and folders of tables and jobs (cron(8), anacron(8), at(1)).
const CRON_FILES: [&str; 2] = ["etc/crontab", "etc/anacrontab"];
const CRON_FOLDERS: [&str; 9] = [
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
    "var/spool/cron",
    "var/spool/cron/crontabs",
    "var/spool/cron/atjobs",
    "var/spool/at",
];

/// Folders of units that people and programs of theirs write (systemd.unit(5)).
const UNITS_WRITTEN: [&str; 4] = [
    "etc/systemd/system",
    "run/systemd/system",
    "etc/systemd/user",
    "usr/local/lib/systemd/system",
];
/// Folders of units that packages bring: their digests tell whether somebody changed them.
const UNITS_PACKAGED: [&str; 2] = ["usr/lib/systemd/system", "usr/lib/systemd/user"];
/// Of an account.
const UNITS_OWN: &str = ".config/systemd/user";

/// Read whole: a line in them runs code in every program, or at every start.
const STARTUP_TEXT: [&str; 3] = ["etc/ld.so.preload", "etc/rc.local", "etc/inittab"];
/// Of these a digest tells whether they are as they were.
const STARTUP_FILES: [&str; 9] = [
    "etc/ld.so.conf",
    "etc/profile",
    "etc/bash.bashrc",
    "etc/environment",
    "etc/sudoers",
    "etc/nsswitch.conf",
    "etc/ssh/sshd_config",
    "etc/passwd",
    "etc/shadow",
];
const STARTUP_FOLDERS: [&str; 12] = [
    "etc/ld.so.conf.d",
    "etc/profile.d",
    "etc/init.d",
    "etc/pam.d",
    "etc/sudoers.d",
    "etc/modules-load.d",
    "etc/modprobe.d",
    "etc/udev/rules.d",
    "etc/update-motd.d",
    "etc/NetworkManager/dispatcher.d",
    "etc/apt/apt.conf.d",
    "etc/xdg/autostart",
];
/// Of an account.
const STARTUP_OWN: [&str; 8] = [
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".zshrc",
    ".zshenv",
    ".ssh/rc",
];

/// Lists of keys of an account (sshd(8)).
const KEYS_OWN: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

impl Take<'_> {
    fn below(&self, names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(|it| self.ground.root.join(it)).collect()
    }

    pub(super) fn cron(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let mut paths = self.below(&CRON_FILES);
        paths.extend(self.below(&CRON_FOLDERS).iter().flat_map(|it| entries(it)));
        self.tell(paths, Contents::Text(TEXT_BYTES_MAX), draft)
    }

    pub(super) fn units(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let mut written = self.below(&UNITS_WRITTEN);
        let homes = homes(&self.ground.root);
        written.extend(homes.iter().map(|(_, home)| home.join(UNITS_OWN)));
        let written: Vec<_> = written.iter().flat_map(|it| tree(it)).collect();
        self.tell(written, Contents::Text(TEXT_BYTES_MAX), draft)?;
        let packaged: Vec<_> = self.below(&UNITS_PACKAGED).iter().flat_map(|it| tree(it)).collect();
        self.tell(packaged, Contents::Digest, draft)
    }

    pub(super) fn startup(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let whole = self.below(&STARTUP_TEXT);
        self.tell(whole, Contents::Text(TEXT_BYTES_MAX), draft)?;
        let mut paths = self.below(&STARTUP_FILES);
        paths.extend(self.below(&STARTUP_FOLDERS).iter().flat_map(|it| entries(it)));
        for (_, home) in homes(&self.ground.root) {
            paths.extend(STARTUP_OWN.iter().map(|it| home.join(it)));
        }
        self.tell(paths, Contents::Digest, draft)
    }

    pub(super) fn authorized_keys(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        for (account, home) in homes(&self.ground.root) {
            for name in KEYS_OWN {
                self.go_on()?;
                let about = self.about(&home.join(name), Contents::Text(TEXT_BYTES_MAX));
                if let Some(mut value) = about {
                    value["account"] = json!(account);
                    draft.line(&value)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn users(&self, draft: &mut Draft) -> Result<(), Stop> {
        for name in ["passwd", "group"] {
            let path = self.ground.root.join("etc").join(name);
            let bytes = read_capped(&path, 1 << 20);
            let bytes = bytes.map_err(|error| Stop::of(format!("file of {name}"), &error))?;
            draft.raw(format!("# {name}\n").as_bytes())?;
            draft.raw(&bytes)?;
        }
        Ok(())
    }
}

/// A folder and the folders in it: drop-ins and wants are one below.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
        match is_folder {
            true => found.extend(entries(&path)),
            false => found.push(path),
        }
    }
    found
}
