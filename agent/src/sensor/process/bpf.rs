//! Tier 1 of the process sensor: every exec, fork and exit, with what is gone a moment later.
//!
//! In: records of `bpf/process.bpf.c`. Out: [`Launch`], [`Fork`] and [`Exit`].
//!
//! Known limits. Arguments are read where they lie on the new stack; where that page is not in
//! memory they count as cut. `exec_count` is off for a child made with `CLONE_PARENT`. On file
//! systems that give files device numbers of their own (btrfs subvolumes, overlayfs layers) the
//! device is the file system's, not what stat(2) shows.

use std::sync::Arc;

use cordon_shared::{
    event::{
        file::Identity,
        health,
        process::{Credentials, DescriptorKind, Ending, ExecutableKind, Process},
    },
    id::ProcessKey,
    limit,
    text::Text,
    time::{Boottime, Timestamp},
};

use crate::sensor::{
    Exit, Fact, Fork, Launch, SensorError,
    ebpf::{
        self, Meaning, RingSensor, Start,
        cgroup::Cgroups,
        program,
        record::{self, Exec, Record},
    },
    procfs,
};

/// Opens the sensor: takes over pinned programs, or loads them.
///
/// # Errors
/// [`SensorError`] says which step the host refused: take the next tier.
pub fn open(start: &Start<'_>) -> Result<RingSensor, SensorError> {
    let meaning = Processes { cgroups: Cgroups::open() };
    let loaded = ebpf::load(&program::PROCESS, start)?;
    let kind = health::Sensor::Process;
    RingSensor::open(kind, loaded, Box::new(meaning), start.resume, Arc::clone(&start.clock))
}

/// What the records mean.
#[derive(Debug)]
struct Processes {
    cgroups: Cgroups,
}

impl Meaning for Processes {
    fn fact(&mut self, record: &Record<'_>) -> Option<Fact> {
        match record {
            Record::Exec(it) => {
                let at = Boottime::from_ns(it.at_ns);
                let cgroup = self.cgroups.path(it.cgroup_id, it.pid, at);
                Some(Fact::Launch(Box::new(launch(it, cgroup))))
            }
            Record::Fork(it) => Some(Fact::Fork(Fork {
                child: key(it.child_pid, it.child_start_ns),
                parent: key(it.parent_pid, it.parent_start_ns),
            })),
            Record::Exit(it) => {
                let process = key(it.pid, it.start_ns);
                Some(Fact::Exit(Exit { process, ending: ending(it.status) }))
            }
            Record::Socket(_) => None,
        }
    }
}

fn key(pid: u32, start_ns: u64) -> ProcessKey {
    ProcessKey { pid, start_ticks: Boottime::from_ns(start_ns).as_ticks() }
}

fn launch(exec: &Exec<'_>, cgroup: Text) -> Launch {
    let (argv, argv_bytes_over) = arguments(exec.argv);
    let process = Process {
        key: key(exec.pid, exec.start_ns),
        exec_count: exec.exec_count,
        exe: record::path(exec.exe, exec.flags.is_exe_cut()).into(),
        exe_sha256: None,
        argv,
        cwd: record::path(exec.cwd, exec.flags.is_cwd_cut()).into(),
        credentials: Some(Credentials {
            uid: exec.uid,
            euid: exec.euid,
            gid: exec.gid,
            egid: exec.egid,
            auid: exec.auid,
            session: exec.session,
            capabilities: exec.capabilities,
        }),
        user: Text::EMPTY,
        cgroup,
        container: Text::EMPTY,
        parent: Some(key(exec.parent_pid, exec.parent_start_ns)),
        namespace_pid: (exec.namespace_pid != 0).then_some(exec.namespace_pid),
        comm: exec.comm.into(),
    };
    Launch {
        process,
        exe_file: Some(identity(&exec.file)),
        exe_kind: executable_kind(exec),
        descriptors: Some(exec.descriptors.map(descriptor_kind)),
        argv_bytes_cut: exec.argv_bytes_cut.saturating_add(argv_bytes_over),
        is_running_at_start: false,
    }
}

/// The arguments, and the bytes of those past [`limit::ARGV_COUNT_MAX`].
fn arguments(bytes: &[u8]) -> (Vec<Text>, u32) {
    // The last one has no zero byte when it was cut.
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return (Vec::new(), 0);
    }
    // All of them share one copy.
    let shared = bytes::Bytes::copy_from_slice(bytes);
    let mut argv = Vec::new();
    for argument in shared.split(|it| *it == 0) {
        if argv.len() == limit::ARGV_COUNT_MAX {
            let kept: usize = argv.iter().map(|it: &Text| it.len() + 1).sum();
            return (argv, u32::try_from(bytes.len() - kept).unwrap_or(u32::MAX));
        }
        argv.push(Text::from_bytes(shared.slice_ref(argument)));
    }
    (argv, 0)
}

