//! The programs in a real kernel. They need root, BTF and a cgroup v2 hierarchy; without, each says
//! so in one line and passes. Everything they make is their own and is removed: a cgroup, pins.

#![expect(clippy::disallowed_methods, reason = "tests start programs")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one kind among many")]

mod network;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    entropy::SystemEntropy,
    event::{
        health::LossCause,
        process::{DescriptorKind, Ending, ExecutableKind},
    },
    time::{Clock, SystemClock},
};

use super::{RingSensor, Start, pins};
use crate::sensor::{
    Fact, Launch, Observation, Outcome, Position, Sensor, process,
    scope::{self, Scope},
};

/// The longest that anything here may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cgroup and a folder of pins that end with the test.
struct Stage {
    cgroup: PathBuf,
    scope: Scope,
    pins: PathBuf,
}

impl Stage {
    /// `None` after saying why, on a host or for a user that cannot have one.
    fn set(test: &str) -> Option<Self> {
        let skip = |what: &str| {
            println!("skipped: {test} needs {what}");
            None
        };
        if !rustix::process::geteuid().is_root() {
            return skip("root");
        }
        if !fs::exists("/sys/kernel/btf/vmlinux").is_ok_and(|it| it) {
            return skip("root and a kernel with BTF");
        }
        let Ok(root) = scope::v2_root("/proc".as_ref()) else {
            return skip("root and a cgroup v2 hierarchy");
        };
        let name = format!("cordon-test-{}-{test}", std::process::id());
        let cgroup = root.join(&name);
        fs::create_dir(&cgroup).expect("make a cgroup");
        let scope = Scope::cgroup(&format!("/{name}")).expect("the cgroup is there");
        let pins = pins::folder(&name).expect("the BPF file system can be mounted");
        Some(Self { cgroup, scope, pins })
    }

    fn start(&self) -> Start<'_> {
        Start {
            scope: &self.scope,
            pins: Some(&self.pins),
            resume: None,
            ring_bytes: None,
            clock: Arc::new(SystemClock),
            entropy: &SystemEntropy,
        }
    }

    fn open(&self, resume: Option<Position>) -> RingSensor {
        process::bpf::open(&Start { resume, ..self.start() })
            .expect("the kernel takes the programs")
    }

    /// A shell in the cgroup runs `script`, in `/tmp`, to its end. Only what it does after it moved
    /// itself is within the scope.
    fn run(&self, script: &str) -> u32 {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(self.joining(script)).stdin(Stdio::null());
        let mut shell = self.spawn(&mut command);
        let pid = shell.id();
        assert!(shell.wait().expect("it was started").success(), "the script failed");
        pid
    }

    fn joining(&self, script: &str) -> String {
        format!("echo $$ > {}/cgroup.procs && {script}", self.cgroup.display())
    }

    fn spawn(&self, command: &mut Command) -> Child {
        command.current_dir("/tmp").spawn().expect("it can be started")
    }

    /// Launches `/bin/true` with each number of the range as its argument.
    fn launch(&self, from: u32, until: u32) -> u32 {
        self.run(&format!("i={from}; while [ $i -lt {until} ]; do /bin/true $i; i=$((i+1)); done"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        pins::remove(&self.pins).expect("remove the pins");
        fs::remove_dir(&self.cgroup).expect("nobody is left in the cgroup");
    }
}

/// Senses until `is_enough`, without saying that anything is in the spool.
fn sense(sensor: &mut RingSensor, is_enough: impl Fn(&[Observation]) -> bool) -> Vec<Observation> {
    let clock = SystemClock;
    let deadline = clock.boottime().saturating_add(PATIENCE);
    let mut seen = Vec::new();
    while !is_enough(&seen) {
        let last = seen.last().map(|it: &Observation| &it.fact);
        assert!(clock.boottime() < deadline, "too long; {} seen, last {last:?}", seen.len());
        sensor.sense(Duration::from_millis(100), &mut seen).expect("the ring is read");
    }
    seen
}

/// Senses until nothing is left.
fn drain(sensor: &mut RingSensor) -> Vec<Observation> {
    let mut seen = Vec::new();
    while sensor.sense(Duration::ZERO, &mut seen).expect("the ring is read") == Outcome::Data {}
    seen
}

fn launches(seen: &[Observation]) -> impl Iterator<Item = &Launch> {
    seen.iter().filter_map(|it| match &it.fact {
        Fact::Launch(launch) => Some(launch.as_ref()),
        _other => None,
    })
}

/// How often each number was launched.
fn numbers(seen: &[Observation]) -> BTreeMap<u32, u32> {
    let mut numbers = BTreeMap::new();
    for launch in launches(seen) {
        let number = launch.process.argv.get(1).expect("it has an argument").to_string();
        *numbers.entry(number.parse().expect("a number")).or_insert(0) += 1;
    }
    numbers
}

fn once(from: u32, until: u32) -> BTreeMap<u32, u32> {
    (from..until).map(|it| (it, 1)).collect()
}

/// Whether the shell `pid` has ended, which it does last.
fn ended(seen: &[Observation], pid: u32) -> bool {
    seen.iter().any(|it| matches!(&it.fact, Fact::Exit(exit) if exit.process.pid == pid))
}

#[test]
fn every_short_life_is_seen_once_and_whole() {
    let Some(stage) = Stage::set("short_lives") else { return };
    let mut sensor = stage.open(None);
    let shell = stage.launch(0, 1_000);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(0, 1_000));
    let (mut forks, mut exits) = (0, 0);
    for it in &seen {
        match &it.fact {
            Fact::Fork(fork) => {
                assert_eq!(fork.parent.pid, shell);
                forks += 1;
            }
            Fact::Exit(exit) => {
                assert_eq!(exit.ending, Ending::Code(0));
                exits += 1;
            }
            Fact::Launch(it) => {
                assert_eq!(it.process.argv[0].to_string(), "/bin/true");
                assert_eq!(it.process.exec_count, 1);
                assert_eq!(it.process.parent.map(|it| it.pid), Some(shell));
                assert_eq!(it.process.cwd.to_string(), "/tmp");
                assert_eq!(it.process.comm.to_string(), "true");
                assert!(
                    stage.scope.covers(it.process.cgroup.as_bytes()),
                    "{:?}",
                    it.process.cgroup
                );
                assert_eq!(it.exe_kind, ExecutableKind::File);
                assert_eq!(it.descriptors.map(|it| it[0]), Some(DescriptorKind::Device));
            }
            other => panic!("nothing else happened, but {other:?}"),
        }
    }
    assert_eq!((forks, exits), (1_000, 1_001));
    let first = launches(&seen).next().expect("there are a thousand");
    let real = fs::canonicalize("/bin/true").expect("it was run");
    assert_eq!(first.process.exe.as_bytes(), real.as_os_str().as_encoded_bytes());
    let found = rustix::fs::stat(&real).expect("it is there");
    let file = first.exe_file.expect("the tier knows it");
    assert_eq!((file.inode, file.device, file.mode), (found.st_ino, found.st_dev, found.st_mode));
    let stat_ctime =
        found.st_ctime * 1_000_000_000 + i64::try_from(found.st_ctime_nsec).expect("small");
    assert_eq!(file.ctime.as_ns(), stat_ctime);
}

