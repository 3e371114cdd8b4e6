// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Exec, fork and exit, from three BTF tracepoints, into one ring.
//
// An exec carries what is gone a millisecond later: arguments, working directory, the executable's
// path across mounts and its identity, parent, credentials, descriptors.

#include "lane.h"

// Where an exec's record is put together: too large for the stack. `data` is never filled beyond
// arguments and two paths; the rest is there so that the verifier sees each write stay inside.
#define DATA_BYTES 16384
#define NAME_BYTES_MAX 255
struct scratch {
    struct exec_record record;
    u8 data[DATA_BYTES + NAME_BYTES_MAX + 1];
    u32 used; // of data; in memory, since in a register it makes the verifier's work explode
};
_Static_assert(ARGV_BYTES_MAX + 2 * PATH_BYTES_MAX < DATA_BYTES, "arguments and two paths fit");

struct {
    MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    MAP_TYPE(key, u32);
    MAP_TYPE(value, struct scratch);
    MAP_UINT(max_entries, 1);
} scratch SEC(".maps");

// Two threads that end at the same moment may both look like the last; the first to enter is it.
struct ending {
    u64 start_ns;
    u32 pid;
    u32 reserved;
};

struct {
    MAP_UINT(type, BPF_MAP_TYPE_LRU_HASH);
    MAP_TYPE(key, struct ending);
    MAP_TYPE(value, u32);
    MAP_UINT(max_entries, 1024);
} endings SEC(".maps");

// Steps of a walk, names and mounts together: a deeper path is cut, and says so.
#define STEPS_MAX 72

enum walked { WALKED, WALK_CUT, WALK_LOOSE };

INLINE int append_name(struct scratch *to, u32 from, struct dentry *dentry)
{
    struct qstr name = GET(dentry->d_name);
    u32 size = name.len;
    u32 used = to->used & (DATA_BYTES - 1);
    if (used - from + size + 1 > PATH_BYTES_MAX)
        return -1;
    size &= NAME_BYTES_MAX;
    KEEP(size);
    if (bpf_probe_read_kernel(&to->data[used], size, name.name))
        return -1;
    used += size;
    to->data[used] = 0;
    to->used = used + 1;
    return 0;
}

// Appends the names from `dentry` up to the root of its mount namespace, crossing mounts.
INLINE int walk(struct scratch *to, struct dentry *dentry, struct vfsmount *vfsmount)
{
    u32 from = to->used & (DATA_BYTES - 1);
    struct mount *mount =
        (void *)vfsmount - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);
    struct dentry *top = GET(vfsmount->mnt_root);
    for (int step = 0; step < STEPS_MAX; step++) {
        if (dentry == top) {
            struct mount *parent = GET(mount->mnt_parent);
            if (parent == mount || !parent)
                return WALKED;
            dentry = GET(mount->mnt_mountpoint);
            mount = parent;
            top = GET(mount->mnt.mnt_root);
            continue;
        }
        struct dentry *parent = GET(dentry->d_parent);
        if (append_name(to, from, dentry))
            return WALK_CUT;
        if (parent == dentry)
            return WALK_LOOSE;
        dentry = parent;
    }
    return WALK_CUT;
}

INLINE void take_arguments(struct scratch *to, struct task_struct *task)
{
    struct mm_struct *mm = task->mm;
    unsigned long start = GET(mm->arg_start);
    u64 size = GET(mm->arg_end) - start;
    u32 cut = 0;
    if (size > ARGV_BYTES_MAX) {
        cut = size - ARGV_BYTES_MAX;
        size = ARGV_BYTES_MAX;
    }
    KEEP(size);
    if (size > ARGV_BYTES_MAX)
        return;
    if (bpf_probe_read_user(to->data, size, (void *)start)) {
        to->record.head.flags |= EXEC_ARGV_LOST;
        cut += size;
        size = 0;
    }
    to->record.argv_bytes_cut = cut;
    to->record.argv_bytes = size;
    to->used = size;
}

