//! The kernel programs as a table: which object, which hook, whether the sensor can do without.
//!
//! The objects are built from `agent/bpf/*.bpf.c` by `agent/bpf/build.sh` and committed: a plain
//! `cargo build` needs no C compiler, and the continuous integration rebuilds them and compares
//! every byte. They need Linux 6.1 or later, BTF, and the right to load tracing programs.

/// One object: programs that share a ring.
#[derive(Debug)]
pub struct Object {
    /// The name of its folder of pins, and in messages.
    pub name: &'static str,
    /// The ELF file.
    pub bytes: &'static [u8],
    /// Bytes of its ring: a power of two.
    pub ring_bytes: u32,
    /// Its programs, in the order in which they are attached.
    pub programs: &'static [Program],
}

/// One program.
#[derive(Debug)]
pub struct Program {
    /// Its function in the object.
    pub name: &'static str,
    /// Where it runs.
    pub hook: Hook,
    /// What becomes of the sensor without it.
    pub need: Need,
}

/// Where a program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// A tracepoint by its BTF type: no tracefs, no trampoline.
    BtfTracepoint(&'static str),
    /// A tracepoint of tracefs, category and name. One system call pays for it, not all.
    Tracepoint(&'static str, &'static str),
}

/// What becomes of the sensor without a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// There is no sensor of this tier: the next one is taken.
    Needed,
    /// The sensor works, and says what it does not see.
    Optional(&'static str),
}

/// Launch, fork, exit. The ring takes about 20,000 short lives that nobody reads.
pub const PROCESS: Object = Object {
    name: "process",
    bytes: aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/process.bpf.o")),
    ring_bytes: 8 << 20,
    programs: &[
        Program {
            name: "on_exec",
            hook: Hook::BtfTracepoint("sched_process_exec"),
            need: Need::Needed,
        },
        Program {
            name: "on_fork",
            hook: Hook::BtfTracepoint("sched_process_fork"),
            need: Need::Needed,
        },
        Program {
            name: "on_exit",
            hook: Hook::BtfTracepoint("sched_process_exit"),
            need: Need::Needed,
        },
    ],
};

/// TCP connections. The ring takes about 16,000 connections, begun and ended.
pub const NETWORK: Object = Object {
    name: "network",
    bytes: aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/network.bpf.o")),
    ring_bytes: 4 << 20,
    programs: &[
        Program {
            name: "on_state",
            hook: Hook::BtfTracepoint("inet_sock_set_state"),
            need: Need::Needed,
        },
        Program {
            name: "on_accept4_exit",
            hook: Hook::Tracepoint("syscalls", "sys_exit_accept4"),
            need: Need::Optional("accepted connections are seen when they end, without a process"),
        },
        Program {
            name: "on_accept_exit",
            hook: Hook::Tracepoint("syscalls", "sys_exit_accept"),
            need: Need::Optional("connections accepted by accept(2) are seen when they end"),
        },
    ],
};