#[test]
fn a_process_has_the_key_that_proc_shows() {
    let Some(stage) = Stage::set("key") else { return };
    let mut sensor = stage.open(None);
    let mut shell = stage.spawn(
        Command::new("/bin/sh").arg("-c").arg(stage.joining("exec /bin/cat")).stdin(Stdio::piped()),
    );
    let pid = shell.id();
    let seen = sense(&mut sensor, |seen| launches(seen).count() == 1);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it waits for its input");
    let start = stat.rsplit_once(") ").and_then(|it| it.1.split(' ').nth(19)).expect("field 22");
    shell.kill().expect("it is ours");
    shell.wait().expect("it was started");
    let launch = launches(&seen).next().expect("one was counted");
    assert_eq!(
        (launch.process.key.pid, launch.process.key.start_ticks.to_string()),
        (pid, start.to_owned())
    );
    assert_eq!(launch.process.exec_count, 2, "the shell's own exec was the first");
    let seen = sense(&mut sensor, |seen| ended(seen, pid));
    let ending = seen.iter().find_map(|it| match &it.fact {
        Fact::Exit(exit) => Some(exit.ending),
        _other => None,
    });
    assert_eq!(ending, Some(Ending::Signal { number: 9, has_dumped_core: false }));
}

#[test]
fn an_executable_that_is_gone_is_told_from_a_file() {
    let Some(stage) = Stage::set("deleted") else { return };
    let mut sensor = stage.open(None);
    let script =
        "cp /bin/sleep /tmp/$$.gone && exec 3</tmp/$$.gone && rm /tmp/$$.gone && /dev/fd/3 0";
    let shell = stage.run(script);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    let kinds: Vec<_> =
        launches(&seen).map(|it| (it.process.comm.to_string(), it.exe_kind)).collect();
    assert!(kinds.contains(&("cp".to_owned(), ExecutableKind::File)), "{kinds:?}");
    assert!(kinds.iter().any(|it| it.1 == ExecutableKind::Deleted), "{kinds:?}");
}

#[test]
fn long_arguments_are_cut_and_the_cut_is_counted() {
    let Some(stage) = Stage::set("long") else { return };
    let mut sensor = stage.open(None);
    let shell = stage.run(&format!("/bin/true {}", "x".repeat(5_000)));
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    let launch = launches(&seen).next().expect("one was launched");
    let kept: usize = launch.process.argv.iter().map(|it| it.len() + 1).sum();
    // The last one has no zero byte: it was cut.
    assert_eq!((kept, launch.argv_bytes_cut), (4_097, 10 + 5_001 - 4_096));
}

