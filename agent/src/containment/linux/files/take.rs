//! Files into the quarantine and out of it.
//!
//! Within one file system a file is moved, and judged after it was moved: the name may have been given
//! to another meanwhile, which is then moved back. Across file systems, and where it has other names,
//! it is copied, the copy is synced and judged, and only then is the name removed.

use std::{fs::File, io::Write as _, os::fd::AsFd as _, path::Path};

use cordon_shared::{command::scope::FileIs, durable, id::LedgerId, text::Text};
use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat},
    io::Errno,
};

use super::{
    attributes,
    place::{Held, Place, differs, failed, held},
};
use crate::containment::{
    files::{FILE_BYTES_MAX, FilesError},
    ledger::Kept,
};

/// The quarantine, made when it is missing, and the name of an entry in it.
pub(super) fn shelf(quarantine: &Path, entry: LedgerId) -> Result<Place, FilesError> {
    durable::create_dir(quarantine, durable::MODE_DIR).map_err(failed("make the quarantine"))?;
    let path = quarantine.join(entry.to_string());
    Place::of(&Text::from(path.as_os_str().as_encoded_bytes()))
}

/// The name that a file has while it is on its way.
pub(super) fn aside(entry: LedgerId) -> Vec<u8> {
    format!(".cordon-{entry}").into_bytes()
}

fn rename(from: (&Place, &[u8]), to: (&Place, &[u8])) -> Result<(), Errno> {
    renameat_with(&from.0.folder, from.1, &to.0.folder, to.1, RenameFlags::NOREPLACE)
}

pub(super) fn take(quarantine: &Path, file: &FileIs, entry: LedgerId) -> Result<(), FilesError> {
    let held = held(file)?;
    let (place, shelf) = (Place::of(&file.path)?, shelf(quarantine, entry)?);
    let moved = match held.names {
        0 | 1 => rename((&place, &place.name), (&shelf, &shelf.name)),
        // A move would change the mode under its other names too.
        _ => Err(Errno::XDEV),
    };
    match moved {
        Ok(()) => {
            judge(&shelf, &shelf.name, &held).inspect_err(|_| {
                let _still_there = rename((&shelf, &shelf.name), (&place, &place.name));
            })?;
            attributes::disarm(&held.file)?;
        }
        Err(Errno::XDEV) => {
            copy(&held, &shelf, &shelf.name, file).inspect_err(|_| drop_name(&shelf))?;
            remove(&place, &held, entry).inspect_err(|_| drop_name(&shelf))?;
        }
        Err(error) => return Err(failed("move the file")(error)),
    }
    shelf.sync()?;
    place.sync()
}

/// Removes a name of the quarantine; what is left over is tidied at the next start.
pub(super) fn drop_name(shelf: &Place) {
    let _left = unlinkat(&shelf.folder, shelf.name.as_slice(), AtFlags::empty());
}

/// Whether what has this name is what is held.
fn judge(place: &Place, name: &[u8], held: &Held) -> Result<(), FilesError> {
    let there = place.stat(name)?.map(|it| (it.st_dev, it.st_ino));
    if there == Some((held.device, held.inode)) {
        return Ok(());
    }
    differs("another file came to have the name meanwhile")
}

/// Copies what is held to a new file of that name, durably, and judges the copy.
fn copy(held: &Held, to: &Place, name: &[u8], meant: &FileIs) -> Result<(), FilesError> {
    let copy = create(to, name)?;
    held.each(FILE_BYTES_MAX, |chunk| (&copy).write_all(chunk))?;
    attributes::disarm(&copy)?;
    copy.sync_all().map_err(failed("make the copy durable"))?;
    if to.open(name)?.digest()? == meant.sha256 {
        return Ok(());
    }
    differs(format!("{} changes while it is copied", meant.path))
}

/// A new file for its owner alone.
pub(super) fn create(place: &Place, name: &[u8]) -> Result<File, FilesError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let made = openat(place.folder.as_fd(), name, flags, Mode::RUSR | Mode::WUSR);
    Ok(made.map_err(failed("make a file"))?.into())
}

/// Removes the name of what is held, and no other's.
fn remove(place: &Place, held: &Held, entry: LedgerId) -> Result<(), FilesError> {
    let aside = aside(entry);
    rename((place, &place.name), (place, &aside)).map_err(failed("move the file"))?;
    judge(place, &aside, held).inspect_err(|_| {
        let _still_there = rename((place, &aside), (place, &place.name));
    })?;
    unlinkat(&place.folder, aside.as_slice(), AtFlags::empty()).map_err(failed("remove the file"))
}

pub(super) fn put_back(quarantine: &Path, kept: &Kept, entry: LedgerId) -> Result<(), FilesError> {
    let path = &kept.file.path;
    let (place, shelf) = (Place::of(path)?, shelf(quarantine, entry)?);
    if place.stat(&place.name)?.is_some() {
        return differs(format!("something is at {path} by now"));
    }
    let held = shelf.open(&shelf.name)?;
    if held.digest()? != kept.file.sha256 {
        return differs("what the quarantine holds is not what was put there");
    }
    let there = place.stat(b".")?.map(|it| it.st_dev);
    let moved = match there == Some(held.device) {
        true => {
            attributes::give(&held.file, &kept.attributes, true)?;
            let moved = rename((&shelf, &shelf.name), (&place, &place.name));
            moved.inspect_err(|_| drop(attributes::disarm(&held.file)))
        }
        false => Err(Errno::XDEV),
    };
    if moved == Err(Errno::XDEV) {
        bring(&held, kept, &place, &aside(entry)).inspect_err(|_| {
            let _left = unlinkat(&place.folder, aside(entry).as_slice(), AtFlags::empty());
        })?;
        place.sync()?;
        drop_name(&shelf);
    } else {
        moved.map_err(|it| back_failed(it, path))?;
    }
    place.sync()?;
    shelf.sync()
}

fn back_failed(error: Errno, path: &Text) -> FilesError {
    match error {
        Errno::EXIST => FilesError::Differs(format!("something is at {path} by now")),
        other => failed("move the file back")(other),
    }
}

/// Brings a copy across file systems, under another name until it is whole.
fn bring(held: &Held, kept: &Kept, place: &Place, aside: &[u8]) -> Result<(), FilesError> {
    let copy = create(place, aside)?;
    held.each(FILE_BYTES_MAX, |chunk| (&copy).write_all(chunk))?;
    attributes::give(&copy, &kept.attributes, true)?;
    copy.sync_all().map_err(failed("make the copy durable"))?;
    let back = rename((place, aside), (place, &place.name));
    back.map_err(|it| back_failed(it, &kept.file.path))
}

pub(super) fn tidy(
    quarantine: &Path,
    kept: &Kept,
    entry: LedgerId,
    is_kept: bool,
) -> Result<(), FilesError> {
    if let Ok(place) = Place::of(&kept.file.path) {
        let aside = aside(entry);
        if place.stat(&aside)?.is_some() {
            unlinkat(&place.folder, aside.as_slice(), AtFlags::empty())
                .map_err(failed("remove what was left"))?;
            place.sync()?;
        }
    }
    let shelf = shelf(quarantine, entry)?;
    if shelf.stat(&shelf.name)?.is_none() {
        return Ok(());
    }
    if is_kept {
        attributes::disarm(&shelf.open(&shelf.name)?.file)?;
    } else {
        drop_name(&shelf);
    }
    shelf.sync()
}
