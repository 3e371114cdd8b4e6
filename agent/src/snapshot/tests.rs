//! Snapshots of this very machine, and of a host made for the purpose.

use std::{fs, io, path::Path, sync::Arc};

use cordon_shared::{
    durable,
    entropy::SystemEntropy,
    id::{CommandId, ProcessKey},
    snapshot::{Manifest, Outcome, check},
    test_support::{self, order},
    time::SystemClock,
    wire,
};
use expect_test::expect;

use super::{
    plan::{Plan, triage},
    seal::Order,
    shelf::SNAPSHOTS_MAX,
    *,
};

/// A kit of this machine whose shelf lies below `dir`.
pub(crate) fn kit(dir: &Path) -> Kit {
    let ground =
        Ground { proc: PathBuf::from("/proc"), root: PathBuf::from("/"), scope: Scope::Host };
    Kit {
        ground,
        shelf: Shelf::open(dir.join("snapshots")).unwrap(),
        agent: test_support::agent(),
        host_name: "web-1".to_owned(),
        system: "Debian".to_owned(),
        boot: BootId([1; 16]),
        key: Arc::new(order::key(50)),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

fn order_of(number: u8) -> Order {
    Order { command: CommandId::from_slice(&[number; 16]).unwrap(), incident: None }
}

fn take(kit: &Kit, plan: &Plan) -> Manifest {
    let patience = Patience::new(Arc::new(SystemClock), CancellationToken::new());
    kit.take(order_of(1), plan, &patience).unwrap()
}

fn own() -> ProcessKey {
    crate::sensor::procfs::process::key(Path::new("/proc"), std::process::id()).unwrap()
}

/// An entry of a sealed snapshot, as text.
fn text(kit: &Kit, taken: &Manifest, name: &str) -> String {
    let sealed = kit.shelf.find(taken.command).unwrap();
    let mut container = fs::File::open(sealed.container).unwrap();
    for entry in &taken.entries {
        let mut frame = vec![0; usize::try_from(entry.packed_bytes).unwrap()];
        io::Read::read_exact(&mut container, &mut frame).unwrap();
        if entry.name.as_str() == name {
            return String::from_utf8(check::unpack(entry, &frame).unwrap()).unwrap();
        }
    }
    panic!("{name} is not in it");
}

#[test]
fn a_snapshot_of_this_machine_is_sealed_whole_and_holds_this_process() {
    let dir = tempfile::tempdir().unwrap();
    let kit = kit(dir.path());
    let taken = take(&kit, &triage(&[own()], 64 << 20).unwrap());
    let sealed = kit.shelf.find(taken.command).unwrap();
    assert_eq!(wire::snapshot::open(&sealed.signed, &kit.key.public()).unwrap(), taken);
    let mut container = fs::File::open(&sealed.container).unwrap();
    let checked = check::check(&taken, &mut container).unwrap();
    assert!(checked.is_whole(), "{checked:?}");

    let processes = text(&kit, &taken, "processes.jsonl");
    let pid = format!("\"pid\":{},", std::process::id());
    let line = processes.lines().find(|it| it.contains(&pid)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["sha256_state"], "known", "{line}");
    let names = line["environment_names"].as_array().unwrap();
    assert!(names.iter().any(|it| it == "PATH"), "{line}");
    assert!(!line["environment_names"].to_string().contains('='), "{line}");
    assert!(text(&kit, &taken, "open_files.jsonl").contains(&pid));
    assert!(text(&kit, &taken, "maps.jsonl").contains("r-xp"));
    assert!(text(&kit, &taken, "mounts.txt").contains("/proc"));
}

#[test]
fn a_listener_is_in_the_list_of_sockets_with_its_owner() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let kit = kit(dir.path());
    let taken = take(&kit, &triage(&[], 64 << 20).unwrap());
    let local = format!("\"local\":\"{}\"", listener.local_addr().unwrap());
    let sockets = text(&kit, &taken, "sockets.jsonl");
    let line = sockets.lines().find(|it| it.contains(&local)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["state"], &line["protocol"]), (&"listen".into(), &"tcp".into()));
    assert_eq!(line["pid"], std::process::id());
}

