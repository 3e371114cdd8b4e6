// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Records as they lie in the rings, and the maps' values that user space shares. The twin of
// src/sensor/ebpf/record.rs and src/sensor/ebpf/state.rs: both sides assert the same offsets.
//
// All numbers little endian, as the machine has them. A record begins with `record_head`; what
// follows is as long as it must be, no padding between the variable parts.

#ifndef CORDON_RECORD_H
#define CORDON_RECORD_H

#include "kernel.h"

enum record_kind {
    RECORD_EXEC = 1,
    RECORD_FORK = 2,
    RECORD_EXIT = 3,
    RECORD_SOCKET = 4,
};

// Bounds, the same as in shared::limit: bytes of all arguments together, bytes of a path.
#define ARGV_BYTES_MAX 4096
#define PATH_BYTES_MAX 4096

struct record_head {
    u16 kind;
    u16 flags;
    u32 reserved;
    u64 at_ns; // CLOCK_BOOTTIME
};

// Flags of an exec: a path that goes on towards the root, a file with no place in any mount, and
// arguments that could not be read.
#define EXEC_EXE_CUT 1
#define EXEC_CWD_CUT 2
#define EXEC_EXE_LOOSE 4
#define EXEC_ARGV_LOST 8

// A descriptor that is not open.
#define DESCRIPTOR_CLOSED 0xffffffffu

// Followed by `argv_bytes` of arguments, each ended by a zero byte; `exe_bytes` of the executable's
// path and `cwd_bytes` of the working directory's, each as names from the leaf to the root, each
// name ended by a zero byte.
struct exec_record {
    struct record_head head;
    u64 start_ns; // CLOCK_BOOTTIME
    u64 parent_start_ns;
    u64 capabilities;
    u64 cgroup_id;
    u64 inode;
    u64 size_bytes;
    s64 ctime_s;
    s64 mtime_s;
    u32 ctime_ns;
    u32 mtime_ns;
    u32 device; // as inside the kernel: 12 bits major, 20 bits minor
    u32 mode;
    u32 owner_uid;
    u32 owner_gid;
    u32 links;
    u32 pid;
    u32 parent_pid;
    u32 namespace_pid; // 0 in the initial namespace
    u32 exec_count;
    u32 uid;
    u32 gid;
    u32 euid;
    u32 egid;
    u32 auid;
    u32 session;
    u32 descriptors[3]; // type bits of the mode << 16 | major number of the device
    u32 argv_bytes_cut;
    u16 argv_bytes;
    u16 exe_bytes;
    u16 cwd_bytes;
    u16 reserved;
    char comm[16];
    u32 reserved_too;
};
_Static_assert(sizeof(struct exec_record) == 192, "exec_record is 192 bytes");
_Static_assert(__builtin_offsetof(struct exec_record, ctime_ns) == 80, "ctime_ns");
_Static_assert(__builtin_offsetof(struct exec_record, pid) == 108, "pid");
_Static_assert(__builtin_offsetof(struct exec_record, descriptors) == 148, "descriptors");
_Static_assert(__builtin_offsetof(struct exec_record, argv_bytes) == 164, "argv_bytes");
_Static_assert(__builtin_offsetof(struct exec_record, comm) == 172, "comm");

struct fork_record {
    struct record_head head;
    u64 child_start_ns;
    u64 parent_start_ns;
    u32 child_pid;
    u32 parent_pid;
};
_Static_assert(sizeof(struct fork_record) == 40, "fork_record is 40 bytes");

struct exit_record {
    struct record_head head;
    u64 start_ns;
    u32 pid;
    u32 status; // as wait(2) shows it
};
_Static_assert(sizeof(struct exit_record) == 32, "exit_record is 32 bytes");

enum socket_action {
    SOCKET_CONNECT = 1,
    SOCKET_ACCEPT = 2,
    SOCKET_CLOSE = 3,
    SOCKET_FAIL = 4,
    SOCKET_LISTEN = 5,
};

enum socket_direction {
    DIRECTION_UNKNOWN = 0,
    DIRECTION_INBOUND = 1,
    DIRECTION_OUTBOUND = 2,
};

struct socket_record {
    struct record_head head;
    u64 flow;
    u64 bytes_sent;
    u64 bytes_received;
    u64 duration_ns;
    u64 start_ns; // of the process; 0 when it is not known
    u32 pid;
    u16 local_port;
    u16 remote_port;
    u8 local[16]; // IPv4 in the first four bytes
    u8 remote[16];
    u8 family; // AF_INET or AF_INET6
    u8 action;
    u8 direction;
    u8 reserved[5];
    char comm[16];
};
_Static_assert(sizeof(struct socket_record) == 120, "socket_record is 120 bytes");
_Static_assert(__builtin_offsetof(struct socket_record, pid) == 56, "pid");
_Static_assert(__builtin_offsetof(struct socket_record, local) == 64, "local");
_Static_assert(__builtin_offsetof(struct socket_record, family) == 96, "family");
_Static_assert(__builtin_offsetof(struct socket_record, comm) == 104, "comm");

// What user space tells the programs. `identity` names the object and the settings that it was made
// with; `generation` this making of the maps. The programs record nothing until `is_ready`.
struct config {
    u64 generation;
    u64 identity;
    u64 scope_cgroup_id; // 0: the whole host
    u64 own_start_ticks; // USER_HZ, as /proc shows it
    u32 own_pid;
    u32 scope_level; // of the cgroup, the root's is 0
    u32 is_ready;
    u32 reserved;
};
_Static_assert(sizeof(struct config) == 48, "config is 48 bytes");

// Per CPU: records that found the ring full.
struct drops {
    u64 count;
    u64 last_ns;
};
_Static_assert(sizeof(struct drops) == 16, "drops is 16 bytes");

// User space alone: which drops became an observation that the spool has, and the one that is on its
// way there. Two generations of the agent share it, the drops' counter goes on in between.
struct declared {
    u64 count;
    u64 until_ns;
    u64 pending_offset; // the position that the observation carries; 0 when none is on its way
    u64 pending_count;
    u64 pending_until_ns;
};
_Static_assert(sizeof(struct declared) == 40, "declared is 40 bytes");

#endif
