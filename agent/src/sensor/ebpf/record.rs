//! Records of the kernel programs: bytes to typed records. Never panics, allocates nothing.
//!
//! In: one record as it lay in a ring. Out: a [`Record`] that borrows from it, or what is wrong with
//! it. The twin of `bpf/record.h`; the tests write each field where the C side's assertions say that
//! it lies.
//!
//! ```text
//! head    kind u16 · flags u16 · 4 reserved · boottime ns u64                     16 bytes
//! exec    head · 156 of numbers · 3 lengths u16 · 2 reserved · comm 16 · 4 reserved  192 bytes,
//!         then arguments, names of the executable's path, names of the directory's
//! fork    head · starts of child and parent u64 · pids of child and parent u32    40 bytes
//! exit    head · start u64 · pid u32 · wait status u32                            32 bytes
//! socket  head · 5 numbers u64 · pid u32 · 2 ports u16 · 2 addresses of 16
//!         · family, action, direction u8 · 5 reserved · comm 16                  120 bytes
//! ```
//! Little endian. A path is names from the leaf to the root, each ended by a zero byte.

mod rest;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use self::rest::Rest;

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// A process executed a file.
    Exec(Exec<'a>),
    /// A process came to be.
    Fork(Fork),
    /// The last thread of a process ended.
    Exit(Exit),
    /// A TCP connection or listener.
    Socket(Socket<'a>),
}

impl Record<'_> {
    /// When it happened: `CLOCK_BOOTTIME` in nanoseconds.
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        match self {
            Self::Exec(it) => it.at_ns,
            Self::Fork(it) => it.at_ns,
            Self::Exit(it) => it.at_ns,
            Self::Socket(it) => it.at_ns,
        }
    }
}

/// A process after its exec. Fields as in `struct exec_record`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is described where the kernel's side writes it, in record.h")]
pub struct Exec<'a> {
    pub at_ns: u64,
    pub flags: ExecFlags,
    pub start_ns: u64,
    pub parent_start_ns: u64,
    pub capabilities: u64,
    pub cgroup_id: u64,
    pub file: File,
    pub pid: u32,
    pub parent_pid: u32,
    pub namespace_pid: u32,
    pub exec_count: u32,
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    pub auid: u32,
    pub session: u32,
    pub descriptors: [u32; 3],
    pub argv_bytes_cut: u32,
    pub comm: &'a [u8],
    pub argv: &'a [u8],
    pub exe: &'a [u8],
    pub cwd: &'a [u8],
}

/// What is special about an exec: the `EXEC_…` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecFlags(u16);

impl ExecFlags {
    /// The executable's path goes on towards the root.
    #[must_use]
    pub fn is_exe_cut(self) -> bool {
        self.0 & 1 != 0
    }

    /// The directory's path goes on towards the root, or leads to none.
    #[must_use]
    pub fn is_cwd_cut(self) -> bool {
        self.0 & 2 != 0
    }

    /// The executable has no place in any mount: a memfd.
    #[must_use]
    pub fn is_exe_loose(self) -> bool {
        self.0 & 4 != 0
    }
}

/// The executed file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is described where the kernel's side writes it, in record.h")]
pub struct File {
    pub inode: u64,
    pub size_bytes: u64,
    pub ctime_s: i64,
    pub mtime_s: i64,
    pub ctime_ns: u32,
    pub mtime_ns: u32,
    pub device: u32,
    pub mode: u32,
    pub owner_uid: u32,
    pub owner_gid: u32,
    pub links: u32,
}

/// A process came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is described where the kernel's side writes it, in record.h")]
pub struct Fork {
    pub at_ns: u64,
    pub child_start_ns: u64,
    pub parent_start_ns: u64,
    pub child_pid: u32,
    pub parent_pid: u32,
}

/// A process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is described where the kernel's side writes it, in record.h")]
pub struct Exit {
    pub at_ns: u64,
    pub start_ns: u64,
    pub pid: u32,
    pub status: u32,
}

/// What became of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketAction {
    /// It asked and got a connection.
    Connect,
    /// It was given one by accept(2).
    Accept,
    /// Its connection ended.
    Close,
    /// It asked and got none.
    Fail,
    /// It listens.
    Listen,
}

/// Who asked for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketDirection {
    /// Not seen.
    Unknown,
    /// The remote side.
    Inbound,
    /// The local side.
    Outbound,
}

/// A TCP connection or listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is described where the kernel's side writes it, in record.h")]
pub struct Socket<'a> {
    pub at_ns: u64,
    pub flow: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub duration_ns: u64,
    pub start_ns: u64,
    pub pid: u32,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub action: SocketAction,
    pub direction: SocketDirection,
    pub comm: &'a [u8],
}

/// Why bytes are not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// It ends too early.
    #[error("record ends too early")]
    Short,
    /// Something follows it.
    #[error("record is followed by {0} bytes")]
    Long(usize),
    /// No program of ours writes this kind.
    #[error("record kind {0} is unknown")]
    Kind(u16),
    /// A field has a value that no program of ours writes.
    #[error("record field `{0}` is out of range")]
    Field(&'static str),
}

/// Reads one record, the whole of `bytes`.
///
/// # Errors
/// [`RecordError`]: the bytes are not a record of this build's programs. Count it and go on.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
    let mut rest = Rest(bytes);
    let kind = rest.u16()?;
    let flags = rest.u16()?;
    rest.skip::<4>()?;
    let at_ns = rest.u64()?;
    let record = match kind {
        1 => Record::Exec(exec(&mut rest, at_ns, ExecFlags(flags))?),
        2 => Record::Fork(Fork {
            at_ns,
            child_start_ns: rest.u64()?,
            parent_start_ns: rest.u64()?,
            child_pid: rest.u32()?,
            parent_pid: rest.u32()?,
        }),
        3 => Record::Exit(Exit {
            at_ns,
            start_ns: rest.u64()?,
            pid: rest.u32()?,
            status: rest.u32()?,
        }),
        4 => Record::Socket(socket(&mut rest, at_ns)?),
        other => return Err(RecordError::Kind(other)),
    };
    match rest.0.len() {
        0 => Ok(record),
        more => Err(RecordError::Long(more)),
    }
}

