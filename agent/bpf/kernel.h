// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The few kernel structures that the programs read, and the helpers that they call.
//
// Only names and nesting matter: every access through these structures is relocated against the
// running kernel's BTF when the object is loaded (CO-RE), so the real offsets come from there. A
// field that some supported kernel (6.1 and later) lacks is read under `FIELD_EXISTS`. Structures
// whose name ends in `___…` are older or newer shapes of the one before the underscores.
//
// No kfuncs, no trampolines: tracepoints alone, so that the objects load where LSM and fentry
// programs are refused.

#ifndef CORDON_KERNEL_H
#define CORDON_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define NOINLINE static __attribute__((noinline))

// --- Helpers: numbers from include/uapi/linux/bpf.h, `__BPF_FUNC_MAPPER` ---

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
                                         u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_get_current_comm)(void *to, u32 size) = (void *)16;
static u64 (*const bpf_get_socket_cookie)(const void *sk) = (void *)46;
static u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;
static long (*const bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*const bpf_get_current_ancestor_cgroup_id)(s32 level) = (void *)123;
static u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*const bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*const bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;
static void *(*const bpf_get_current_task)(void) = (void *)35;

// --- Maps ---

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_RINGBUF 27

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_F_NO_PREALLOC 1

#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_PROD_POS 3

// Attributes of a BTF-defined map.
#define MAP_UINT(name, number) int(*name)[number]
#define MAP_TYPE(name, type) type *name

// --- CO-RE ---

// Whether the running kernel's structure has the field.
#define FIELD_EXISTS(field) __builtin_preserve_field_info(field, 2)

// Reads a field through a pointer that the verifier knows nothing about; zero when that faults.
#define GET(field)                                                                                 \
    ({                                                                                             \
        __typeof__(field) got;                                                                     \
        __builtin_memset(&got, 0, sizeof(got));                                                    \
        bpf_probe_read_kernel(&got, sizeof(got), &(field));                                        \
        got;                                                                                       \
    })

// Keeps the compiler from undoing a bound that the verifier needs to see.
#define KEEP(value) __asm__ volatile("" : "+r"(value))

// A relocation wants a structure where the kernel has one; what is inside is read as it lies: kuid_t
// and kgid_t, kernel_cap_t (two words until 6.2), atomic_t, atomic64_t.
struct id {
    u32 value;
};

struct capabilities {
    u64 value;
};

struct counter {
    s32 value;
};

struct counter64 {
    u64 value;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

// --- Processes ---

struct qstr {
    union {
        struct {
            u32 hash;
            u32 len;
        };
        u64 hash_len;
    };
    const unsigned char *name;
};

struct super_block {
    u32 s_dev;
};

struct inode {
    u16 i_mode;
    struct id i_uid;
    struct id i_gid;
    struct super_block *i_sb;
    unsigned long i_ino;
    u32 i_nlink;
    u32 i_rdev;
    s64 i_size;
    // 6.11 and later.
    s64 i_mtime_sec;
    s64 i_ctime_sec;
    u32 i_mtime_nsec;
    u32 i_ctime_nsec;
};

struct timespec64 {
    s64 tv_sec;
    long tv_nsec;
};

// 6.6 to 6.10; `__i_mtime` came one release after `__i_ctime`.
struct inode___between {
    struct timespec64 __i_mtime;
    struct timespec64 __i_ctime;
};

// Until 6.5.
struct inode___before {
    struct timespec64 i_mtime;
    struct timespec64 i_ctime;
};

struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
};

struct vfsmount {
    struct dentry *mnt_root;
};

struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
};

struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
    void *private_data;
};

struct fdtable {
    u32 max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct fs_struct {
    struct path pwd;
};

struct mm_struct {
    unsigned long arg_start;
    unsigned long arg_end;
};

struct cred {
    struct id uid;
    struct id gid;
    struct id euid;
    struct id egid;
    struct capabilities cap_effective;
};

struct upid {
    int nr;
};

struct pid {
    u32 level;
    struct upid numbers[1];
};

struct signal_struct {
    struct counter live;
    s32 nr_threads;
    s32 group_exit_code;
    u32 flags;
};

struct task_struct {
    u32 flags;
    struct mm_struct *mm;
    s32 exit_code;
    s32 pid;
    s32 tgid;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    u64 start_boottime;
    struct cred *cred;
    char comm[16];
    struct fs_struct *fs;
    struct files_struct *files;
    struct signal_struct *signal;
    struct id loginuid;
    u32 sessionid;
    u64 parent_exec_id;
    u64 self_exec_id;
};

struct linux_binprm {
    struct file *file;
};

// --- Sockets ---

struct in6_addr {
    u8 bytes[16];
};

struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_dport;
    u16 skc_num;
    u16 skc_family;
    u8 skc_state;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
    struct counter64 skc_cookie;
    unsigned long skc_flags;
};

struct sock {
    struct sock_common __sk_common;
    u16 sk_protocol;
};

struct inet_sock {
    u16 inet_sport;
};

struct tcp_sock {
    u64 bytes_sent;
    u64 bytes_received;
    u64 bytes_retrans;
};

struct socket {
    struct sock *sk;
};

#pragma clang attribute pop

// What a `syscalls/sys_exit_*` tracepoint hands over: its `format` file in tracefs. Not relocated:
// user space relies on it.
struct syscall_exit {
    u64 common;
    s64 number;
    s64 result;
};

#define PF_KTHREAD 0x00200000
// include/linux/sched/signal.h
#define SIGNAL_GROUP_EXIT 0x00000004
// include/uapi/linux/stat.h
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
// include/net/tcp_states.h
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
// include/net/sock.h, enum sock_flags: a FIN was received.
#define SOCK_DONE 1

#endif