INLINE void take_times(struct exec_record *to, struct inode *inode)
{
    if (FIELD_EXISTS(inode->i_ctime_sec)) {
        to->ctime_s = GET(inode->i_ctime_sec);
        // From 6.13 on the highest bit says whether somebody asked (I_CTIME_QUERIED).
        to->ctime_ns = GET(inode->i_ctime_nsec) & 0x7fffffff;
        to->mtime_s = GET(inode->i_mtime_sec);
        to->mtime_ns = GET(inode->i_mtime_nsec);
        return;
    }
    struct inode___between *between = (void *)inode;
    struct inode___before *before = (void *)inode;
    struct timespec64 at = {};
    if (FIELD_EXISTS(between->__i_ctime))
        at = GET(between->__i_ctime);
    else if (FIELD_EXISTS(before->i_ctime))
        at = GET(before->i_ctime);
    to->ctime_s = at.tv_sec;
    to->ctime_ns = at.tv_nsec;
    if (FIELD_EXISTS(between->__i_mtime))
        at = GET(between->__i_mtime);
    else if (FIELD_EXISTS(before->i_mtime))
        at = GET(before->i_mtime);
    to->mtime_s = at.tv_sec;
    to->mtime_ns = at.tv_nsec;
}

INLINE void take_executable(struct scratch *to, struct file *file)
{
    struct exec_record *record = &to->record;
    struct inode *inode = GET(file->f_inode);
    struct super_block *super = GET(inode->i_sb);
    record->inode = GET(inode->i_ino);
    record->device = GET(super->s_dev);
    record->size_bytes = GET(inode->i_size);
    record->mode = GET(inode->i_mode);
    record->owner_uid = GET(inode->i_uid).value;
    record->owner_gid = GET(inode->i_gid).value;
    record->links = GET(inode->i_nlink);
    take_times(record, inode);
    u32 from = to->used;
    int walked = walk(to, GET(file->f_path.dentry), GET(file->f_path.mnt));
    record->exe_bytes = to->used - from;
    if (walked == WALK_CUT)
        record->head.flags |= EXEC_EXE_CUT;
    if (walked == WALK_LOOSE)
        record->head.flags |= EXEC_EXE_LOOSE;
}

INLINE void take_directory(struct scratch *to, struct task_struct *task)
{
    struct fs_struct *fs = task->fs;
    u32 from = to->used;
    if (walk(to, GET(fs->pwd.dentry), GET(fs->pwd.mnt)) != WALKED)
        to->record.head.flags |= EXEC_CWD_CUT;
    to->record.cwd_bytes = to->used - from;
}

INLINE void take_credentials(struct exec_record *to, struct task_struct *task)
{
    struct cred *cred = GET(task->cred);
    to->uid = GET(cred->uid).value;
    to->gid = GET(cred->gid).value;
    to->euid = GET(cred->euid).value;
    to->egid = GET(cred->egid).value;
    to->capabilities = GET(cred->cap_effective).value;
    // Absent without CONFIG_AUDIT.
    to->auid = FIELD_EXISTS(task->loginuid) ? GET(task->loginuid).value : (u32)-1;
    to->session = FIELD_EXISTS(task->sessionid) ? GET(task->sessionid) : (u32)-1;
}

INLINE u32 descriptor(struct file **files, u32 number)
{
    struct file *file = 0;
    bpf_probe_read_kernel(&file, sizeof(file), &files[number]);
    if (!file)
        return DESCRIPTOR_CLOSED;
    struct inode *inode = GET(file->f_inode);
    return (u32)(GET(inode->i_mode) & S_IFMT) << 16 | GET(inode->i_rdev) >> 20;
}

INLINE void take_descriptors(struct exec_record *to, struct task_struct *task)
{
    struct files_struct *held = task->files;
    struct fdtable *table = GET(held->fdt);
    struct file **files = GET(table->fd);
    to->descriptors[0] = descriptor(files, 0);
    to->descriptors[1] = descriptor(files, 1);
    to->descriptors[2] = descriptor(files, 2);
}

// The pid in the process's own namespace, where that is not the initial one.
INLINE u32 namespace_pid(struct task_struct *task)
{
    struct pid *pid = GET(task->thread_pid);
    u32 level = GET(pid->level);
    // kernel/pid_namespace.c: MAX_PID_NS_LEVEL
    if (level == 0 || level > 32)
        return 0;
    return GET(pid->numbers[level].nr);
}

