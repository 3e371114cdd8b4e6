// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// TCP connections, from one BTF tracepoint on every change of a socket's state and two tracepoints
// on the return of accept(2), into one ring.
//
// Most changes of state happen in an interrupt, not in the process that owns the socket. So the
// owner is noted where it is known, in connect(2), listen(2) and accept(2), under the socket's
// cookie, which the kernel never gives out twice in one boot; it is also the flow's name.

#include "lane.h"

struct owner {
    u64 since_ns;
    u64 start_ns;
    u32 pid;
    u8 direction;
    u8 is_ignored; // the agent's own
    u8 reserved[2];
    char comm[16];
};

// Memory as used: 262,144 connections at once are a large proxy's. One more goes without its owner.
struct {
    MAP_UINT(type, BPF_MAP_TYPE_HASH);
    MAP_TYPE(key, u64);
    MAP_TYPE(value, struct owner);
    MAP_UINT(max_entries, 262144);
    MAP_UINT(map_flags, BPF_F_NO_PREALLOC);
} owners SEC(".maps");

// Fills in the current process. Returns 0 when it is out of scope.
INLINE int take_current(struct owner *to, struct config *it)
{
    struct task_struct *task = bpf_get_current_task();
    struct task_struct *leader = GET(task->group_leader);
    to->pid = bpf_get_current_pid_tgid() >> 32;
    to->start_ns = GET(leader->start_boottime);
    to->since_ns = bpf_ktime_get_boot_ns();
    bpf_get_current_comm(to->comm, sizeof(to->comm));
    to->is_ignored = is_own(it, to->pid, to->start_ns);
    return to->is_ignored || is_in_scope(it, to->pid, to->start_ns);
}

