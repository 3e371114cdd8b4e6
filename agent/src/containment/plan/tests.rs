//! The whole policy of plans, as one text.

use std::fmt::Write as _;

use cordon_shared::{
    command::action::{Action, ProcessTarget},
    id::ProcessKey,
    test_support::order,
    text::Text,
};
use expect_test::expect;

use super::{super::host, plan};

fn shown(action: Action) -> String {
    let mut command = order::command(action);
    command.preconditions.clear();
    let facts = host::tests::facts(host::tests::TABLE);
    match plan(&command, &facts, &[Text::from("/usr/bin/dbus-daemon")]) {
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
        plan(&command, &facts, &[Text::from("/usr/sbin/sshd")]).unwrap_err().to_string()
    };
    expect!["the tree of 70 holds 71: on the local policy's list"].assert_eq(&refused(70, 10));
    // In the session of 72, though not its child.
    expect!["the tree of 72 holds 900: the agent"].assert_eq(&refused(72, 12));
}

#[test]
fn every_action_without_a_plan_is_refused_as_unknown() {
    for action in order::actions() {
        let name = action.name();
        if !matches!(name, "kill" | "suspend" | "resume") {
            let want = format!("unknown_action: this agent has no plan for `{name}`");
            assert_eq!(shown(action), want);
        }
    }
}

#[test]
fn a_condition_on_the_executable_comes_first_and_one_that_cannot_be_judged_is_refused() {
    let facts = host::tests::facts("4711 1 4711 4711 94711 /usr/bin/dash");
    let mut command = order::command(Action::Kill(process(4711, 94711, false)));
    let error = plan(&command, &facts, &[]).unwrap_err().to_string();
    expect!["this agent cannot judge a condition on a file"].assert_eq(&error);
    command.preconditions.truncate(1);
    let first = plan(&command, &facts, &[]).unwrap().steps.remove(0).to_string();
    expect!["check the executable of 4711"].assert_eq(&first);
}
