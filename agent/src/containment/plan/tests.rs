//! The whole policy of plans, as one text.

use std::fmt::Write as _;

use cordon_shared::{
    command::action::{Action, ProcessTarget},
    id::{BootId, CommandId, ProcessKey},
    test_support::order,
    text::Text,
    time::{Boottime, ClockSample},
};
use expect_test::expect;

use super::{
    super::{
        hold::{Hold, Holds, Now, book::Book},
        host,
        link::{self, LinkFacts},
        verify::Times,
    },
    *,
};

pub(super) fn now() -> Now {
    let sample = ClockSample { realtime: order::NOW, boottime: Boottime::from_ns(1) };
    let times = Times { local: order::NOW, collector: None };
    Now { boot: BootId([1; 16]), sample, times, is_heard: false }
}

/// A host that these commands hold isolated.
pub(super) fn book(holders: &[CommandId]) -> Book {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::open(folder.path().join("holds")).unwrap();
    let mut holds = Holds::default();
    for it in holders {
        let command = order::command(Action::Kill(process(1, 1, false)));
        holds.add(*it, Hold::of(&command, &[], &now())).unwrap();
    }
    book.put(holds, &[]).unwrap();
    book
}

fn made(command: &Command, facts: &HostFacts, protected: &[Text]) -> Result<Plan, PlanError> {
    let (book, link, now) = (book(&[]), link::tests::facts(), now());
    let (files, ledger) = (&FileFacts::default(), &ledger(Vec::new()));
    let (book, link, now) = (&book, &link, &now);
    let persons = 1;
    plan(command, Ground { facts, protected, book, link, files, ledger, persons, now })
}

/// A ledger that holds these entries.
pub(in crate::containment) fn ledger(entries: Vec<Entry>) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path().join("ledger")).unwrap();
    ledger.begin(entries).unwrap();
    ledger
}

fn shown(action: Action) -> String {
    let mut command = order::command(action);
    command.preconditions.clear();
    let facts = host::tests::facts(host::tests::TABLE);
    match made(&command, &facts, &[Text::from("/usr/bin/dbus-daemon")]) {
        Ok(plan) => {
            let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
            let open: String = plan.open.iter().map(|it| format!("; open: {it}")).collect();
            steps.join(", ") + &open
        }
        Err(error) => format!("{}: {error}", error.refusal.as_str()),
    }
}

fn process(pid: u32, start_ticks: u64, is_tree: bool) -> ProcessTarget {
    ProcessTarget { process: ProcessKey { pid, start_ticks }, is_tree }
}

