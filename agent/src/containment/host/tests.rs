//! Trees out of one look.

use expect_test::{Expect, expect};

use super::*;

/// `pid parent group session start`, one process a line.
pub(crate) fn facts(table: &str) -> HostFacts {
    let mut facts = HostFacts { own_pid: 900, ..Default::default() };
    for line in table.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let mut words = line.split_whitespace();
        let mut number = || words.next().and_then(|it| it.parse::<u32>().ok()).unwrap_or(0);
        let (pid, parent, group, session, start) =
            (number(), number(), number(), number(), number());
        let is = |flag| line.contains(flag);
        let state = if is("zombie") {
            State::Gone
        } else if is("stopped") {
            State::Stopped
        } else {
            State::Alive
        };
        let exe = line.rsplit(' ').find(|it| it.starts_with('/')).unwrap_or("");
        let process = Process {
            key: ProcessKey { pid, start_ticks: u64::from(start) },
            parent,
            group,
            session,
            state,
            is_kernel: is("kernel"),
            exe: Text::from(exe),
        };
        facts.processes.insert(pid, process);
    }
    facts
}

/// A shell with children and an orphan; the agent; a kernel thread; a bystander.
pub(crate) const TABLE: &str = "
    1   0   1   1   1 /sbin/init
    2   0   0   0   1 kernel
    40  1   40  40  90 /usr/bin/dash
    41  40  40  40  91 /usr/bin/sleep
    42  41  40  40  92 /usr/bin/sleep
    43  41  43  40  93 zombie
    50  1   40  40  95 /usr/bin/orphan
    51  1   777 777 96 /usr/bin/left
    60  1   60  60  50 /usr/sbin/sshd
    61  60  61  61  51 /usr/bin/bash
    80  1   80  80  55 /usr/bin/dbus-daemon
    900 61  900 61  60 /usr/bin/cordon-agent
";

#[track_caller]
fn check(pid: u32, start: u64, expect: &Expect) {
    let births = facts(TABLE).births(&[ProcessKey { pid, start_ticks: start }]);
    let pids: Vec<_> = births.iter().map(|it| it.pid.to_string()).collect();
    expect.assert_eq(&pids.join(" "));
}

#[test]
fn a_tree_is_children_and_orphans_of_its_group_without_the_dead() {
    check(40, 90, &expect!["41 42 50"]);
    check(41, 91, &expect!["42"]);
    check(60, 50, &expect!["61 900"]);
}

#[test]
fn those_that_are_older_than_a_reused_pid_are_no_children_of_it() {
    check(40, 200, &expect![""]);
}

#[test]
fn ancestors_are_the_chain_of_parents_and_a_ring_ends() {
    let host = facts(TABLE);
    let pids: Vec<_> = host.ancestors(900).iter().map(|it| it.pid).collect();
    assert_eq!(pids, [61, 60, 1]);
    let ring = facts("10 11 10 10 1\n11 10 11 11 1");
    assert_eq!(ring.ancestors(10).len(), 1);
}