#[test]
fn what_the_spool_does_not_have_is_read_again_after_a_restart() {
    let Some(stage) = Stage::set("restart") else { return };
    let mut sensor = stage.open(None);
    let shell = stage.launch(0, 300);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(0, 300));
    drop(sensor);

    // Nobody reads meanwhile. Nothing was committed: all of it comes again, with the rest.
    let shell = stage.launch(300, 500);
    let mut sensor = stage.open(None);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(0, 500));

    // The spool has it up to the launch of 249, but the sensor did not hear of it before it died.
    let spooled = seen.iter().find(|it| numbers(std::slice::from_ref(it)).contains_key(&249));
    let spooled = spooled.expect("it was launched").source;
    drop(sensor);
    let mut sensor = stage.open(Some(spooled));
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(250, 500));
    assert!(seen.iter().all(|it| it.source.epoch == spooled.epoch), "the same ring");

    // Committed while it runs, and released: a later start without the spool begins there.
    let end = seen.last().expect("it is not empty").source;
    sensor.committed().expect("a ring resumes").advance(end);
    sensor.sense(Duration::ZERO, &mut Vec::new()).expect("the ring is read");
    drop(sensor);
    let mut sensor = stage.open(None);
    let shell = stage.launch(500, 510);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(500, 510));
}

#[test]
fn what_found_the_ring_full_is_declared_to_the_last_record_and_once() {
    let Some(stage) = Stage::set("overflow") else { return };
    let small = Start { ring_bytes: Some(64 << 10), ..stage.start() };
    let open =
        |resume| process::bpf::open(&Start { resume, clock: Arc::clone(&small.clock), ..small });
    let mut sensor = open(None).expect("the kernel takes the programs");
    stage.launch(0, 1_000);
    // A fork, an exec and an exit each, and the shell's own exit; its exec was outside.
    let happened = 3_001;
    let seen = drain(&mut sensor);
    let records = |seen: &[Observation]| {
        u64::try_from(seen.iter().filter(|it| !matches!(it.fact, Fact::Loss(_))).count())
            .expect("few")
    };
    assert_eq!(records(&seen) + lost(&seen), happened);
    assert!(records(&seen) > 100, "a ring of 64 KiB has room for more than {}", records(&seen));

    // The loss was not spooled: it is declared again. Once spooled, it is not.
    drop(sensor);
    let mut sensor = open(None).expect("the pins are there");
    let seen = drain(&mut sensor);
    assert_eq!(records(&seen) + lost(&seen), happened);
    let end = seen.last().expect("it is not empty").source;
    drop(sensor);
    let mut sensor = open(Some(end)).expect("the pins are there");
    let shell = stage.launch(0, 1);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!((numbers(&seen), lost(&seen)), (once(0, 1), 0));
}

fn lost(seen: &[Observation]) -> u64 {
    let losses = seen.iter().filter_map(|it| match &it.fact {
        Fact::Loss(loss) => Some(loss),
        _other => None,
    });
    losses
        .filter(|it| it.cause == LossCause::KernelBuffer && it.is_count_exact)
        .map(|it| it.count)
        .sum()
}

#[test]
fn a_set_for_another_scope_is_replaced_and_the_gap_is_told() {
    let Some(stage) = Stage::set("replaced") else { return };
    drop(stage.open(None));
    stage.launch(0, 10);
    let other = Start { ring_bytes: Some(1 << 20), ..stage.start() };
    let mut sensor = process::bpf::open(&other).expect("the kernel takes the programs");
    let shell = stage.launch(10, 20);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    let Some(Fact::Loss(gap)) = seen.first().map(|it| &it.fact) else {
        panic!("a gap comes first")
    };
    assert_eq!((gap.cause, gap.count, gap.is_count_exact), (LossCause::SensorDown, 31, false));
    assert!(gap.from < gap.until);
    assert_eq!(numbers(&seen), once(10, 20));
}

#[test]
fn f_47_pins_that_are_removed_while_an_agent_runs_blind_nobody() {
    let Some(stage) = Stage::set("unpinned") else { return };
    drop(stage.open(None));
    let mut sensor = stage.open(None);
    assert!(sensor.is_resumed());
    pins::remove(&stage.pins).expect("remove the pins");
    let shell = stage.launch(0, 5);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(0, 5));
    // The next one begins anew, and is told to have missed something.
    drop(sensor);
    let mut sensor = stage.open(None);
    assert!(!sensor.is_resumed());
    pins::remove(&stage.pins).expect("remove the pins");
    let shell = stage.launch(5, 9);
    let seen = sense(&mut sensor, |seen| ended(seen, shell));
    assert_eq!(numbers(&seen), once(5, 9));
}