#[test]
fn ct_2_the_table_of_plans_for_processes() {
    let mut table = String::new();
    let mut row = |what: &str, action| writeln!(table, "{what}\n  {}", shown(action)).unwrap();
    row("kill one", Action::Kill(process(40, 90, false)));
    row("kill tree", Action::Kill(process(40, 90, true)));
    row("kill one that has ended", Action::Kill(process(777, 1, false)));
    row("kill a tree whose root has ended", Action::Kill(process(777, 1, true)));
    row("kill a zombie", Action::Kill(process(43, 93, false)));
    row("kill a reused pid", Action::Kill(process(40, 89, true)));
    row("kill the first process", Action::Kill(process(1, 1, false)));
    row("kill the kernel", Action::Kill(process(2, 1, false)));
    row("kill the agent", Action::Kill(process(900, 60, false)));
    row("kill an ancestor of the agent", Action::Kill(process(61, 51, false)));
    row("kill what the policy lists", Action::Kill(process(80, 55, false)));
    row("suspend one", Action::Suspend(process(40, 90, false)));
    row("suspend tree", Action::Suspend(process(40, 90, true)));
    row("suspend one that has ended", Action::Suspend(process(777, 1, true)));
    row("suspend the agent", Action::Suspend(process(900, 60, false)));
    row("resume one", Action::Resume(process(42, 92, false)));
    row("resume tree", Action::Resume(process(40, 90, true)));
    expect![[r#"
        kill one
          kill 40, confirm that 40 has ended
        kill tree
          freeze 40, freeze 41, freeze 42, freeze 50, freeze what 40 gives birth to, kill what 40 gave birth to, kill 50, kill 42, kill 41, kill 40, confirm that 40 has ended
        kill one that has ended
          confirm that 777 has ended
        kill a tree whose root has ended
          freeze 51, freeze what 777 gives birth to, kill what 777 gave birth to, kill 51, confirm that 777 has ended; open: 777 had ended: children that left its session cannot be found
        kill a zombie
          confirm that 43 has ended
        kill a reused pid
          identity_mismatch: pid 40 is another process by now
        kill the first process
          protected: 1 is the first process
        kill the kernel
          protected: 2 is a thread of the kernel
        kill the agent
          protected: 900 is the agent
        kill an ancestor of the agent
          protected: 61 is an ancestor of the agent
        kill what the policy lists
          protected: 80 is on the local policy's list
        suspend one
          freeze 40, confirm that 40 has stopped
        suspend tree
          freeze 40, freeze 41, freeze 42, freeze 50, freeze what 40 gives birth to, confirm that 40 has stopped
        suspend one that has ended
          confirm that 777 has ended
        suspend the agent
          protected: 900 is the agent
        resume one
          thaw 42
        resume tree
          thaw 50, thaw 42, thaw 41, thaw 40
    "#]]
    .assert_eq(&table);
}

#[test]
fn ct_2_a_tree_that_holds_the_agent_is_refused_as_a_whole() {
    let facts = host::tests::facts(
        "1 0 1 1 1 /sbin/init
         70 1 70 70 10 /usr/bin/shell
         71 70 71 71 11 /usr/sbin/sshd
         72 1 72 72 12 /usr/bin/other
         900 1 72 72 13 /usr/bin/cordon-agent",
    );
    let refused = |pid, start| {
        let command = order::command(Action::Kill(process(pid, start, true)));
        made(&command, &facts, &[Text::from("/usr/sbin/sshd")]).unwrap_err().to_string()
    };
    expect!["the tree of 70 holds 71: on the local policy's list"].assert_eq(&refused(70, 10));
    // In the session of 72, though not its child.
    expect!["the tree of 72 holds 900: the agent"].assert_eq(&refused(72, 12));
}

#[test]
fn every_action_without_a_plan_is_refused_as_unknown() {
    for action in order::actions() {
        let name = action.name();
        let planned = ["kill", "suspend", "resume", "isolate", "release", "renew", "snapshot"];
        let on_files = ["quarantine", "restore", "remove", "undo", "sweep"];
        if !planned.contains(&name) && !on_files.contains(&name) {
            let want = format!("unknown_action: this agent has no plan for `{name}`");
            assert_eq!(shown(action), want);
        }
    }
}

#[test]
fn a_triage_is_planned_and_what_is_not_there_yet_is_refused_by_its_name() {
    use cordon_shared::command::action::SnapshotProfile::{Full, Memory, Triage};

    let of = |profile, bytes_max| {
        shown(Action::Snapshot { profile, processes: vec![order::PROCESS], bytes_max })
    };
    let table = [of(Triage, 1 << 30), of(Triage, 0), of(Memory, 1 << 30), of(Full, 1 << 30)];
    expect![[r#"
        take agent.json, processes.jsonl, open_files.jsonl, maps.jsonl, sockets.jsonl, network.txt, sessions.jsonl, mounts.txt, modules.txt, bpf.jsonl, executable.1.bin, recent_files.jsonl, cron.jsonl, units.jsonl, startup.jsonl, authorized_keys.jsonl, users.txt
        bad_input: a snapshot takes 1048576 bytes or more
        unknown_action: this agent takes no snapshot of profile `memory` yet
        unknown_action: this agent takes no snapshot of profile `full` yet"#]].assert_eq(&table.join("\n"));
}

#[test]
fn a_condition_on_the_executable_comes_first_and_one_that_does_not_hold_is_refused() {
    let facts = host::tests::facts("4711 1 4711 4711 94711 /usr/bin/dash");
    let mut command = order::command(Action::Kill(process(4711, 94711, false)));
    let error = made(&command, &facts, &[]).unwrap_err().to_string();
    expect!["/bin/dash is not the file that was meant"].assert_eq(&error);
    command.preconditions.truncate(1);
    let first = made(&command, &facts, &[]).unwrap().steps.remove(0).to_string();
    expect!["check the executable of 4711"].assert_eq(&first);
}

/// The plan on a host that these commands hold isolated.
fn on_network(action: Action, holders: &[CommandId], link: &LinkFacts) -> String {
    let mut command = order::command(action);
    (command.preconditions, command.overrides) = (Vec::new(), Vec::new());
    let (facts, book, now) = (HostFacts::default(), book(holders), now());
    let (files, ledger) = (&FileFacts::default(), &ledger(Vec::new()));
    let (facts, book, now, persons) = (&facts, &book, &now, 1);
    let ground = Ground { facts, protected: &[], book, link, files, ledger, persons, now };
    match plan(&command, ground) {
        Ok(plan) => {
            let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
            let open: String = plan.open.iter().map(|it| format!("\n    open: {it}")).collect();
            steps.join("\n    ") + &open
        }
        Err(error) => format!("{}: {error}", error.refusal.as_str()),
    }
}

#[test]
fn the_table_of_plans_for_the_network() {
    let network = |address: &str, prefix_bits| {
        let address = address.parse().unwrap();
        cordon_shared::command::action::Network { address, prefix_bits }
    };
    let isolate =
        |allowed, container: &str| Action::Isolate { allowed, container: Text::from(container) };
    let (one, other) = (CommandId::from_slice(&[1; 16]), CommandId::from_slice(&[2; 16]));
    let (one, other) = (one.unwrap(), other.unwrap());
    let well = link::tests::facts;
    let mut table = String::new();
    let mut row = |what: &str, action: Action, holders: &[CommandId], link: LinkFacts| {
        writeln!(table, "{what}\n    {}", on_network(action, holders, &link)).unwrap();
    };
    let allowed = vec![network("10.1.0.0", 16)];
    row("isolate", isolate(allowed.clone(), ""), &[], well());
    row("isolate a host that is held already", isolate(allowed, ""), &[one], well());
    let far_ends = vec!["192.0.2.9:3128".parse().unwrap()];
    let proxied = LinkFacts { far_ends, is_proxied: true, ..well() };
    row("isolate behind a proxy", isolate(Vec::new(), ""), &[], proxied);
    let shared = LinkFacts { cgroup: None, ..well() };
    row("isolate without a cgroup of one's own", isolate(Vec::new(), ""), &[], shared);
    let remote = LinkFacts { is_root_remote: true, ..well() };
    row("isolate a host whose root is remote", isolate(Vec::new(), ""), &[], remote);
    let shared = LinkFacts { is_shared: true, ..well() };
    row("isolate one cgroup of many", isolate(Vec::new(), ""), &[], shared);
    row("isolate a container", isolate(Vec::new(), "c0ffee"), &[], well());
    row("release the last hold", Action::Release { hold: one }, &[one], well());
    row("release one of two", Action::Release { hold: one }, &[one, other], well());
    row("release what is not held", Action::Release { hold: other }, &[one], well());
    expect![[r#"
        isolate
            close the network but for loopback, neighbour discovery, 192.0.2.7:7443 over TCP, the agent alone, 192.0.2.7:7444 over TCP, the agent alone, DHCP with 192.0.2.1, 10.1.0.0/16
            confirm that the collector is reached
            end open connections
            confirm that nothing else gets out
        isolate a host that is held already
            close the network but for loopback, neighbour discovery, 192.0.2.7:7443 over TCP, the agent alone, 192.0.2.7:7444 over TCP, the agent alone, DHCP with 192.0.2.1
            confirm that the collector is reached
            end open connections
            confirm that nothing else gets out
        isolate behind a proxy
            close the network but for loopback, neighbour discovery, 192.0.2.9:3128 over TCP, the agent alone, DHCP with 192.0.2.1
            confirm that the collector is reached
            end open connections
            confirm that nothing else gets out
            open: the proxy 192.0.2.9:3128, and all that it reaches
        isolate without a cgroup of one's own
            close the network but for loopback, neighbour discovery, 192.0.2.7:7443 over TCP, 192.0.2.7:7444 over TCP, DHCP with 192.0.2.1
            confirm that the collector is reached
            end open connections
            confirm that nothing else gets out
            open: the collector's ports, to every process: the agent has no cgroup of its own
        isolate a host whose root is remote
            protected: the root file system comes over the network: isolation would stop the host, and is done only when the command says so
        isolate one cgroup of many
            protected: this agent answers for one cgroup, whose network is the whole host's
        isolate a container
            unknown_action: this agent isolates its host, not one container
        release the last hold
            open the network
        release one of two
            close the network but for loopback, neighbour discovery, 192.0.2.7:7443 over TCP, the agent alone, 192.0.2.7:7444 over TCP, the agent alone, DHCP with 192.0.2.1
        release what is not held
            bad_input: no hold of command 02020202-0202-0202-0202-020202020202 is in force here
    "#]].assert_eq(&table);
}
