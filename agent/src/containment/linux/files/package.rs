//! Which package owns a path: read from dpkg's own lists, without dpkg.
//!
//! Where there is no dpkg but a database of rpm, which is not read here, what lies where packages put
//! their files counts as a package's.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _},
    path::Path,
};

use cordon_shared::text::Text;

use super::place::failed;
use crate::containment::files::{FilesError, Package};

/// Lists that are read: a distribution has 60,000 packages, a host a tenth of that at most.
const LISTS_MAX: usize = 16_384;

/// Bytes of one list: the largest of a distribution has 4 MiB.
const LIST_BYTES_MAX: u64 = 32 << 20;

/// Folders that packages fill, where it cannot be asked which.
const FILLED: [&[u8]; 7] =
    [b"/usr/", b"/bin/", b"/sbin/", b"/lib/", b"/lib64/", b"/boot/", b"/etc/init.d/"];

/// The owner of a path on the host below `root`.
pub(super) fn owner(root: &Path, path: &Text) -> Result<Option<Package>, FilesError> {
    let doing = "read the lists of packages";
    let folder = root.join("var/lib/dpkg/info");
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(guessed(root, path)),
        Err(error) => return Err(failed(doing)(error)),
    };
    let names = names(path.as_bytes());
    for (number, entry) in listed.enumerate() {
        let entry = entry.map_err(failed(doing))?;
        if number / 8 > LISTS_MAX {
            return Err(failed(doing)(io::Error::from(ErrorKind::FileTooLarge)));
        }
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|it| it.strip_suffix(".list")) else { continue };
        if has_line(&entry.path(), &names).map_err(failed(doing))? {
            let edited = folder.join(format!("{name}.conffiles"));
            let is_configuration = has_line(&edited, &names).map_err(failed(doing))?;
            return Ok(Some(Package { name: name.to_owned(), is_configuration }));
        }
    }
    Ok(None)
}

/// The path, and as a package knows it whose files were below `/` before `/usr` was merged.
fn names(path: &[u8]) -> Vec<&[u8]> {
    let merged = [b"/usr/bin/".as_slice(), b"/usr/sbin/", b"/usr/lib"];
    let is_merged = merged.iter().any(|it| path.starts_with(it));
    let short = path.strip_prefix(b"/usr").filter(|_| is_merged);
    std::iter::once(path).chain(short).collect()
}

fn has_line(list: &Path, names: &[&[u8]]) -> io::Result<bool> {
    let file = match File::open(list) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file.take(LIST_BYTES_MAX));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if names.contains(&line.trim_ascii_end()) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

fn guessed(root: &Path, path: &Text) -> Option<Package> {
    let databases = ["var/lib/rpm", "usr/lib/sysimage/rpm"];
    let is_rpm = databases.iter().any(|it| root.join(it).is_dir());
    let path = path.as_bytes();
    let is_filled = FILLED.iter().any(|it| path.starts_with(it));
    let is_ours = path.starts_with(b"/usr/local/");
    let name = "one of rpm's, perhaps: its database is not read".to_owned();
    (is_rpm && is_filled && !is_ours).then_some(Package { name, is_configuration: false })
}

#[cfg(test)]
mod tests {
    use cordon_shared::durable;
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(path: &str, expect: &Expect) {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join("var/lib/dpkg/info");
        durable::create_dir(&info, 0o755).unwrap();
        let write = |name: &str, text: &str| {
            durable::write(&info.join(name), text.as_bytes(), 0o644).unwrap();
        };
        write("cron.list", "/.\n/etc\n/etc/crontab\n/usr/sbin/cron\n");
        write("cron.conffiles", "/etc/crontab\n");
        write("bash.list", "/bin/bash\n/usr/share/doc/bash\n");
        let owner = owner(root.path(), &Text::from(path)).unwrap();
        let owner = owner.map(|it| format!("{} {}", it.name, it.is_configuration));
        expect.assert_eq(&owner.unwrap_or_default());
    }

    #[test]
    fn a_file_is_a_package_s_when_a_list_has_its_whole_path() {
        check("/usr/sbin/cron", &expect!["cron false"]);
        check("/usr/sbin/cro", &expect![""]);
        check("/etc/crontab", &expect!["cron true"]);
        check("/tmp/x", &expect![""]);
    }

    #[test]
    fn a_list_from_before_usr_was_merged_counts() {
        check("/usr/bin/bash", &expect!["bash false"]);
    }

    #[test]
    fn where_only_rpm_knows_what_packages_fill_is_theirs() {
        let root = tempfile::tempdir().unwrap();
        let ask = |path: &str| owner(root.path(), &Text::from(path)).unwrap().is_some();
        assert!(!ask("/usr/bin/x"));
        durable::create_dir(&root.path().join("var/lib/rpm"), 0o755).unwrap();
        assert!(ask("/usr/bin/x") && !ask("/usr/local/bin/x") && !ask("/tmp/x"));
    }
}