fn identity(file: &record::File) -> Identity {
    // The kernel's own dev_t: 12 bits and 20 (include/linux/kdev_t.h). stat(2) encodes it otherwise.
    let (major, minor) = (file.device >> 20, file.device & 0xf_ffff);
    Identity {
        device: rustix::fs::makedev(major, minor),
        inode: file.inode,
        ctime: timestamp(file.ctime_s, file.ctime_ns),
        mtime: timestamp(file.mtime_s, file.mtime_ns),
        size_bytes: file.size_bytes,
        mode: file.mode,
        owner_uid: file.owner_uid,
        owner_gid: file.owner_gid,
        links: file.links,
    }
}

fn timestamp(seconds: i64, ns: u32) -> Timestamp {
    Timestamp::from_ns(seconds.saturating_mul(1_000_000_000).saturating_add(ns.into()))
}

fn executable_kind(exec: &Exec<'_>) -> ExecutableKind {
    if exec.flags.is_exe_loose() && exec.exe.starts_with(b"memfd:") {
        ExecutableKind::Memfd
    } else if exec.file.links == 0 {
        ExecutableKind::Deleted
    } else {
        ExecutableKind::File
    }
}

/// From the type bits of a mode (inode(7)) and the device's major number
/// (Documentation/admin-guide/devices.txt).
fn descriptor_kind(packed: u32) -> DescriptorKind {
    const CLOSED: u32 = u32::MAX;
    let (kind, major) = (packed >> 16, packed & 0xffff);
    match kind {
        _any if packed == CLOSED => DescriptorKind::Closed,
        libc::S_IFREG => DescriptorKind::File,
        libc::S_IFDIR => DescriptorKind::Directory,
        libc::S_IFIFO => DescriptorKind::Pipe,
        libc::S_IFSOCK => DescriptorKind::Socket,
        libc::S_IFCHR => procfs::descriptor::character(major),
        libc::S_IFBLK => DescriptorKind::Device,
        _other => DescriptorKind::Other,
    }
}

/// From a status as wait(2) gives it.
fn ending(status: u32) -> Ending {
    let [low, code, ..] = status.to_le_bytes();
    match low & 0x7f {
        0 => Ending::Code(code),
        number => Ending::Signal { number, has_dumped_core: low & 0x80 != 0 },
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::{event::process::Ending, limit};

    use super::{arguments, descriptor_kind, ending};

    #[track_caller]
    fn check_argv(bytes: &[u8], want: &[&str]) {
        let (argv, over) = arguments(bytes);
        let argv: Vec<_> = argv.iter().map(ToString::to_string).collect();
        assert_eq!(
            (argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), over),
            (want, 0)
        );
    }

    #[test]
    fn arguments_end_with_a_zero_byte_and_may_be_empty() {
        check_argv(b"sh\0-c\0\0", &["sh", "-c", ""]);
        check_argv(b"", &[]);
    }

    #[test]
    fn the_last_argument_may_have_been_cut() {
        check_argv(b"sh\0-c\0ec", &["sh", "-c", "ec"]);
    }

    #[test]
    fn bytes_of_arguments_past_the_limit_are_counted() {
        let bytes = b"a\0".repeat(limit::ARGV_COUNT_MAX + 3);
        let (argv, over) = arguments(&bytes);
        assert_eq!((argv.len(), over), (limit::ARGV_COUNT_MAX, 5));
    }

    #[test]
    fn descriptors_are_told_apart_by_mode_and_device() {
        let kinds = [
            (0o100_000 << 16, "file"),
            (0o040_000 << 16, "directory"),
            (0o010_000 << 16, "pipe"),
            (0o140_000 << 16, "socket"),
            (0o020_000 << 16 | 136, "terminal"),
            (0o020_000 << 16 | 1, "device"),
            (0o060_000 << 16 | 8, "device"),
            (0, "other"),
            (u32::MAX, "closed"),
        ];
        for (packed, want) in kinds {
            assert_eq!(descriptor_kind(packed).as_str(), want);
        }
    }

    #[test]
    fn a_status_is_a_code_or_a_signal() {
        assert_eq!(ending(0x0300), Ending::Code(3));
        assert_eq!(ending(9), Ending::Signal { number: 9, has_dumped_core: false });
        assert_eq!(ending(0x8b), Ending::Signal { number: 11, has_dumped_core: true });
    }
}
