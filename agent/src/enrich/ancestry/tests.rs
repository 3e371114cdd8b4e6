//! Cases of `ancestry`, by the sentence that each shows.

use std::time::Duration;

use cordon_shared::{event::process::Process, id::ProcessKey, limit, text::Text, time::Boottime};
use expect_test::{Expect, expect};

use super::{Ancestry, PROCESSES_MAX};

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: u64::from(pid) }
}

fn process(pid: u32, parent: u32) -> Process {
    let exe = Text::from(format!("/bin/{pid}"));
    Process { exe, parent: Some(key(parent)), ..Process::unknown(key(pid)) }
}

#[track_caller]
fn check(tree: &Ancestry, of: &Process, want: &Expect) {
    let chain = tree.ancestors(of);
    let shown: Vec<_> = chain.iter().map(|it| format!("{} {}", it.key.pid, it.exe)).collect();
    want.assert_eq(&shown.join(", "));
}

#[test]
fn the_chain_is_nearest_first_and_ends_with_what_is_known() {
    let mut tree = Ancestry::default();
    tree.launch(process(2, 1));
    tree.launch(process(3, 2));
    check(&tree, &process(4, 3), &expect!["3 /bin/3, 2 /bin/2, 1 "]);
}

#[test]
fn a_child_that_was_forked_has_its_parents_image_and_its_own_name() {
    let mut tree = Ancestry::default();
    tree.launch(process(2, 1));
    tree.fork(key(3), key(2), Boottime::from_ns(0));
    let child = tree.get(key(3)).expect("it was forked");
    assert_eq!((child.parent, child.exe.clone()), (Some(key(2)), Text::from("/bin/2")));
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut tree = Ancestry::default();
    tree.launch(process(2, 1));
    let second = ProcessKey { pid: 2, start_ticks: 99 };
    tree.launch(Process { key: second, ..process(2, 1) });
    assert!(tree.get(key(2)).is_some());
    assert_eq!(tree.newest(2), Some(second));
}

#[test]
fn one_that_ended_is_found_for_a_while_and_then_is_gone() {
    let mut tree = Ancestry::default();
    tree.launch(process(2, 1));
    tree.exit(key(2), Boottime::from_ns(0));
    tree.forget(Boottime::from_ns(0).saturating_add(Duration::from_secs(9)));
    assert!(tree.get(key(2)).is_some());
    tree.forget(Boottime::from_ns(0).saturating_add(Duration::from_secs(10)));
    assert!(tree.get(key(2)).is_none());
    assert_eq!(tree.newest(2), None);
}

#[test]
fn a_ring_of_parents_ends() {
    let mut tree = Ancestry::default();
    tree.launch(process(2, 3));
    tree.launch(process(3, 2));
    check(&tree, &process(2, 3), &expect!["3 /bin/3"]);
}

#[test]
fn the_number_is_bounded_whether_they_end_or_not() {
    let mut tree = Ancestry::default();
    for pid in 1..40_000 {
        tree.launch(process(pid, pid.saturating_sub(1)));
        if pid % 3 == 0 {
            tree.exit(key(pid), Boottime::from_ns(0));
        }
        assert!(tree.count() <= PROCESSES_MAX);
    }
    assert!(tree.ancestors(&process(39_999, 39_998)).len() <= limit::ANCESTRY_MAX);
}
