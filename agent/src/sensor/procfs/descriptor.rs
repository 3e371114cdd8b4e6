//! Where the first three descriptors of a process lead to.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use cordon_shared::event::process::DescriptorKind;

/// Majors of terminals (Documentation/admin-guide/devices.txt): tty, console, serial lines, pseudo
/// terminals, USB and hypervisor consoles.
const TERMINALS: [u32; 13] = [4, 5, 136, 137, 138, 139, 140, 141, 142, 143, 188, 204, 229];

/// What a character device is.
pub(in crate::sensor) fn character(major: u32) -> DescriptorKind {
    if TERMINALS.contains(&major) { DescriptorKind::Terminal } else { DescriptorKind::Device }
}

/// Descriptors 0 to 2 as they are now; nothing when the process is gone, or another user's.
#[must_use]
pub fn standard(root: &Path, pid: u32) -> Option<[DescriptorKind; 3]> {
    let folder = root.join(pid.to_string()).join("fd");
    let one = |number: &str| match fs::metadata(folder.join(number)) {
        Ok(metadata) => Some(of(&metadata)),
        // Not open, if the folder itself may be read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder.read_dir().ok().map(|_is_there| DescriptorKind::Closed)
        }
        Err(_) => None,
    };
    Some([one("0")?, one("1")?, one("2")?])
}

fn of(metadata: &fs::Metadata) -> DescriptorKind {
    let kind = metadata.file_type();
    if kind.is_file() {
        DescriptorKind::File
    } else if kind.is_dir() {
        DescriptorKind::Directory
    } else if kind.is_fifo() {
        DescriptorKind::Pipe
    } else if kind.is_socket() {
        DescriptorKind::Socket
    } else if kind.is_char_device() {
        character(rustix::fs::major(metadata.rdev()))
    } else if kind.is_block_device() {
        DescriptorKind::Device
    } else {
        DescriptorKind::Other
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::unix::{fs::symlink, net::UnixListener},
        path::Path,
    };

    use super::{DescriptorKind, standard};

    #[test]
    fn descriptors_are_told_apart_by_what_they_lead_to() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("7/fd");
        std::fs::create_dir_all(&folder).unwrap();
        let (file, socket) = (root.path().join("file"), root.path().join("socket"));
        File::create(&file).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        for (number, target) in [("0", &*socket), ("1", &*file), ("2", Path::new("/dev/null"))] {
            symlink(target, folder.join(number)).unwrap();
        }
        let seen = standard(root.path(), 7);
        assert_eq!(
            seen,
            Some([DescriptorKind::Socket, DescriptorKind::File, DescriptorKind::Device])
        );
        std::fs::remove_file(folder.join("1")).unwrap();
        assert_eq!(standard(root.path(), 7).map(|it| it[1]), Some(DescriptorKind::Closed));
        assert_eq!(standard(root.path(), 8), None);
    }
}