/// When a record happened, whatever else it says: the head is the same in every version.
#[must_use]
pub fn head_at_ns(bytes: &[u8]) -> Option<u64> {
    let at_ns = bytes.get(8..)?.first_chunk()?;
    Some(u64::from_le_bytes(*at_ns))
}

/// Joins a path of a record, given as names from the leaf to the root: absolute, unless `is_cut`
/// says that it goes on towards the root.
#[must_use]
pub fn path(names: &[u8], is_cut: bool) -> Vec<u8> {
    let names = names.strip_suffix(&[0]).unwrap_or(names);
    let mut joined = Vec::with_capacity(names.len() + 1);
    if names.is_empty() {
        if !is_cut {
            joined.push(b'/');
        }
        return joined;
    }
    for (index, name) in names.rsplit(|it| *it == 0).enumerate() {
        if index > 0 || !is_cut {
            joined.push(b'/');
        }
        joined.extend_from_slice(name);
    }
    joined
}

/// The bytes before the first zero.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|it| *it == 0).next().unwrap_or(bytes)
}

fn exec<'a>(rest: &mut Rest<'a>, at_ns: u64, flags: ExecFlags) -> Result<Exec<'a>, RecordError> {
    let start_ns = rest.u64()?;
    let parent_start_ns = rest.u64()?;
    let capabilities = rest.u64()?;
    let cgroup_id = rest.u64()?;
    let file = file(rest)?;
    let pid = rest.u32()?;
    let parent_pid = rest.u32()?;
    let namespace_pid = rest.u32()?;
    let exec_count = rest.u32()?;
    let [uid, gid, euid, egid] = [rest.u32()?, rest.u32()?, rest.u32()?, rest.u32()?];
    let [auid, session] = [rest.u32()?, rest.u32()?];
    let descriptors = [rest.u32()?, rest.u32()?, rest.u32()?];
    let argv_bytes_cut = rest.u32()?;
    let [argv, exe, cwd] = [rest.u16()?, rest.u16()?, rest.u16()?];
    rest.skip::<2>()?;
    let comm = text(rest.take(16)?);
    rest.skip::<4>()?;
    Ok(Exec {
        at_ns,
        flags,
        start_ns,
        parent_start_ns,
        capabilities,
        cgroup_id,
        file,
        pid,
        parent_pid,
        namespace_pid,
        exec_count,
        uid,
        gid,
        euid,
        egid,
        auid,
        session,
        descriptors,
        argv_bytes_cut,
        comm,
        argv: rest.take(argv.into())?,
        exe: rest.take(exe.into())?,
        cwd: rest.take(cwd.into())?,
    })
}

fn file(rest: &mut Rest<'_>) -> Result<File, RecordError> {
    Ok(File {
        inode: rest.u64()?,
        size_bytes: rest.u64()?,
        ctime_s: rest.u64()?.cast_signed(),
        mtime_s: rest.u64()?.cast_signed(),
        ctime_ns: rest.u32()?,
        mtime_ns: rest.u32()?,
        device: rest.u32()?,
        mode: rest.u32()?,
        owner_uid: rest.u32()?,
        owner_gid: rest.u32()?,
        links: rest.u32()?,
    })
}

fn socket<'a>(rest: &mut Rest<'a>, at_ns: u64) -> Result<Socket<'a>, RecordError> {
    let flow = rest.u64()?;
    let bytes_sent = rest.u64()?;
    let bytes_received = rest.u64()?;
    let duration_ns = rest.u64()?;
    let start_ns = rest.u64()?;
    let pid = rest.u32()?;
    let local_port = rest.u16()?;
    let remote_port = rest.u16()?;
    let local = rest.array::<16>()?;
    let remote = rest.array::<16>()?;
    let [family, action, direction] = rest.array()?;
    rest.skip::<5>()?;
    let comm = text(rest.take(16)?);
    let action = match action {
        1 => SocketAction::Connect,
        2 => SocketAction::Accept,
        3 => SocketAction::Close,
        4 => SocketAction::Fail,
        5 => SocketAction::Listen,
        _other => return Err(RecordError::Field("action")),
    };
    let direction = match direction {
        0 => SocketDirection::Unknown,
        1 => SocketDirection::Inbound,
        2 => SocketDirection::Outbound,
        _other => return Err(RecordError::Field("direction")),
    };
    let local = SocketAddr::new(address(family, local)?, local_port);
    let remote = SocketAddr::new(address(family, remote)?, remote_port);
    Ok(Socket {
        at_ns,
        flow,
        bytes_sent,
        bytes_received,
        duration_ns,
        start_ns,
        pid,
        local,
        remote,
        action,
        direction,
        comm,
    })
}

/// An address of either family; IPv4 inside IPv6 (RFC 4291 section 2.5.5.2) becomes IPv4.
fn address(family: u8, bytes: [u8; 16]) -> Result<IpAddr, RecordError> {
    let [a, b, c, d, ..] = bytes;
    match i32::from(family) {
        libc::AF_INET => Ok(Ipv4Addr::new(a, b, c, d).into()),
        libc::AF_INET6 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        _other => Err(RecordError::Field("family")),
    }
}

#[cfg(test)]
mod tests;
