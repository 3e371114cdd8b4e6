//! Real trees that fight back, and a host that refuses.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use cordon_shared::{
    command::{
        Command as Signed,
        action::{Action, ProcessTarget},
    },
    digest::Sha256,
    id::BootId,
    test_support::order,
    time::SystemClock,
};
use expect_test::{Expect, expect};

use super::*;
use crate::containment::{
    files::{FileFacts, tests::NoFiles},
    firewall::Opening,
    hold::{Now, book::Book},
    host::{self, HostFacts},
    ledger::Ledger,
    link::{self, tests::Fake},
    linux::Linux,
    plan,
    verify::Times,
};

/// A child in a session of its own, ended with the test, whatever happens.
struct Held(Child);

impl Held {
    #[expect(clippy::disallowed_methods, reason = "a test starts what it then ends")]
    fn shell(script: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().unwrap())
    }

    fn key(&self) -> ProcessKey {
        Linux.facts().unwrap().processes[&self.0.id()].key
    }

    fn wait_for(&self, ready: impl Fn(&[ProcessKey]) -> bool) -> Vec<ProcessKey> {
        let deadline = SystemClock.boottime().saturating_add(Duration::from_secs(10));
        loop {
            let tree = Linux.facts().unwrap().births(&[self.key()]);
            if ready(&tree) {
                return tree;
            }
            assert!(SystemClock.boottime() < deadline, "last seen: {tree:?}");
            assert!(!Linux.wait_gone(self.key(), WAIT).unwrap());
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn run(action: &Action) -> Report {
    let mut command = order::command(action.clone());
    command.preconditions.clear();
    execute(&made(&command), doors(&Linux, &Fake::default()))
}

fn made(command: &Signed) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(folder.path().join("holds")).unwrap();
    let (facts, link) = (Linux.facts().unwrap(), link::tests::facts());
    let (sample, local) = (SystemClock.sample(), SystemClock.now());
    let times = Times { local, collector: None };
    let now = &Now { boot: BootId([1; 16]), sample, times, is_heard: false };
    let ledger = Ledger::open(folder.path().join("ledger")).unwrap();
    let (facts, book, link, ledger) = (&facts, &book, &link, &ledger);
    let (files, persons) = (&FileFacts::default(), 1);
    let ground = plan::Ground { facts, protected: &[], book, link, files, ledger, persons, now };
    plan::plan(command, ground).unwrap()
}

fn doors<'a>(host: &'a dyn Host, link: &'a Fake) -> Doors<'a> {
    Doors { host, link, files: &NoFiles, before: None, clock: &SystemClock, protected: &[] }
}

fn tree(process: ProcessKey) -> ProcessTarget {
    ProcessTarget { process, is_tree: true }
}

#[test]
fn a_tree_that_stands_still_is_gone() {
    let held = Held::shell("sleep 60 & (sleep 61 & sleep 62) & wait");
    let members = held.wait_for(|tree| tree.len() >= 3);
    let report = run(&Action::Kill(tree(held.key())));
    assert_eq!(report.verdict, Verdict::Complete, "{report:?}");
    for it in members {
        assert!(Linux.wait_gone(it, TREE_TIME_MAX).unwrap(), "{it:?}");
    }
}

#[test]
fn f_40_a_tree_that_forks_while_it_is_killed_is_gone() {
    // Two loops, each of which starts short-lived children as fast as a shell can.
    let loops = "while :; do /bin/true; sleep 30 & done";
    let held = Held::shell(&format!("({loops}) & ({loops}) & wait"));
    held.wait_for(|tree| tree.len() >= 20);
    let root = held.key();
    let began = SystemClock.boottime();
    let report = run(&Action::Kill(tree(root)));
    let took = SystemClock.boottime().since(began);
    assert_eq!(report.verdict, Verdict::Complete, "{took:?} {:?}", report.open);
    let left = Linux.facts().unwrap().births(&[root]);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_tree_is_suspended_and_goes_on() {
    let held = Held::shell("sleep 60 & sleep 61 & wait");
    let members = held.wait_for(|tree| tree.len() >= 2);
    let report = run(&Action::Suspend(tree(held.key())));
    assert_eq!(report.verdict, Verdict::Complete, "{report:?}");
    for it in &members {
        assert_eq!(Linux.state(*it).unwrap(), State::Stopped);
    }
    let report = run(&Action::Resume(tree(held.key())));
    assert_eq!(report.verdict, Verdict::Complete, "{report:?}");
    held.wait_for(|tree| tree.iter().all(|it| Linux.state(*it).unwrap() == State::Alive));
}

/// A host with one tree (40, 41, 42, 50 of the table) on which some calls fail.
#[derive(Debug)]
struct Stubborn {
    cannot_stop: u32,
    cannot_kill: u32,
    never_ends: u32,
}

impl Host for Stubborn {
    fn facts(&self) -> Result<HostFacts, HostError> {
        Ok(host::tests::facts(host::tests::TABLE))
    }

    fn state(&self, _process: ProcessKey) -> Result<State, HostError> {
        Ok(State::Alive)
    }

    fn exe_sha256(&self, _process: ProcessKey) -> Result<Sha256, HostError> {
        Ok(Sha256::of(b"another program"))
    }

    fn signal(&self, process: ProcessKey, signal: Signal) -> Result<Hit, HostError> {
        let is_refused = match signal {
            Signal::Stop => process.pid == self.cannot_stop,
            Signal::Kill => process.pid == self.cannot_kill,
            Signal::Continue => false,
        };
        let refused =
            HostError { doing: "signal it", source: io::ErrorKind::PermissionDenied.into() };
        if is_refused { Err(refused) } else { Ok(Hit::Sent) }
    }

    fn wait_gone(&self, process: ProcessKey, _timeout: Duration) -> Result<bool, HostError> {
        Ok(process.pid != self.never_ends && process.pid != self.cannot_kill)
    }
}

#[track_caller]
fn check(host: &Stubborn, steps: &[Step], expect: &Expect) {
    let plan = Plan { steps: steps.to_vec(), open: Vec::new() };
    let report = execute(&plan, doors(host, &Fake::default()));
    let steps: Vec<_> =
        report.steps.iter().map(|it| format!("{}: {}", it.step, it.outcome.as_str())).collect();
    let open = report.open.join(", ");
    expect.assert_eq(&format!("{}, open: {open}\n{}", report.verdict.as_str(), steps.join("\n")));
}

fn process(pid: u32, start_ticks: u64) -> ProcessKey {
    ProcessKey { pid, start_ticks }
}

#[test]
fn a_tree_that_cannot_be_frozen_is_let_go_again() {
    let host = Stubborn { cannot_stop: 41, cannot_kill: 0, never_ends: 0 };
    let (root, child) = (process(40, 90), process(41, 91));
    check(
        &host,
        &[Step::Freeze(root), Step::Freeze(child), Step::Kill(child), Step::Kill(root)],
        &expect![[r#"
            failed, open: 
            freeze 40: done
            freeze 41: failed
            freeze 40: undone
            kill 41: skipped
            kill 40: skipped"#]],
    );
}

#[test]
fn one_that_cannot_be_killed_spares_no_other_and_is_named() {
    let host = Stubborn { cannot_stop: 0, cannot_kill: 41, never_ends: 40 };
    let (root, child) = (process(40, 90), process(41, 91));
    check(
        &host,
        &[Step::Kill(child), Step::Kill(root), Step::ConfirmGone(root)],
        &expect![[r#"
            partial, open: 41 could not be killed, 40 lives
            kill 41: failed
            kill 40: done
            confirm that 40 has ended: failed"#]],
    );
}

#[test]
fn another_executable_is_left_alone() {
    let host = Stubborn { cannot_stop: 0, cannot_kill: 0, never_ends: 0 };
    let (process, sha256) = (process(40, 90), Sha256::of(b"the program that was meant"));
    check(
        &host,
        &[Step::CheckExe { process, sha256 }, Step::Kill(process)],
        &expect![[r#"
            refused, open: 
            check the executable of 40: failed
            kill 40: skipped"#]],
    );
}

/// Isolates a network that is as `change` makes it; with what was done to it, and the report.
fn isolate(
    before: Option<&Ruleset>,
    change: impl FnOnce(&mut link::tests::State),
) -> (Fake, String) {
    let mut command = order::command(Action::Isolate {
        allowed: Vec::new(),
        container: cordon_shared::text::Text::EMPTY,
    });
    (command.preconditions, command.overrides) = (Vec::new(), Vec::new());
    let fake = Fake::default();
    fake.change(|it| it.closed = before.cloned());
    fake.change(change);
    let report = execute(&made(&command), Doors { before, ..doors(&Linux, &fake) });
    let steps = report.steps.iter().map(|it| format!("{} {}", it.outcome.as_str(), it.detail));
    let steps: Vec<_> = steps.map(|it| it.trim().to_owned()).collect();
    let said = format!("{} [{}] {:?}", report.verdict.as_str(), steps.join(", "), report.open);
    let done = fake.done();
    (fake, format!("{done}\n{said}"))
}

#[test]
fn an_isolation_that_nothing_leaks_from_is_complete() {
    let (fake, said) = isolate(None, |_| ());
    expect![[r#"
        close, reach, cut, try
        complete [done, done, done 3 ended, done] []"#]]
    .assert_eq(&said);
    assert!(fake.closed().is_some());
}

#[test]
fn what_leaks_or_cannot_be_ended_is_named_and_partial() {
    let (fake, said) = isolate(None, |it| {
        it.leaks = vec!["DNS to 192.0.2.53".to_owned()];
        it.uncut = 2;
    });
    expect![[r#"
        close, reach, cut, try
        partial [done, done, failed 2 connections could not be ended, failed DNS to 192.0.2.53] ["2 connections could not be ended", "DNS to 192.0.2.53"]"#]].assert_eq(&said);
    assert!(fake.closed().is_some());
    let (_, said) = isolate(None, |it| it.refuses = Some("try"));
    expect![[r#"
        close, reach, cut
        partial [done, done, done 3 ended, failed not tried: failed to change a network that refuses: permission denied] ["not tried: failed to change a network that refuses: permission denied"]"#]].assert_eq(&said);
}

#[test]
fn f_45_a_filter_that_cannot_be_made_is_failed_and_never_isolated() {
    let (fake, said) = isolate(None, |it| it.refuses = Some("close"));
    expect![[r#"

        failed [failed failed to change a network that refuses: permission denied, skipped, skipped, skipped] []"#]].assert_eq(&said);
    assert!(fake.closed().is_none());
}

#[test]
fn a_collector_that_is_not_reached_any_more_takes_the_isolation_back() {
    let (fake, said) = isolate(None, |it| it.is_collector_away = true);
    expect![[r#"
        close, reach, open
        failed [done, failed none of its addresses answers, undone, skipped, skipped] []"#]]
    .assert_eq(&said);
    assert!(fake.closed().is_none());
    let earlier = Ruleset::new(vec![Opening::Loopback]).unwrap();
    let (fake, said) = isolate(Some(&earlier), |it| it.is_collector_away = true);
    expect![[r#"
        close, reach, close
        failed [done, failed none of its addresses answers, undone, skipped, skipped] []"#]]
    .assert_eq(&said);
    assert_eq!(fake.closed(), Some(earlier));
}
