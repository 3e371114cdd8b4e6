//! What a file is beside its contents: read from a descriptor, and given to one.

use std::os::{fd::AsFd, unix::fs::MetadataExt as _};

use cordon_shared::{text::Text, time::Timestamp};
use rustix::{
    fs::{
        Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, fchmod, fchown, fgetxattr,
        flistxattr, fsetxattr, futimens,
    },
    io::Errno,
};

use super::place::{Held, failed};
use crate::containment::files::{Attributes, FilesError};

/// Bytes of all names, and of each value, that are kept (chosen: a capability takes 20, a label 60, an
/// access list of a dozen 100).
const BYTES_MAX: usize = 4_096;

/// Extended attributes that are kept.
const COUNT_MAX: usize = 32;

/// Reads them.
pub(super) fn of(held: &Held) -> Result<Attributes, FilesError> {
    let stat = held.file.metadata().map_err(failed("look at the file"))?;
    let (extended, is_cut) = extended(held)?;
    let second = i128::from(stat.mtime()) * 1_000_000_000 + i128::from(stat.mtime_nsec());
    Ok(Attributes {
        mode: stat.mode() & 0o7777,
        uid: stat.uid(),
        gid: stat.gid(),
        modified: Timestamp::from_ns(i64::try_from(second).unwrap_or(i64::MAX)),
        extended,
        is_cut,
    })
}

type Extended = (Vec<(Text, Text)>, bool);

fn extended(held: &Held) -> Result<Extended, FilesError> {
    let doing = "read the file's extended attributes";
    let (mut names, mut value) = (vec![0_u8; BYTES_MAX], vec![0_u8; BYTES_MAX]);
    let count = match flistxattr(&held.file, names.as_mut_slice()) {
        Ok(count) => count,
        Err(Errno::NOTSUP) => return Ok((Vec::new(), false)),
        Err(Errno::RANGE | Errno::TOOBIG) => return Ok((Vec::new(), true)),
        Err(error) => return Err(failed(doing)(error)),
    };
    let (mut extended, mut is_cut) = (Vec::new(), false);
    let names = names.get(..count).unwrap_or_default();
    for name in names.split(|it| *it == 0).filter(|it| !it.is_empty()) {
        match fgetxattr(&held.file, name, value.as_mut_slice()) {
            Ok(count) if extended.len() < COUNT_MAX => {
                let value = value.get(..count).unwrap_or_default();
                extended.push((Text::from(name), Text::from(value)));
            }
            // Gone meanwhile.
            Err(Errno::NODATA) => (),
            Ok(_) | Err(Errno::RANGE | Errno::TOOBIG) => is_cut = true,
            Err(error) => return Err(failed(doing)(error)),
        }
    }
    Ok((extended, is_cut))
}

/// Gives them to a file; the time of its last change only where it comes back as it was.
///
/// Its owner first: that takes set-user-id away, and the mode gives it back.
pub(super) fn give(
    file: impl AsFd,
    attributes: &Attributes,
    is_as_it_was: bool,
) -> Result<(), FilesError> {
    let file = file.as_fd();
    let (owner, group) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    fchown(file, Some(owner), Some(group)).map_err(failed("give the file its owner"))?;
    for (name, value) in &attributes.extended {
        fsetxattr(file, name.as_bytes(), value.as_bytes(), XattrFlags::empty())
            .map_err(failed("give the file its extended attributes"))?;
    }
    let mode = Mode::from_raw_mode(attributes.mode);
    fchmod(file, mode).map_err(failed("give the file its mode"))?;
    if is_as_it_was {
        let ns = attributes.modified.as_ns();
        let modified = Timespec {
            tv_sec: ns.div_euclid(1_000_000_000),
            tv_nsec: ns.rem_euclid(1_000_000_000),
        };
        let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: omitted, last_modification: modified };
        futimens(file, &times).map_err(failed("give the file its time"))?;
    }
    Ok(())
}

/// Makes a file such that nothing runs it and nobody but root reads it.
pub(super) fn disarm(file: impl AsFd) -> Result<(), FilesError> {
    let file = file.as_fd();
    let doing = "take the file's owner and mode away";
    // Whoever owned it could make it executable again through a descriptor that is still open.
    let (owner, group) = (rustix::process::geteuid(), rustix::process::getegid());
    fchown(file, Some(owner), Some(group)).map_err(failed(doing))?;
    fchmod(file, Mode::RUSR).map_err(failed(doing))
}
