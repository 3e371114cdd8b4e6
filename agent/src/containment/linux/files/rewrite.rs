//! A file without a line, and with it again: exchanged in one step with what was written aside.

use std::{io::Write as _, path::Path};

use cordon_shared::{digest::Sha256, id::LedgerId, text::Text};
use rustix::{
    fs::{AtFlags, RenameFlags, renameat_with, unlinkat},
    io::Errno,
};

use super::{
    attributes,
    place::{Place, differs, failed, held},
    take::{aside, create, drop_name, shelf},
};
use crate::containment::{
    files::{FilesError, TEXT_BYTES_MAX, without_line},
    ledger::Kept,
};

pub(super) fn cut(
    quarantine: &Path,
    kept: &Kept,
    line: &Text,
    entry: LedgerId,
) -> Result<(), FilesError> {
    let text = held(&kept.file)?.read(TEXT_BYTES_MAX)?;
    if Sha256::of(&text) != kept.file.sha256 {
        return differs(format!("{} changes while it is read", kept.file.path));
    }
    let (rest, _) = without_line(&text, line.as_bytes());
    let shelf = shelf(quarantine, entry)?;
    let backup = create(&shelf, &shelf.name)?;
    (&backup).write_all(&text).map_err(failed("keep a copy"))?;
    attributes::disarm(&backup)?;
    backup.sync_all().map_err(failed("keep a copy"))?;
    shelf.sync()?;
    let was = (Some((kept.file.device, kept.file.inode)), kept.file.sha256);
    exchange(kept, was, &rest, false, entry).inspect_err(|_| drop_name(&shelf))
}

pub(super) fn uncut(
    quarantine: &Path,
    kept: &Kept,
    after: Sha256,
    entry: LedgerId,
) -> Result<(), FilesError> {
    let shelf = shelf(quarantine, entry)?;
    let text = shelf.open(&shelf.name)?.read(TEXT_BYTES_MAX)?;
    if Sha256::of(&text) != kept.file.sha256 {
        return differs("what the quarantine holds is not what was put there");
    }
    exchange(kept, (None, after), &text, true, entry)?;
    drop_name(&shelf);
    shelf.sync()
}

/// What a file must be to be replaced: device and inode where they are known, and its digest.
type Was = (Option<(u64, u64)>, Sha256);

/// Replaces a file that is still what it was; else leaves it.
fn exchange(
    kept: &Kept,
    was: Was,
    text: &[u8],
    is_as_it_was: bool,
    entry: LedgerId,
) -> Result<(), FilesError> {
    let place = Place::of(&kept.file.path)?;
    let aside = aside(entry);
    let written = write(&place, &aside, kept, text, is_as_it_was);
    let done = written.and_then(|()| swap(&place, &aside, was));
    let gone = unlinkat(&place.folder, aside.as_slice(), AtFlags::empty());
    done?;
    gone.map_err(failed("remove what was replaced"))?;
    place.sync()
}

fn write(
    place: &Place,
    aside: &[u8],
    kept: &Kept,
    text: &[u8],
    is_as_it_was: bool,
) -> Result<(), FilesError> {
    let file = create(place, aside)?;
    (&file).write_all(text).map_err(failed("write the file aside"))?;
    attributes::give(&file, &kept.attributes, is_as_it_was)?;
    file.sync_all().map_err(failed("make the file durable"))
}

/// Afterwards `aside` is what was replaced, or, where it is left, what was written.
fn swap(place: &Place, aside: &[u8], was: Was) -> Result<(), FilesError> {
    let trade = || {
        let (folder, name) = (&place.folder, place.name.as_slice());
        renameat_with(folder, aside, folder, name, RenameFlags::EXCHANGE)
    };
    is_still(place, &place.name, was)?;
    match trade() {
        Ok(()) => is_still(place, aside, was).inspect_err(|_| {
            // It changed between the two looks: what others wrote stays.
            let _traded_back = trade();
        }),
        // A file system that cannot exchange; the first look has to do.
        Err(Errno::INVAL | Errno::NOSYS) => {
            let copy = [aside, b"~"].concat();
            let folder = &place.folder;
            let linked =
                rustix::fs::linkat(folder, aside, folder, copy.as_slice(), AtFlags::empty());
            linked.map_err(failed("replace the file"))?;
            let done = rustix::fs::renameat(folder, copy.as_slice(), folder, place.name.as_slice());
            done.map_err(failed("replace the file"))
        }
        Err(Errno::NOENT) => differs("the file is gone"),
        Err(error) => Err(failed("replace the file")(error)),
    }
}

fn is_still(place: &Place, name: &[u8], (inode, sha256): Was) -> Result<(), FilesError> {
    let held = place.open(name)?;
    let is_inode = inode.is_none_or(|it| it == (held.device, held.inode));
    if is_inode && held.digest()? == sha256 {
        return Ok(());
    }
    differs("the file has changed meanwhile")
}
