// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What every object of ours has once: a ring, its counters, its configuration; whether a process is
// in scope; how a record gets into the ring. Included once per object.

#ifndef CORDON_LANE_H
#define CORDON_LANE_H

#include "record.h"

// User space sets the size when it loads the object.
struct {
    MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
    MAP_UINT(max_entries, 65536);
} ring SEC(".maps");

struct {
    MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
    MAP_TYPE(key, u32);
    MAP_TYPE(value, struct config);
    MAP_UINT(max_entries, 1);
} config SEC(".maps");

struct {
    MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    MAP_TYPE(key, u32);
    MAP_TYPE(value, struct drops);
    MAP_UINT(max_entries, 1);
} drops SEC(".maps");

// 1: the reader sleeps until it is woken; the next record wakes it and clears this.
struct {
    MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
    MAP_TYPE(key, u32);
    MAP_TYPE(value, u32);
    MAP_UINT(max_entries, 1);
} asleep SEC(".maps");

// User space alone: which drops were declared. Kept here so that it lives as long as the counter.
struct {
    MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
    MAP_TYPE(key, u32);
    MAP_TYPE(value, struct declared);
    MAP_UINT(max_entries, 1);
} declared SEC(".maps");

// A reader that keeps up is woken once per so many bytes: the wakeup is what costs, not the record.
#define WAKE_BYTES 65536

// USER_HZ is 100 (include/uapi/asm-generic/param.h).
#define NS_PER_TICK 10000000

INLINE struct config *settings(void)
{
    u32 zero = 0;
    struct config *it = bpf_map_lookup_elem(&config, &zero);
    return it && it->is_ready ? it : 0;
}

// Whether this is the agent itself, whose own doings would otherwise feed on themselves.
INLINE int is_own(struct config *it, u32 pid, u64 start_ns)
{
    return pid == it->own_pid && start_ns / NS_PER_TICK == it->own_start_ticks;
}

// Whether the current process, of this pid and start, is to be recorded.
INLINE int is_in_scope(struct config *it, u32 pid, u64 start_ns)
{
    if (it->scope_cgroup_id
        && bpf_get_current_ancestor_cgroup_id(it->scope_level) != it->scope_cgroup_id)
        return 0;
    return !is_own(it, pid, start_ns);
}

INLINE u64 wakeup(u64 size)
{
    u32 zero = 0;
    u32 *sleeps = bpf_map_lookup_elem(&asleep, &zero);
    if (sleeps && *sleeps) {
        *sleeps = 0;
        return BPF_RB_FORCE_WAKEUP;
    }
    u64 at = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS) & (WAKE_BYTES - 1);
    return at + size + 8 >= WAKE_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

// Records, or counts that it could not.
INLINE void emit(void *record, u64 size)
{
    if (bpf_ringbuf_output(&ring, record, size, wakeup(size)) == 0)
        return;
    u32 zero = 0;
    struct drops *it = bpf_map_lookup_elem(&drops, &zero);
    if (!it)
        return;
    it->last_ns = bpf_ktime_get_boot_ns();
    // An interrupt may come in between on the network's ring.
    __sync_fetch_and_add(&it->count, 1);
}

#endif