// match-proto: include/trace/events/sched.h: sched_process_exec(struct task_struct *p, pid_t
// old_pid, struct linux_binprm *bprm); runs in the process itself, which is its group's leader now.
SEC("tp_btf/sched_process_exec")
int on_exec(u64 *context)
{
    struct task_struct *task = (void *)context[0];
    struct linux_binprm *program = (void *)context[2];
    struct config *it = settings();
    if (!it || !is_in_scope(it, task->tgid, task->start_boottime))
        return 0;
    u32 zero = 0;
    struct scratch *to = bpf_map_lookup_elem(&scratch, &zero);
    if (!to)
        return 0;
    struct exec_record *record = &to->record;
    __builtin_memset(record, 0, sizeof(*record));
    to->used = 0;
    record->head.kind = RECORD_EXEC;
    record->head.at_ns = bpf_ktime_get_boot_ns();
    record->pid = task->tgid;
    record->start_ns = task->start_boottime;
    struct task_struct *parent = task->real_parent;
    struct task_struct *leader = GET(parent->group_leader);
    record->parent_pid = GET(parent->tgid);
    record->parent_start_ns = GET(leader->start_boottime);
    record->namespace_pid = namespace_pid(task);
    // Both are copied at fork, the second from the parent's first; each exec adds one to the first.
    record->exec_count = task->self_exec_id - task->parent_exec_id;
    record->cgroup_id = bpf_get_current_cgroup_id();
    bpf_probe_read_kernel(record->comm, sizeof(record->comm), task->comm);
    take_credentials(record, task);
    take_descriptors(record, task);
    take_arguments(to, task);
    take_executable(to, program->file);
    take_directory(to, task);
    u64 size = to->used & (DATA_BYTES - 1);
    emit(to, sizeof(*record) + size);
    return 0;
}

// match-proto: include/trace/events/sched.h: sched_process_fork(struct task_struct *parent, struct
// task_struct *child); runs in the parent, whose cgroup the child begins in.
SEC("tp_btf/sched_process_fork")
int on_fork(u64 *context)
{
    struct task_struct *current = (void *)context[0];
    struct task_struct *child = (void *)context[1];
    // A thread, or a thread of the kernel.
    if (child->tgid != child->pid || child->flags & PF_KTHREAD)
        return 0;
    struct config *it = settings();
    struct task_struct *own = GET(current->group_leader);
    if (!it || !is_in_scope(it, current->tgid, GET(own->start_boottime)))
        return 0;
    // Not always the current process: see CLONE_PARENT.
    struct task_struct *parent = GET(child->real_parent);
    struct task_struct *leader = GET(parent->group_leader);
    struct fork_record record = {
        .head = { .kind = RECORD_FORK, .at_ns = bpf_ktime_get_boot_ns() },
        .child_start_ns = child->start_boottime,
        .parent_start_ns = GET(leader->start_boottime),
        .child_pid = child->tgid,
        .parent_pid = GET(parent->tgid),
    };
    emit(&record, sizeof(record));
    return 0;
}

// As wait_task_zombie() in kernel/exit.c: the group's code when there is one, else the leader's.
INLINE u32 status_of(struct task_struct *task, struct task_struct *leader)
{
    struct signal_struct *shared = task->signal;
    if (GET(shared->flags) & SIGNAL_GROUP_EXIT)
        return GET(shared->group_exit_code);
    return GET(leader->exit_code);
}

// match-proto: include/trace/events/sched.h: sched_process_exit(struct task_struct *p, …); runs in
// each thread that ends, after it left `signal->live`.
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *context)
{
    struct task_struct *task = (void *)context[0];
    struct signal_struct *shared = task->signal;
    if (task->flags & PF_KTHREAD || GET(shared->live).value != 0)
        return 0;
    struct task_struct *leader = GET(task->group_leader);
    struct config *it = settings();
    struct ending ending = { .start_ns = GET(leader->start_boottime), .pid = task->tgid };
    if (!it || !is_in_scope(it, ending.pid, ending.start_ns))
        return 0;
    u32 one = 1;
    if (GET(shared->nr_threads) > 1
        && bpf_map_update_elem(&endings, &ending, &one, BPF_NOEXIST))
        return 0;
    struct exit_record record = {
        .head = { .kind = RECORD_EXIT, .at_ns = bpf_ktime_get_boot_ns() },
        .start_ns = ending.start_ns,
        .pid = ending.pid,
        .status = status_of(task, leader),
    };
    emit(&record, sizeof(record));
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
