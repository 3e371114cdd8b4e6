use std::time::Duration;

use rustix::process::geteuid;

use super::{Launch, degraded};
use crate::{cgroup::Cgroup, wait};

const SOON: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Launch {
    Launch::new("shell", "/bin/sh").args(["-c", script])
}

#[test]
fn output_and_code_of_a_run_are_returned() {
    let output = shell("echo out; echo err >&2; exit 4").run(SOON).unwrap();
    assert_eq!((output.code(), &*output.stdout, &*output.stderr), (4, "out\n", "err\n"));
    let said = output.expect_success().unwrap_err().to_string();
    assert_eq!(said, "`shell` ended with 4: out\nerr\n");
}

#[test]
fn a_run_that_takes_too_long_is_killed_and_says_what_it_said() {
    let error = shell("echo begun; exec sleep 1000").run(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.to_string(), "it said: begun\n");
}

#[test]
fn a_killed_process_starts_again_with_the_same_log() {
    let logs = tempfile::tempdir().unwrap();
    let mut child = shell("echo begun; exec sleep 1000").start(logs.path()).unwrap();
    let begun = |times: usize| {
        let what = format!("it has begun {times} times");
        wait::until(&what, SOON, || {
            let log = child.log().unwrap_or_default();
            if log.lines().count() == times { Ok(()) } else { Err(log) }
        })
    };
    begun(1).unwrap();
    let first = child.pid();
    child.kill_and_start().unwrap();
    let log = || child.log().unwrap().lines().count();
    wait::until_so("it has begun twice", SOON, || log() == 2).unwrap();
    assert_ne!(child.pid(), first);
}

#[test]
fn a_stopped_process_says_how_it_ended() {
    let logs = tempfile::tempdir().unwrap();
    let mut child = shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done")
        .start(logs.path())
        .unwrap();
    wait::until_so("it is ready", SOON, || child.log().is_ok_and(|it| it == "ready\n")).unwrap();
    assert_eq!(child.stop(SOON).unwrap().code(), Some(3));
}

#[test]
fn a_dropped_child_does_not_outlive_its_test() {
    let logs = tempfile::tempdir().unwrap();
    let child = shell("exec sleep 1000").start(logs.path()).unwrap();
    let at = format!("/proc/{}", child.pid());
    drop(child);
    assert!(!std::path::Path::new(&at).try_exists().unwrap());
}

#[test]
fn a_limit_holds_before_the_first_instruction() {
    let output = shell("ulimit -n").limited('n', 77).run(SOON).unwrap();
    assert_eq!(output.stdout, "77\n");
}

#[test]
fn cpu_time_of_a_process_grows_with_its_work() {
    let logs = tempfile::tempdir().unwrap();
    let child = shell("while :; do :; done").start(logs.path()).unwrap();
    wait::until("it has worked 20 ms", SOON, || match child.cpu_ns() {
        Ok(ns) if ns >= 20_000_000 => Ok(()),
        Ok(ns) => Err(format!("{ns} ns")),
        Err(error) => Err(error.to_string()),
    })
    .unwrap();
}

mod privileged {
    use super::{Cgroup, SOON, degraded, geteuid, shell};

    #[test]
    fn a_process_runs_as_another_user() {
        if !geteuid().is_root() {
            return degraded("another user is not shown", "not root");
        }
        let output = shell("id -u; id -G").as_user(65_534).run(SOON).unwrap();
        assert_eq!(output.stdout, "65534\n65534\n");
    }

    #[test]
    fn a_process_begins_in_its_cgroup() {
        if let Some(why) = Cgroup::unavailable() {
            return degraded("a process in a cgroup is not shown", why);
        }
        let cgroup = Cgroup::new(&format!("child-{}", std::process::id())).unwrap();
        let output = shell("grep ^0: /proc/self/cgroup").in_cgroup(&cgroup).run(SOON).unwrap();
        assert_eq!(output.stdout, format!("0::{}\n", cgroup.path()));
    }
}
