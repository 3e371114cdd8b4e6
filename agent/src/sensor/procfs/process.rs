//! One process as `/proc/PID` shows it.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use cordon_shared::{
    event::process::{Credentials, Process},
    id::ProcessKey,
    limit,
    text::Text,
};

use super::read_capped;

/// `stat`, `status` and `cgroup` are a few hundred bytes; a cgroup path can be long.
const SMALL_FILE_BYTES: usize = 16 << 10;

/// The pids that are there now, in no particular order.
#[must_use]
pub fn pids(root: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let names = entries.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
    names.collect()
}

/// What `/proc/PID/stat` says (proc(5)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Name on this boot.
    pub key: ProcessKey,
    /// The kernel's short name.
    pub comm: Text,
    /// Pid of the parent; 0 for the first processes.
    pub parent_pid: u32,
}

/// Reads `stat`; nothing when the process is gone or the file is not as proc(5) says.
#[must_use]
pub fn stat(root: &Path, pid: u32) -> Option<Stat> {
    let bytes = read_capped(&root.join(pid.to_string()).join("stat"), SMALL_FILE_BYTES).ok()?;
    parse_stat(&bytes)
}

/// `pid (comm) state ppid … starttime(22)`. The name may hold spaces and parentheses, so it ends at
/// the last `)`.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|it| *it == b'(')?;
    let close = bytes.iter().rposition(|it| *it == b')')?;
    let pid = std::str::from_utf8(bytes.get(..open)?).ok()?.trim().parse().ok()?;
    let comm = Text::from(bytes.get(open + 1..close)?);
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    // Field 3 (state) is the first of the rest.
    let mut fields = rest.split_ascii_whitespace();
    let parent_pid = fields.nth(1)?.parse().ok()?;
    let start_ticks = fields.nth(17)?.parse().ok()?;
    Some(Stat { key: ProcessKey { pid, start_ticks }, comm, parent_pid })
}

/// Name of a process on this boot; nothing when it is gone.
#[must_use]
pub fn key(root: &Path, pid: u32) -> Option<ProcessKey> {
    stat(root, pid).map(|it| it.key)
}

/// Path under the cgroup v2 root; empty when there is none to be read.
#[must_use]
pub fn cgroup(root: &Path, pid: u32) -> Text {
    let path = root.join(pid.to_string()).join("cgroup");
    let Ok(bytes) = read_capped(&path, SMALL_FILE_BYTES) else { return Text::EMPTY };
    let mut lines = bytes.split(|it| *it == b'\n');
    lines.find_map(|line| line.strip_prefix(b"0::")).map_or(Text::EMPTY, Text::from)
}

/// Everything that `/proc` says of a process; nothing when it is gone, or became another one while
/// it was read. What we may not read is empty.
#[must_use]
pub fn process(root: &Path, pid: u32) -> Option<(Process, u32)> {
    let before = stat(root, pid)?;
    let folder = root.join(pid.to_string());
    let (argv, argv_bytes_cut) = arguments(&folder);
    let status = read_capped(&folder.join("status"), SMALL_FILE_BYTES).unwrap_or_default();
    let process = Process {
        key: before.key,
        exec_count: 0,
        exe: link(&folder.join("exe")),
        exe_sha256: None,
        argv,
        cwd: link(&folder.join("cwd")),
        credentials: credentials(&folder, &status),
        user: Text::EMPTY,
        cgroup: cgroup(root, pid),
        container: Text::EMPTY,
        parent: key(root, before.parent_pid),
        namespace_pid: namespace_pid(&status, pid),
        comm: before.comm.clone(),
    };
    (stat(root, pid)?.key == before.key).then_some((process, argv_bytes_cut))
}

fn link(path: &Path) -> Text {
    fs::read_link(path).map_or(Text::EMPTY, |it| Text::from(OsStr::as_bytes(it.as_os_str())))
}

/// The arguments within their limits, and how many bytes did not fit.
fn arguments(folder: &Path) -> (Vec<Text>, u32) {
    // One byte more than the limit tells whether there was more; how much more stays unknown
    // beyond the small file's bound.
    let bytes = read_capped(&folder.join("cmdline"), SMALL_FILE_BYTES).unwrap_or_default();
    let kept = bytes.get(..limit::ARGV_BYTES_MAX).unwrap_or(&bytes);
    let cut = bytes.len() - kept.len();
    let kept = kept.strip_suffix(b"\0").unwrap_or(kept);
    if kept.is_empty() {
        return (Vec::new(), 0);
    }
    let argv = kept.split(|it| *it == 0).take(limit::ARGV_COUNT_MAX).map(Text::from);
    (argv.collect(), u32::try_from(cut).unwrap_or(u32::MAX))
}