INLINE void take_addresses(struct socket_record *to, struct sock *sk)
{
    u16 family = GET(sk->__sk_common.skc_family);
    to->family = family;
    to->local_port = GET(sk->__sk_common.skc_num);
    // At its end the kernel has taken the port from a socket that did not choose it (tcp_set_state);
    // the address that it sent from stays.
    if (!to->local_port) {
        struct inet_sock *inet = (void *)sk;
        to->local_port = __builtin_bswap16(GET(inet->inet_sport));
    }
    to->remote_port = __builtin_bswap16(GET(sk->__sk_common.skc_dport));
    if (family == AF_INET6) {
        bpf_probe_read_kernel(to->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
        bpf_probe_read_kernel(to->remote, 16, &sk->__sk_common.skc_v6_daddr);
    } else {
        bpf_probe_read_kernel(to->local, 4, &sk->__sk_common.skc_rcv_saddr);
        bpf_probe_read_kernel(to->remote, 4, &sk->__sk_common.skc_daddr);
    }
}

INLINE void take_owner(struct socket_record *to, struct owner *owner)
{
    to->pid = owner->pid;
    to->start_ns = owner->start_ns;
    to->direction = owner->direction;
    __builtin_memcpy(to->comm, owner->comm, sizeof(to->comm));
}

// Payload only: a segment sent again counts once, and a FIN is a byte to `bytes_received`.
INLINE void take_bytes(struct socket_record *to, struct sock *sk)
{
    struct tcp_sock *tcp = (void *)sk;
    to->bytes_sent = GET(tcp->bytes_sent) - GET(tcp->bytes_retrans);
    u64 received = GET(tcp->bytes_received);
    u64 fin = GET(sk->__sk_common.skc_flags) >> SOCK_DONE & 1;
    to->bytes_received = received > fin ? received - fin : 0;
}

INLINE void begin(struct socket_record *to, struct sock *sk, u8 action, u64 flow)
{
    to->head.kind = RECORD_SOCKET;
    to->head.at_ns = bpf_ktime_get_boot_ns();
    to->action = action;
    to->flow = flow;
    take_addresses(to, sk);
}

// connect(2), in the caller: notes who asked. The source port is not chosen yet, so the event comes
// with the answer.
INLINE void on_ask(struct sock *sk, struct config *it)
{
    struct owner owner = { .direction = DIRECTION_OUTBOUND };
    if (!take_current(&owner, it))
        return;
    u64 flow = bpf_get_socket_cookie(sk);
    bpf_map_update_elem(&owners, &flow, &owner, BPF_ANY);
}

// listen(2), in the caller.
INLINE void on_listen(struct sock *sk, struct config *it)
{
    struct owner owner = {};
    if (!take_current(&owner, it) || owner.is_ignored)
        return;
    struct socket_record record = {};
    begin(&record, sk, SOCKET_LISTEN, 0);
    take_owner(&record, &owner);
    emit(&record, sizeof(record));
}

// A handshake is through. Of a connection that came in this only makes the cookie: the event comes
// with accept(2), where the owner is known.
INLINE void on_established(struct sock *sk)
{
    u64 flow = bpf_get_socket_cookie(sk);
    struct owner *owner = bpf_map_lookup_elem(&owners, &flow);
    if (!owner || owner->is_ignored)
        return;
    struct socket_record record = {};
    begin(&record, sk, SOCKET_CONNECT, flow);
    take_owner(&record, owner);
    emit(&record, sizeof(record));
}

// The end. A connection without an owner is older than the sensor, or was never accepted: the whole
// host's sensor reports it without an actor, one with a narrower scope cannot tell whose it is.
INLINE void on_end(struct sock *sk, struct config *it, int old)
{
    u64 flow = bpf_get_socket_cookie(sk);
    struct owner *owner = bpf_map_lookup_elem(&owners, &flow);
    int is_ours = owner && !owner->is_ignored;
    int is_older = !owner && !it->scope_cgroup_id && old != TCP_SYN_SENT && old != TCP_SYN_RECV;
    if (is_ours || is_older) {
        struct socket_record record = {};
        begin(&record, sk, old == TCP_SYN_SENT ? SOCKET_FAIL : SOCKET_CLOSE, flow);
        take_bytes(&record, sk);
        if (is_ours) {
            take_owner(&record, owner);
            record.duration_ns = record.head.at_ns - owner->since_ns;
        }
        emit(&record, sizeof(record));
    }
    if (owner)
        bpf_map_delete_elem(&owners, &flow);
}

// match-proto: include/trace/events/sock.h: inet_sock_set_state(struct sock *sk, const int
// oldstate, const int newstate)
SEC("tp_btf/inet_sock_set_state")
int on_state(u64 *context)
{
    struct sock *sk = (void *)context[0];
    int old = (int)context[1];
    int new = (int)context[2];
    if (sk->sk_protocol != IPPROTO_TCP)
        return 0;
    struct config *it = settings();
    if (!it)
        return 0;
    if (new == TCP_SYN_SENT)
        on_ask(sk, it);
    else if (new == TCP_LISTEN)
        on_listen(sk, it);
    else if (new == TCP_ESTABLISHED)
        on_established(sk);
    else if (new == TCP_CLOSE && old != TCP_LISTEN && old != TCP_CLOSE)
        on_end(sk, it, old);
    return 0;
}

// accept(2) and accept4(2) returned a descriptor: notes who took the connection, and says so.
INLINE int on_accept(s64 number)
{
    struct config *it = settings();
    if (!it || number < 0)
        return 0;
    struct owner owner = { .direction = DIRECTION_INBOUND };
    if (!take_current(&owner, it))
        return 0;
    struct task_struct *task = bpf_get_current_task();
    struct files_struct *held = GET(task->files);
    struct fdtable *table = GET(held->fdt);
    if (number >= GET(table->max_fds))
        return 0;
    struct file **files = GET(table->fd);
    struct file *file = 0;
    bpf_probe_read_kernel(&file, sizeof(file), &files[number]);
    struct inode *inode = GET(file->f_inode);
    if ((GET(inode->i_mode) & S_IFMT) != S_IFSOCK)
        return 0;
    struct socket *socket = GET(file->private_data);
    struct sock *sk = GET(socket->sk);
    u16 family = GET(sk->__sk_common.skc_family);
    if ((family != AF_INET && family != AF_INET6) || GET(sk->sk_protocol) != IPPROTO_TCP)
        return 0;
    // 0 when the handshake was before the sensor: then the end will come without an owner.
    u64 flow = GET(sk->__sk_common.skc_cookie).value;
    // Gone already: its end was reported, and an owner noted now would never be removed.
    if (flow && GET(sk->__sk_common.skc_state) != TCP_CLOSE)
        bpf_map_update_elem(&owners, &flow, &owner, BPF_ANY);
    if (owner.is_ignored)
        return 0;
    struct socket_record record = {};
    begin(&record, sk, SOCKET_ACCEPT, flow);
    take_owner(&record, &owner);
    emit(&record, sizeof(record));
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4_exit(struct syscall_exit *context)
{
    return on_accept(context->result);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept_exit(struct syscall_exit *context)
{
    return on_accept(context->result);
}

char LICENSE[] SEC("license") = "GPL";
