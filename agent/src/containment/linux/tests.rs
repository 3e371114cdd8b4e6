//! On real processes of our own.

use std::process::{Child, Command, Stdio};

use super::*;

/// A child that ends with the test, whatever happens.
struct Held(Child);

impl Held {
    #[expect(clippy::disallowed_methods, reason = "a test starts what it then ends")]
    fn start(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap();
        Self(child)
    }

    fn key(&self) -> ProcessKey {
        let pid = self.0.id();
        ProcessKey { pid, start_ticks: stat(pid).unwrap().unwrap().start_ticks }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_line_of_proc_is_read_after_the_last_parenthesis() {
    let line = b"4711 (a) b) R) S 1 4711 4710 0 -1 4194560 0 0 0 0 1 2 3 4 20 0 1 0 94711 5 6";
    let stat = parse(line).unwrap();
    assert_eq!((stat.parent, stat.group, stat.session), (1, 4711, 4710));
    assert_eq!((stat.start_ticks, stat.state, stat.is_kernel), (94711, State::Alive, false));
    for cut in 0..line.len() - 8 {
        assert_eq!(parse(&line[..cut]), None, "{cut}");
    }
}

#[test]
fn the_host_is_seen_with_ourselves_in_it() {
    let facts = Linux.facts().unwrap();
    let own = &facts.processes[&facts.own_pid];
    assert_eq!(own.state, State::Alive);
    assert!(!own.is_kernel);
    assert!(facts.processes.contains_key(&1));
    assert!(!own.exe.is_empty());
}

#[test]
fn a_process_is_stopped_goes_on_and_ends() {
    let child = Held::start("sleep", &["60"]);
    let key = child.key();
    assert_eq!(Linux.signal(key, Signal::Stop).unwrap(), Hit::Sent);
    while Linux.state(key).unwrap() != State::Stopped {
        assert!(!Linux.wait_gone(key, Duration::from_millis(1)).unwrap());
    }
    assert_eq!(Linux.signal(key, Signal::Continue).unwrap(), Hit::Sent);
    assert_eq!(Linux.signal(key, Signal::Kill).unwrap(), Hit::Sent);
    assert!(Linux.wait_gone(key, Duration::from_secs(10)).unwrap());
    // A zombie of ours: it has ended all the same.
    assert_eq!(Linux.state(key).unwrap(), State::Gone);
}

#[test]
fn f_38_a_reused_pid_is_left_alone() {
    let mut child = Held::start("sleep", &["60"]);
    let key = child.key();
    let other = ProcessKey { start_ticks: key.start_ticks + 1, ..key };
    assert_eq!(Linux.signal(other, Signal::Kill).unwrap(), Hit::Gone);
    assert_eq!(Linux.state(other).unwrap(), State::Gone);
    assert!(Linux.exe_sha256(other).is_err());
    assert!(Linux.wait_gone(other, Duration::ZERO).unwrap());
    assert!(child.0.try_wait().unwrap().is_none(), "it lives");
}

#[test]
fn the_executable_that_runs_is_the_one_that_is_hashed() {
    let child = Held::start("sleep", &["60"]);
    // The child may not have become `sleep` yet: until then it runs what we run.
    let path = fs::canonicalize("/bin/sleep").unwrap();
    let want = Sha256::of(&fs::read(path).unwrap());
    while Linux.exe_sha256(child.key()).unwrap() != want {
        assert!(!Linux.wait_gone(child.key(), Duration::from_millis(1)).unwrap());
    }
}