/// A host with something in each place where persistence hides.
fn planted(root: &Path) {
    let files = [
        (
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv/web:/bin/sh\nx:x:1:1::/../up:/x\n",
        ),
        ("etc/group", "root:x:0:\n"),
        ("etc/shadow", "root:SECRET:1:\n"),
        ("etc/crontab", "* * * * * root /tmp/x\n"),
        ("var/spool/cron/crontabs/web", "@reboot \u{1b}[31m\\evil\n"),
        ("etc/systemd/system/evil.service", "[Service]\nExecStart=/tmp/x\n"),
        ("usr/lib/systemd/system/good.service", "[Service]\n"),
        ("etc/ld.so.preload", "/tmp/x.so\n"),
        ("srv/web/.ssh/authorized_keys", "ssh-ed25519 AAAA mallory\n"),
        ("srv/web/.ssh/id_ed25519", "PRIVATE\n"),
    ];
    for (name, contents) in files {
        let path = root.join(name);
        durable::create_dir(path.parent().unwrap(), 0o700).unwrap();
        durable::write(&path, contents.as_bytes(), 0o600).unwrap();
    }
    durable::create_dir(&root.join("etc/cron.d"), 0o700).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", root.join("etc/cron.d/link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("etc/cron.d/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
}

#[test]
fn what_persists_is_found_and_no_link_pipe_or_secret_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    planted(&root);
    let mut kit = kit(dir.path());
    kit.ground.root = root;
    let taken = take(&kit, &triage(&[], 64 << 20).unwrap());
    let mut shown = String::new();
    for name in ["cron.jsonl", "units.jsonl", "startup.jsonl", "authorized_keys.jsonl"] {
        for line in text(&kit, &taken, name).lines() {
            let it: serde_json::Value = serde_json::from_str(line).unwrap();
            let (path, kind) = (it["path"].as_str().unwrap(), it["kind"].as_str().unwrap());
            shown += &format!("{name} {path} {kind} {} {}\n", it["text"], it["sha256_state"]);
        }
    }
    expect![[r#"
        cron.jsonl /etc/crontab file ["* * * * * root /tmp/x"] "known"
        cron.jsonl /etc/cron.d/link link null null
        cron.jsonl /etc/cron.d/pipe other null null
        cron.jsonl /var/spool/cron/crontabs directory null null
        cron.jsonl /var/spool/cron/crontabs/web file ["@reboot \u001b[31m\\x5cevil"] "known"
        units.jsonl /etc/systemd/system/evil.service file ["[Service]","ExecStart=/tmp/x"] "known"
        units.jsonl /usr/lib/systemd/system/good.service file null "known"
        startup.jsonl /etc/ld.so.preload file ["/tmp/x.so"] "known"
        startup.jsonl /etc/passwd file null "known"
        startup.jsonl /etc/shadow file null "known"
        authorized_keys.jsonl /srv/web/.ssh/authorized_keys file ["ssh-ed25519 AAAA mallory"] "known"
    "#]]
    .assert_eq(&shown);
    let users = text(&kit, &taken, "users.txt");
    assert!(users.contains("web:x:33") && !users.contains("SECRET"), "{users}");
}

#[test]
fn what_has_no_room_is_cut_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let kit = kit(dir.path());
    let mut plan = triage(&[], 1 << 20).unwrap();
    plan.bytes_max = 600;
    let taken = take(&kit, &plan);
    let outcomes = taken.entries.iter().map(|it| it.outcome);
    assert!(outcomes.clone().any(|it| it == Outcome::Missed), "{:?}", taken.entries);
    let total: u64 = taken.entries.iter().map(|it| it.size_bytes).sum();
    assert!(total <= 600);
    let first = taken.entries.iter().find(|it| it.outcome != Outcome::Taken).unwrap();
    assert!(first.reason.contains("the command left for it"), "{}", first.reason);
}

#[test]
fn one_that_is_cancelled_is_sealed_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let kit = kit(dir.path());
    let stop = CancellationToken::new();
    stop.cancel();
    let patience = Patience::new(Arc::new(SystemClock), stop);
    let taken = kit.take(order_of(1), &triage(&[], 1 << 20).unwrap(), &patience).unwrap();
    let all = taken.entries.iter();
    assert!(all.clone().all(|it| it.reason == "the agent stops"), "{taken:?}");
    assert!(kit.shelf.find(order_of(1).command).is_some());
}

#[test]
fn the_shelf_is_bounded_and_keeps_what_is_sealed_over_a_crash_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let kit = kit(dir.path());
    let mut plan = triage(&[], 1 << 20).unwrap();
    plan.items.truncate(1);
    let patience = Patience::new(Arc::new(SystemClock), CancellationToken::new());
    for number in 1..=u8::try_from(SNAPSHOTS_MAX).unwrap() {
        kit.take(order_of(number), &plan, &patience).unwrap();
    }
    let refused = kit.take(order_of(99), &plan, &patience).unwrap_err();
    assert!(refused.to_string().contains("wait for the collector"), "{refused}");

    let first = kit.shelf.waiting().remove(0).manifest.snapshot;
    kit.shelf.remove(first).unwrap();
    kit.take(order_of(99), &plan, &patience).unwrap();

    // A crash before the seal, in each of its steps.
    let second = kit.shelf.waiting().remove(0).manifest.snapshot;
    kit.shelf.remove(second).unwrap();
    let left = kit.shelf.begin(second).unwrap();
    drop(left);
    fs::rename(
        kit.shelf.folder().join(format!("{second}.part")),
        kit.shelf.folder().join(format!("{second}.tar.zst")),
    )
    .unwrap();
    drop(kit.shelf.begin(first).unwrap());
    let shelf = Shelf::open(kit.shelf.folder().to_owned()).unwrap();
    assert_eq!(shelf.waiting().len(), SNAPSHOTS_MAX - 1);
    let names = fs::read_dir(shelf.folder()).unwrap().count();
    assert_eq!(names, 2 * (SNAPSHOTS_MAX - 1));
}
