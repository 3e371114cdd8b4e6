//! What the kernel writes into a fanotify group's descriptor (fanotify(7)), as values that borrow it.
//!
//! ```text
//! metadata, 24 bytes                       then information records up to event_len
//!  0  4  event_len                          0  1  type: 1 object, 2 folder and name, 10 old, 12 new
//!  4  1  version = 3                        1  1  padding
//!  5  1  reserved                           2  2  length of the record
//!  6  2  metadata_len                       4  8  file system id
//!  8  8  mask                              12  4  length of the handle
//! 16  4  fd, -1 with handles               16  4  type of the handle
//! 20  4  pid                               20  …  handle, then the name and a zero byte
//! ```
//! All numbers as the host has them.

/// Of the metadata.
const METADATA_BYTES: usize = 24;

/// `FANOTIFY_METADATA_VERSION`.
const VERSION: u8 = 3;

/// Bytes that are not a record of fanotify.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a fanotify record: {0}")]
pub(super) struct RecordError(&'static str);

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Record<'a> {
    /// What happened.
    pub(super) mask: u64,
    /// Who did it; 0 when our pid namespace does not show it.
    pub(super) pid: u32,
    /// The folder and the name in it.
    pub(super) parent: Option<Named<'a>>,
    /// Of a rename: where it was.
    pub(super) old: Option<Named<'a>>,
    /// Of a rename: where it is.
    pub(super) new: Option<Named<'a>>,
}

/// A name in a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Named<'a> {
    /// File system and handle together: what names the folder.
    pub(super) key: &'a [u8],
    /// File system id.
    pub(super) fsid: [u8; 8],
    /// Type of the handle.
    pub(super) handle_type: i32,
    /// The folder's handle.
    pub(super) handle: &'a [u8],
    /// The name, without the zero byte.
    pub(super) name: &'a [u8],
}

/// Takes one record from the front of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), RecordError> {
    let short = || RecordError("it is cut short");
    let (head, _) = bytes.split_first_chunk::<METADATA_BYTES>().ok_or_else(short)?;
    let event_len = number(head, 0).ok_or_else(short)?;
    let metadata_len = u16::from_ne_bytes([head[6], head[7]]);
    if head[4] != VERSION {
        return Err(RecordError("its version is unknown"));
    }
    let event_len = usize::try_from(event_len).map_err(|_error| short())?;
    let metadata_len = usize::from(metadata_len);
    if metadata_len < METADATA_BYTES || event_len < metadata_len {
        return Err(RecordError("its lengths contradict each other"));
    }
    let event = bytes.get(..event_len).ok_or_else(short)?;
    let rest = bytes.get(event_len..).ok_or_else(short)?;

    let (mask, _) = head[8..].split_first_chunk().ok_or_else(short)?;
    let (pid, _) = head[20..].split_first_chunk().ok_or_else(short)?;
    let pid = u32::try_from(i32::from_ne_bytes(*pid)).unwrap_or(0);
    let mut record = Record { mask: u64::from_ne_bytes(*mask), pid, ..Record::default() };
    let mut infos = event.get(metadata_len..).ok_or_else(short)?;
    while !infos.is_empty() {
        let (kind, info, after) = information(infos)?;
        match kind {
            libc::FAN_EVENT_INFO_TYPE_DFID_NAME | libc::FAN_EVENT_INFO_TYPE_DFID => {
                record.parent = Some(named(info)?);
            }
            libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME => record.old = Some(named(info)?),
            libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME => record.new = Some(named(info)?),
            // The object itself, and kinds of later kernels.
            _ => (),
        }
        infos = after;
    }
    Ok((record, rest))
}

/// Type, contents after the header, and what follows.
fn information(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), RecordError> {
    let short = RecordError("an information record is cut short");
    let Some((&[kind, _, low, high], _)) = bytes.split_first_chunk() else { return Err(short) };
    let length = usize::from(u16::from_ne_bytes([low, high]));
    match (bytes.get(4..length), bytes.get(length..)) {
        (Some(contents), Some(after)) => Ok((kind, contents, after)),
        _ => Err(short),
    }
}

fn named(info: &[u8]) -> Result<Named<'_>, RecordError> {
    let short = || RecordError("a handle is cut short");
    let (fsid, _) = info.split_first_chunk::<8>().ok_or_else(short)?;
    let handle_len = number(info, 8).and_then(|it| usize::try_from(it).ok()).ok_or_else(short)?;
    let (handle_type, _) = info.get(12..).and_then(<[u8]>::split_first_chunk).ok_or_else(short)?;
    let end = handle_len.checked_add(16).ok_or_else(short)?;
    let handle = info.get(16..end).ok_or_else(short)?;
    let name = info.get(end..).ok_or_else(short)?;
    let name = name.split(|it| *it == 0).next().unwrap_or_default();
    let key = info.get(..end).ok_or_else(short)?;
    Ok(Named { key, fsid: *fsid, handle_type: i32::from_ne_bytes(*handle_type), handle, name })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let (number, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_ne_bytes(*number))
}

#[cfg(test)]
mod tests;
