//! A `/proc` of our own, read twice.
#![expect(clippy::disallowed_methods, reason = "the test's own files")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what should not be there is shown")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use cordon_shared::time::{Boottime, ClockSample, FakeClock, Timestamp};
use expect_test::{Expect, expect};

use super::{PERIOD, Poll};
use crate::sensor::{Fact, Observation, Sensor};

fn put(root: &Path, pid: u32, start_ticks: u64, line: &str) {
    let folder = root.join(pid.to_string());
    fs::create_dir_all(&folder).expect("creates");
    let stat = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start_ticks} 0");
    fs::write(folder.join("stat"), stat).expect("writes");
    fs::write(folder.join("cmdline"), line.replace(' ', "\0")).expect("writes");
}

fn forks(root: &Path, count: u64) {
    fs::write(root.join("stat"), format!("cpu 1 2\nprocesses {count}\n")).expect("writes");
}

fn show(seen: &[Observation]) -> String {
    let mut lines: Vec<_> = seen
        .iter()
        .map(|it| match &it.fact {
            Fact::Launch(launch) => {
                let running = if launch.is_running_at_start { " (ran already)" } else { "" };
                let key = launch.process.key;
                let line = launch.process.command_line();
                format!("launch {}@{} {line}{running}", key.pid, key.start_ticks)
            }
            Fact::Exit(exit) => format!("exit {}@{}", exit.process.pid, exit.process.start_ticks),
            Fact::Loss(loss) => format!("missed at most {}", loss.count),
            other => format!("{other:?}"),
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// Reads, changes, reads again a period later, and shows what the second read saw.
#[track_caller]
fn check(change: impl FnOnce(&Path), expect: &Expect) {
    let root = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FakeClock::at(ClockSample {
        boottime: Boottime::from_ns(1_000_000_000_000),
        realtime: Timestamp::from_ns(0),
    }));
    forks(root.path(), 100);
    put(root.path(), 10, 500, "init");
    put(root.path(), 11, 600, "sleep 1");
    let mut poll = Poll::new(root.path(), Arc::clone(&clock) as _);
    let mut seen = Vec::new();
    poll.sense(Duration::ZERO, &mut seen).expect("reads");
    assert_eq!(
        show(&seen),
        "launch 10@500 init (ran already)\nlaunch 11@600 sleep 1 (ran already)"
    );

    change(root.path());
    clock.advance(PERIOD * 61);
    seen.clear();
    poll.sense(Duration::ZERO, &mut seen).expect("reads");
    expect.assert_eq(&show(&seen));
}

#[test]
fn nothing_new_is_nothing() {
    check(|_| (), &expect![""]);
}

#[test]
fn a_new_process_is_a_launch_and_one_that_went_an_exit() {
    check(
        |root| {
            fs::remove_dir_all(root.join("11")).expect("removes");
            put(root, 12, 700, "sh -c true");
            forks(root, 101);
        },
        &expect![[r#"
            exit 11@600
            launch 12@700 sh -c true"#]],
    );
}

#[test]
fn a_reused_pid_is_an_exit_and_a_launch() {
    check(
        |root| put(root, 11, 900, "sh"),
        &expect![[r#"
            exit 11@600
            launch 11@900 sh"#]],
    );
}

#[test]
fn forks_that_were_never_seen_are_declared() {
    check(|root| forks(root, 150), &expect!["missed at most 50"]);
}

#[test]
fn a_kernel_thread_launched_nothing() {
    check(|root| put(root, 13, 700, ""), &expect![""]);
}