fn credentials(folder: &Path, status: &[u8]) -> Option<Credentials> {
    let mut uids = field(status, "Uid:")?.split_ascii_whitespace();
    let mut gids = field(status, "Gid:")?.split_ascii_whitespace();
    let number = |name: &str| {
        let bytes = read_capped(&folder.join(name), SMALL_FILE_BYTES).ok()?;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    };
    let capabilities = field(status, "CapEff:")?;
    Some(Credentials {
        uid: uids.next()?.parse().ok()?,
        euid: uids.next()?.parse().ok()?,
        gid: gids.next()?.parse().ok()?,
        egid: gids.next()?.parse().ok()?,
        auid: number("loginuid").unwrap_or(Credentials::UNSET),
        session: number("sessionid").unwrap_or(Credentials::UNSET),
        capabilities: u64::from_str_radix(capabilities.trim(), 16).ok()?,
    })
}

/// The innermost of the pids that `status` lists, when it is not the outermost.
fn namespace_pid(status: &[u8], pid: u32) -> Option<u32> {
    let innermost = field(status, "NSpid:")?.split_ascii_whitespace().last()?.parse().ok()?;
    (innermost != pid).then_some(innermost)
}

/// The rest of the line of `status` that begins with `name`.
fn field<'a>(status: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = status.split(|it| *it == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(name.as_bytes()))?;
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test's own files")]
mod tests {
    use std::{fs, path::Path};

    use cordon_shared::{id::ProcessKey, text::Text};

    use super::{cgroup, parse_stat, pids, process, stat};

    const STAT: &str =
        "4711 (a (b) c) S 4700 4711 4711 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 1 0 987654 0 0";

    fn put(root: &Path, name: &str, contents: &[u8]) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("under the root")).expect("creates");
        fs::write(path, contents).expect("writes");
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read_whole() {
        let stat = parse_stat(STAT.as_bytes()).expect("as in proc(5)");
        assert_eq!(stat.comm, Text::from("a (b) c"));
        assert_eq!(stat.key, ProcessKey { pid: 4711, start_ticks: 987_654 });
        assert_eq!(stat.parent_pid, 4700);
    }

    #[test]
    fn every_cut_of_a_stat_line_is_nothing_or_the_same_process() {
        for cut in 0..STAT.len() {
            if let Some(stat) = parse_stat(&STAT.as_bytes()[..cut]) {
                assert_eq!(stat.key.pid, 4711);
            }
        }
    }

    #[test]
    fn a_process_is_read_with_what_is_readable() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "4711/stat", STAT.as_bytes());
        put(root.path(), "4711/cmdline", b"sh\0-c\0echo \xff\0");
        put(root.path(), "4711/cgroup", b"4:memory:/x\n0::/system.slice/nginx.service\n");
        put(
            root.path(),
            "4711/status",
            b"Name:\tsh\nUid:\t33\t0\t0\t0\nGid:\t33\t33\t33\t33\nNSpid:\t4711\t7\nCapEff:\t00000000000004ff\n",
        );
        let (process, cut) = process(root.path(), 4711).expect("it is there");
        assert_eq!(cut, 0);
        assert_eq!(process.argv.len(), 3);
        assert_eq!(process.argv[2].to_string(), "echo \\xff");
        assert_eq!(process.cgroup, Text::from("/system.slice/nginx.service"));
        assert_eq!(process.namespace_pid, Some(7));
        let credentials = process.credentials.expect("status is readable");
        assert_eq!((credentials.uid, credentials.euid, credentials.capabilities), (33, 0, 0x4ff));
        assert_eq!(process.exe, Text::EMPTY);
        assert_eq!(process.parent, None);
    }

    #[test]
    fn a_process_that_is_gone_is_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(stat(root.path(), 1), None);
        assert_eq!(cgroup(root.path(), 1), Text::EMPTY);
        assert_eq!(pids(root.path()), Vec::<u32>::new());
    }

    #[test]
    fn we_see_ourselves() {
        let own = std::process::id();
        let (process, _) = process(Path::new("/proc"), own).expect("we run");
        assert_eq!(process.key.pid, own);
        assert!(!process.exe.is_empty());
        assert!(pids(Path::new("/proc")).contains(&own));
    }
}
