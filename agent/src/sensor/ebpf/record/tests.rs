//! Each field is written where `bpf/record.h` asserts that it lies.

use expect_test::{Expect, expect};
use proptest::prelude::{any, proptest};

use super::{Record, RecordError, decode, path};

/// Bytes with fields at offsets.
struct Draft(Vec<u8>);

impl Draft {
    fn new(kind: u16, size: usize) -> Self {
        Self(vec![0; size]).put(0, &kind.to_le_bytes()).put(8, &7_u64.to_le_bytes())
    }

    fn put(mut self, offset: usize, field: &[u8]) -> Self {
        self.0[offset..offset + field.len()].copy_from_slice(field);
        self
    }

    fn u64(self, offset: usize, number: u64) -> Self {
        self.put(offset, &number.to_le_bytes())
    }

    fn u32(self, offset: usize, number: u32) -> Self {
        self.put(offset, &number.to_le_bytes())
    }

    fn u16(self, offset: usize, number: u16) -> Self {
        self.put(offset, &number.to_le_bytes())
    }

    fn then(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

fn exec() -> Vec<u8> {
    let fixed = Draft::new(1, 192)
        .u16(2, 5)
        .u64(16, 16)
        .u64(24, 24)
        .u64(32, 32)
        .u64(40, 40)
        .u64(48, 48)
        .u64(56, 56)
        .u64(64, 64)
        .u64(72, 72);
    let offsets = (80_u32..164).step_by(4);
    let fixed =
        offsets.fold(fixed, |it, offset| it.u32(usize::try_from(offset).expect("small"), offset));
    let fixed = fixed.u16(164, 7).u16(166, 9).u16(168, 5).put(172, b"sh\0left over");
    fixed.then(b"sh\0-c\0\0").then(b"sh\0bin\0us").then(b"tmp\0x").0
}

fn socket() -> Vec<u8> {
    Draft::new(4, 120)
        .u64(16, 16)
        .u64(24, 24)
        .u64(32, 32)
        .u64(40, 40)
        .u64(48, 48)
        .u32(56, 56)
        .u16(60, 60)
        .u16(62, 62)
        .put(64, &[10, 0, 0, 1])
        .put(80, &[10, 0, 0, 2])
        .put(96, &[2, 3, 1])
        .put(104, b"nc")
        .0
}

fn fork() -> Vec<u8> {
    Draft::new(2, 40).u64(16, 16).u64(24, 24).u32(32, 32).u32(36, 36).0
}

fn exit() -> Vec<u8> {
    Draft::new(3, 32).u64(16, 16).u32(24, 24).u32(28, 0x86).0
}

#[track_caller]
fn check(bytes: &[u8], want: &Expect) {
    want.assert_eq(&match decode(bytes) {
        Ok(record) => format!("{record:?}"),
        Err(error) => error.to_string(),
    });
}

#[test]
fn an_exec_reads_each_field_at_its_offset() {
    check(
        &exec(),
        &expect![[
            r#"Exec(Exec { at_ns: 7, flags: ExecFlags(5), start_ns: 16, parent_start_ns: 24, capabilities: 32, cgroup_id: 40, file: File { inode: 48, size_bytes: 56, ctime_s: 64, mtime_s: 72, ctime_ns: 80, mtime_ns: 84, device: 88, mode: 92, owner_uid: 96, owner_gid: 100, links: 104 }, pid: 108, parent_pid: 112, namespace_pid: 116, exec_count: 120, uid: 124, gid: 128, euid: 132, egid: 136, auid: 140, session: 144, descriptors: [148, 152, 156], argv_bytes_cut: 160, comm: [115, 104], argv: [115, 104, 0, 45, 99, 0, 0], exe: [115, 104, 0, 98, 105, 110, 0, 117, 115], cwd: [116, 109, 112, 0, 120] })"#
        ]],
    );
}

#[test]
fn a_fork_and_an_exit_read_each_field_at_its_offset() {
    check(
        &fork(),
        &expect![[
            r#"Fork(Fork { at_ns: 7, child_start_ns: 16, parent_start_ns: 24, child_pid: 32, parent_pid: 36 })"#
        ]],
    );
    check(&exit(), &expect![[r#"Exit(Exit { at_ns: 7, start_ns: 16, pid: 24, status: 134 })"#]]);
}

#[test]
fn a_socket_reads_each_field_at_its_offset() {
    check(
        &socket(),
        &expect![[
            r#"Socket(Socket { at_ns: 7, flow: 16, bytes_sent: 24, bytes_received: 32, duration_ns: 40, start_ns: 48, pid: 56, local: 10.0.0.1:60, remote: 10.0.0.2:62, action: Close, direction: Inbound, comm: [110, 99] })"#
        ]],
    );
}

#[test]
fn ipv4_inside_ipv6_is_ipv4() {
    let mut bytes = socket();
    bytes[64..80].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]);
    bytes[80..96].copy_from_slice(&[0; 16]);
    bytes[95] = 1;
    bytes[96] = 10;
    let Ok(Record::Socket(it)) = decode(&bytes) else { panic!("a socket") };
    assert_eq!(
        (it.local.to_string(), it.remote.to_string()),
        ("127.0.0.1:60".into(), "[::1]:62".into())
    );
}

#[test]
fn every_cut_is_an_error() {
    for whole in [exec(), fork(), exit(), socket()] {
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Err(RecordError::Short), "cut at {cut}");
        }
    }
}

#[test]
fn what_no_program_writes_is_refused() {
    check(&Draft::new(9, 40).0, &expect!["record kind 9 is unknown"]);
    check(&Draft(fork()).then(b"xy").0, &expect!["record is followed by 2 bytes"]);
    check(&Draft(socket()).put(96, &[3]).0, &expect!["record field `family` is out of range"]);
    check(&Draft(socket()).put(97, &[9]).0, &expect!["record field `action` is out of range"]);
    check(&Draft(socket()).put(98, &[9]).0, &expect!["record field `direction` is out of range"]);
}

#[track_caller]
fn check_path(names: &str, is_cut: bool, want: &str) {
    assert_eq!(String::from_utf8_lossy(&path(names.as_bytes(), is_cut)), want);
}

#[test]
fn a_path_is_turned_round() {
    check_path("true\0bin\0usr\0", false, "/usr/bin/true");
    check_path("", false, "/");
    check_path("a\0", false, "/a");
}

#[test]
fn a_cut_path_begins_without_a_slash() {
    check_path("c\0b\0a\0", true, "a/b/c");
    check_path("", true, "");
}

/// Decodes whatever it is; the parts of what was taken for an exec are all of it.
fn holds_together(bytes: &[u8]) {
    if let Ok(Record::Exec(it)) = decode(bytes) {
        assert_eq!(192 + it.argv.len() + it.exe.len() + it.cwd.len(), bytes.len());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        holds_together(&bytes);
    }

    #[test]
    fn no_bytes_behind_a_good_kind_make_it_panic(kind in 1_u16..5, mut bytes: Vec<u8>) {
        bytes.splice(0..0, kind.to_le_bytes());
        holds_together(&bytes);
    }

    #[test]
    fn a_path_has_as_many_slashes_as_names(names in any::<Vec<[u8; 3]>>()) {
        let zeroed: Vec<u8> = names.iter().flat_map(|it| [it[0] | 1, it[1] | 1, it[2] | 1, 0]).collect();
        let joined = path(&zeroed, false);
        assert_eq!(joined.len(), (names.len() * 4).max(1));
    }
}
